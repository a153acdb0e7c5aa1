# SPDX-License-Identifier: GPL-2.0
"""Where scripts/check-entry looks for a kernel's numbers of CPU features."""

import importlib.machinery
import importlib.util
import os
import shutil
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../scripts/check-entry")
NAME = "arch/x86/include/asm/cpufeatures.h"


def script():
    loader = importlib.machinery.SourceFileLoader("check_entry", SCRIPT)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("check_entry", loader))
    loader.exec_module(module)
    return module


class EntryTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text=""):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return os.path.dirname(path)

    def features(self, number, place):
        self.write(f"{place}/{NAME}",
                   f"#define X86_FEATURE_ONE\t( 3*32+{number}) /* one */\n"
                   f"#define X86_BUG_{number}\tX86_BUG( 1) /* a bug */\n")

    def found(self, place):
        numbers, bugs = script().feature_numbers(os.path.join(self.dir, place))
        self.assertEqual({str(numbers["ONE"] - 96)}, bugs)
        return numbers.get("ONE")

    def test_two_kernels(self):
        """each of two kernels' headers has its own feature numbers"""
        for number, version in enumerate(("6.1.0-57", "6.12.95+deb12",
                                          "6.12.117+deb12")):
            self.features(number, f"linux-headers-{version}-common")
            for flavour in ("amd64", "rt-amd64"):
                self.write(f"linux-headers-{version}-{flavour}/Makefile",
                           f"include /usr/src/linux-headers-{version}-common/Makefile\n")
        for flavour in ("amd64", "rt-amd64"):
            self.assertEqual(
                [96, 97, 98], [self.found(f"linux-headers-{version}-{flavour}")
                               for version in ("6.1.0-57", "6.12.95+deb12",
                                               "6.12.117+deb12")])

    def test_unpacked(self):
        """headers that were unpacked elsewhere, and those of another distribution"""
        self.features(7, "linux-headers-7-common")
        self.write("linux-headers-7-amd64/Makefile",
                   "DEBIAN_SRC := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)\n"
                   "include $(DEBIAN_SRC)/linux-headers-7-common/Makefile\n")
        self.assertEqual(103, self.found("linux-headers-7-amd64"))
        self.features(8, "whole")
        self.write("whole/Makefile")
        self.assertEqual(104, self.found("whole"))
        os.makedirs(os.path.join(self.dir, "generic"))
        os.symlink("../whole/Makefile", os.path.join(self.dir, "generic/Makefile"))
        self.assertEqual(104, self.found("generic"))

    def test_none(self):
        """headers without feature numbers are an error, not those of a neighbour"""
        self.features(1, "linux-headers-6.1-common")
        self.write("linux-headers-6.12-amd64/Makefile",
                   "include /usr/src/linux-headers-6.12-common/Makefile\n")
        with self.assertRaises(FileNotFoundError):
            self.found("linux-headers-6.12-amd64")
