# SPDX-License-Identifier: GPL-2.0
"""Which kernel is the newest of a suite, and headers out of their place.

apt is a script here, which prints what the test says.
"""

import os
import shutil
import subprocess
import tempfile
import unittest
from unittest import mock

import kernels
import package
import toolchain


class KernelsTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def newest(self, series, **versions):
        """Each suite has those versions; its name has an underscore for a dash."""
        for suite, words in versions.items():
            self.write(suite, "".join(f"linux-image-{w}\n" for w in words.split()))
        apt = self.write("apt", f'#!/bin/sh\ncat "{self.dir}/$1"\n')
        os.chmod(apt, 0o755)
        with mock.patch.object(package, "APT_SUITE", apt):
            return kernels.newest(series, list(versions))

    def test_newest(self):
        """the newest kernel of a series, by number and not by letter"""
        self.assertEqual(
            ("6.12.117+deb12-amd64", "b"),
            self.newest("6.12", a="6.12.95+deb12-amd64 6.12.9+bpo-amd64",
                        b="6.12.107+deb12-amd64 6.12.117+deb12-amd64 6.12-amd64 "
                          "6.12.118+deb12-rt-amd64 6.12.119+deb12-cloud-amd64 "
                          "6.12.120+deb12-amd64-unsigned 6.12.120+deb12-amd64-dbg "
                          "6.1.0-57-amd64 7.3.4+deb13-amd64"))
        self.assertEqual(
            ("6.12.115+deb13.1-amd64", "a"),
            self.newest("6.12", a="6.12.115+deb13-amd64 6.12.115+deb13.1-amd64",
                        b="6.12.107+deb13-amd64"))
        self.assertEqual(("6.1.0-57-amd64", "a"), self.newest(
            "6.1", a="6.1.0-9-amd64 6.1.0-57-amd64 6.12.107+deb12-amd64"))
        self.assertIsNone(self.newest("6.1", a="6.12.107+deb12-amd64"))

    def test_header_packages(self):
        """what the headers of a kernel are not complete without"""
        for depends in ("linux-headers-7.3+x-common (= 7.3-1), linux-kbuild-7.3+x, gcc-14",
                        "gcc-14-for-host, linux-base-7.3+x-amd64 (= 7.3-1), "
                        "linux-headers-7.3+x-common (= 7.3-1), linux-kbuild-7.3+x"):
            apt = self.write("apt", "#!/bin/sh\ncat <<'END'\nPackage: $4\n"
                             f"Depends: {depends}\nDescription: headers\nEND\n")
            os.chmod(apt, 0o755)
            with mock.patch.object(package, "APT_SUITE", apt):
                self.assertEqual(
                    ["linux-headers-7.3+x-amd64", "linux-headers-7.3+x-common",
                     "linux-kbuild-7.3+x"],
                    kernels.header_packages("7.3+x-amd64", "any"))

    def headers(self, program):
        """Headers that want gcc-14 and have one program."""
        root = os.path.join(self.dir, "fresh/tree")
        self.write("fresh/tree/usr/src/linux-headers-7-amd64/Makefile",
                   "KBUILD_OUTPUT=/usr/src/linux-headers-7-amd64\n"
                   "include /usr/src/linux-headers-7-common/Makefile\n")
        self.write("fresh/tree/usr/src/linux-headers-7-common/Makefile",
                   "all:\n\t@echo built in $(KBUILD_OUTPUT)\n")
        path = self.write("fresh/tree/usr/lib/kbuild/tools/one", "")
        shutil.copy(program, path)
        os.symlink(".", os.path.join(root, "usr/lib/kbuild/loop"))
        return root

    def test_relocate(self):
        """headers out of their place find each other, wherever they are moved"""
        root = self.headers("/bin/sh")
        kernels.relocate(root, os.path.join(self.dir, "place"), "7-amd64", None)
        for name in ("place", "elsewhere"):
            place = os.path.join(self.dir, name)
            os.rename(root, place)
            root = place
            own = os.path.join(place, "usr/src/linux-headers-7-amd64")
            self.assertEqual(f"built in {own}\n", subprocess.run(
                ["make", "-s", "-C", own], check=True, stdout=subprocess.PIPE,
                text=True).stdout)

    def test_wrap(self):
        """a program for a newer C library is run by the one unpacked beside it"""
        gcc = os.path.join(self.dir, "gcc-14")
        toolchain.write_script(os.path.join(gcc, "bin/run"),
                               '#!/bin/sh\necho "run $(basename "$1") $2"\n')
        root = self.headers("/bin/true")
        place = os.path.join(self.dir, "place")
        with mock.patch.object(os, "confstr", return_value="glibc 2.1"):
            kernels.relocate(root, place, "7-amd64", (gcc, "14", "trixie"))
        os.rename(root, place)
        self.assertEqual("run one.elf it\n", subprocess.run(
            [os.path.join(place, "usr/lib/kbuild/tools/one"), "it"], check=True,
            stdout=subprocess.PIPE, text=True).stdout)

    def test_too_new(self):
        """only programs, and only those for a newer C library, need that"""
        self.assertFalse(toolchain.too_new("/bin/true"))
        self.assertFalse(toolchain.too_new(self.write("script", "GLIBC_2.99")))
        path = os.path.join(self.dir, "program")
        with open(path, "wb") as f:
            f.write(b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.99\0")
        self.assertTrue(toolchain.too_new(path))
