# SPDX-License-Identifier: GPL-2.0
"""Which Bochs there is: Debian 13's 3.0, else Debian 12's 2.7.

On Debian 12 the former is unpacked in the cache, with the C and C++ libraries that it
was linked to, and started by the dynamic linker among them; the other libraries are
those that Debian 12's own Bochs brings along. BOCHS=PROGRAM is yet another one.
"""

import os
import re
import shutil
import subprocess

import compiled
import package

SUITE = "trixie"
PACKAGES = ("bochs", "bochsbios", "vgabios", "libc6", "libgcc-s1", "libstdc++6")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
WANTED = 3.0            # the first version with the monitor trap flag
A_MODEL = "sapphire_rapids"


class Program:
    """A way to start Bochs; version is 0 where it does not run."""

    def __init__(self, argv, share):
        self.argv = argv
        self.share = share      # where its BIOS is
        self.version = 0.0
        try:
            self.said = subprocess.run(
                [*argv, "--help", "cpu"], text=True, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        except OSError as e:
            self.said = f"{e}\n"
        match = re.search(r"Bochs x86 Emulator (\d+\.\d+)", self.said)
        self.models = re.findall(r"^[a-z][a-z0-9_]+$", self.said, re.M)
        if match and self.models:
            self.version = float(match.group(1))

    def start(self, work, cpus, cache, commands=""):
        """The argv that runs the machine of work/bochsrc.

        With commands, in the debugger, where Debian's Bochs 2.7 always is.
        """
        argv = [*self.argv, "-q", "-f", os.path.join(work, "bochsrc")]
        if self.version >= WANTED and cpus > 1:
            argv[:0] = ["env", "LD_PRELOAD=" + compiled.path("bochs_smp", cache)]
        if self.version >= WANTED:
            if not commands:
                return argv
            argv.append("-debugger")
        script = os.path.join(work, "start")
        with open(script, "w", encoding="ascii") as f:
            f.write(commands or "c\n")
        return argv + ["-rc", script]


def unpacked(root):
    """The one whose packages have been unpacked below root."""
    libraries = os.path.join(root, LIBRARIES)
    share = os.path.join(root, "usr/share/bochs")
    return Program(["env", f"LTDL_LIBRARY_PATH={libraries}/bochs/plugins",
                    f"BXSHARE={share}",
                    os.path.join(root, "usr/lib64/ld-linux-x86-64.so.2"),
                    "--library-path", libraries,
                    os.path.join(root, "usr/bin/bochs-bin")], share)


def installed(name="bochs"):
    return Program([name], os.environ.get("BXSHARE", "/usr/share/bochs"))


def find(cache):
    """The best there is: look at its version."""
    if "BOCHS" in os.environ:
        return installed(os.environ["BOCHS"])
    root = os.path.join(cache, "bochs")
    found = unpacked(root) if os.path.isdir(root) else installed()
    return found if found.version >= WANTED else installed()


def fetch(cache):
    """Downloads and unpacks Bochs 3 and sees it run."""
    with package.locked(cache), package.unfinished(cache) as fresh:
        root = os.path.join(fresh, "bochs")
        for name in PACKAGES:
            package.extract(package.fetch(name, fresh, SUITE), root)
        found = unpacked(root)
        if found.version < WANTED or A_MODEL not in found.models:
            raise package.PackageError(
                f"{found.said}Bochs of {SUITE} does not run here")
        shutil.rmtree(os.path.join(cache, "bochs"), ignore_errors=True)
        os.rename(root, os.path.join(cache, "bochs"))
