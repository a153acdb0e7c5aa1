# SPDX-License-Identifier: GPL-2.0
"""The compiler of another Debian release, unpacked and run by that release's own
dynamic linker: nothing is installed."""

import glob
import os
import re
import shutil

import package

PACKAGES = ("gcc-{0}-x86-64-linux-gnu", "cpp-{0}-x86-64-linux-gnu", "libgcc-{0}-dev",
            "libc6", "libelf1t64", "libgmp10", "libisl23", "libmpc3", "libmpfr6",
            "libzstd1", "zlib1g")
# What does not help to compile C: 150 of 250 MB.
NEEDLESS = ("usr/share", "usr/bin/*lto-dump*", "usr/libexec/gcc/*/*/lto1",
            "usr/lib/gcc/*/*/*.a", "usr/sbin")

RUN = """#!/bin/sh
# Runs a program of the release that is unpacked here.
top=$(dirname "$0")/..
exec "$top/usr/lib64/ld-linux-x86-64.so.2" --library-path "$top/usr/lib/x86_64-linux-gnu" "$@"
"""
GCC = """#!/bin/sh
top=$(dirname "$0")/..
exec "$top/bin/run" --argv0 "$top/usr/bin/NAME" "$top/usr/bin/NAME" -B"$top/steps" "$@"
"""
CC1 = """#!/bin/sh
top=$(dirname "$0")/..
exec "$top/bin/run" "$top/CC1" "$@"
"""


def write_script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, 0o755)


def prepare(root, gcc):
    """Scripts to run what has been unpacked in root: the compiler in bin, what it
    starts itself in steps, any other program by bin/run."""
    cc1 = glob.glob(os.path.join(root, "usr/libexec/gcc/*/*/cc1"))
    if len(cc1) != 1:
        raise package.PackageError(f"{len(cc1)} compilers in {gcc}")
    write_script(os.path.join(root, "bin/run"), RUN)
    write_script(os.path.join(root, "bin", gcc), GCC.replace("NAME", gcc))
    write_script(os.path.join(root, "steps/cc1"),
                 CC1.replace("CC1", os.path.relpath(cc1[0], root)))
    for pattern in NEEDLESS:
        for path in glob.glob(os.path.join(root, pattern)):
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)


def fetch(number, suite, cache):
    """Root of gcc-NUMBER of a suite, in the cache, with the programs of prepare()."""
    root = os.path.join(cache, f"gcc-{number}")
    with package.locked(cache), package.unfinished(cache) as fresh:
        if not os.path.isdir(root):
            tree = os.path.join(fresh, "tree")
            for name in PACKAGES:
                package.extract(package.fetch(name.format(number), fresh, suite),
                                tree)
            prepare(tree, f"x86_64-linux-gnu-gcc-{number}")
            os.rename(tree, root)
    return root


def too_new(path):
    """Whether a program wants a C library newer than this machine's."""
    with open(path, "rb") as f:
        data = f.read()
    if not data.startswith(b"\x7fELF"):
        return False
    wanted = max(map(int, re.findall(rb"\0GLIBC_2\.(\d+)", data)), default=0)
    return wanted > int(os.confstr("CS_GNU_LIBC_VERSION").rpartition(".")[2])


def wrap(path, root, place):
    """A script in the place of the program runs it by the root's dynamic linker.

    place: where path will be in the end.
    """
    os.rename(path, path + ".elf")
    run = os.path.relpath(os.path.join(root, "bin/run"), os.path.dirname(place))
    write_script(path, f'#!/bin/sh\nexec "$(dirname "$0")/{run}" "$0.elf" "$@"\n')
