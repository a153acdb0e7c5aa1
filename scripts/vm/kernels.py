# SPDX-License-Identifier: GPL-2.0
"""The kernels that vtx is tried on: the newest of several suites of Debian.

For each there is a directory build/kernels/NAME with links into build/cache:
  image.deb   the kernel
  headers     its headers, to be KDIR
  bin         the compiler that they want, where this machine has it not
"""

import glob
import os
import re
import shutil
import subprocess

import package
import toolchain

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(TOP, "build/cache")
KERNELS = os.path.join(TOP, "build/kernels")

# name: the series, and the suites whose newest of that series it is
TABLE = {
    "bookworm": ("6.1", "bookworm", "bookworm-security"),
    "bookworm-backports": ("6.12", "bookworm-backports"),
    "bookworm-6.12": ("6.12", "bookworm-security"),
    "trixie": ("6.12", "trixie", "trixie-security"),
}


def directory(name):
    return os.path.join(KERNELS, name)


def headers(name):
    return os.path.join(directory(name), "headers")


def release(name):
    """What "uname -r" says there."""
    return os.path.basename(os.path.realpath(headers(name))).removeprefix(
        "linux-headers-")


def source_version(name):
    """6.1.192 is the source of 6.1.0-57-amd64."""
    image = os.path.realpath(os.path.join(directory(name), "image.deb"))
    return re.match(r"[\d.]+", os.path.basename(image).split("_")[1]).group()


def compiler(name):
    """The compiler's number, "14" of gcc-14."""
    with open(os.path.join(headers(name), ".kernelvariables"), encoding="ascii") as f:
        return re.search(r"gcc-(\d+)", f.read()).group(1)


def environment(name):
    """For what is built and run there."""
    place = directory(name)
    return {"KDIR": headers(name),
            "PATH": os.path.join(place, "bin") + ":" + os.environ["PATH"],
            "KERNEL": os.path.join(place, "image.deb"),
            "VTX_KO": os.path.join(place, "vtx/vtx.ko")}


def age(version):
    """A key that sorts versions: 6.12.115+deb13 < 6.12.115+deb13.1 < 6.12.116"""
    return [int(number) for number in re.findall(
        r"\d+", version.removesuffix("-amd64"))]


def newest_built():
    """The name of the newest kernel that there is a vtx.ko for, or None."""
    built = [name for name in TABLE
             if os.path.exists(environment(name)["VTX_KO"])]
    return max(built, key=lambda name: age(release(name)), default=None)


def newest(series, suites):
    """(version, suite), or None; versions as in 6.1.0-57-amd64, 6.12.9+deb13-amd64"""
    found = []
    pattern = re.compile(rf"^linux-image-({re.escape(series)}\.[\d.]+"
                         r"(?:-\d+|\+[a-z0-9.]+)-amd64)$", re.M)
    for suite in suites:
        shown = subprocess.run(
            [package.APT_SUITE, suite, "apt-cache", "pkgnames",
             f"linux-image-{series}."], stdout=subprocess.PIPE, text=True, check=False)
        found += [(version, suite) for version in pattern.findall(shown.stdout)]
    return max(found, key=lambda pair: age(pair[0]), default=None)


def header_packages(version, suite):
    """That of the flavour, and the two that it is not complete without."""
    name = f"linux-headers-{version}"
    shown = subprocess.run([package.APT_SUITE, suite, "apt-cache", "show", name],
                           stdout=subprocess.PIPE, text=True, check=False)
    needed = re.findall(r"\b(linux-headers-[^\s,]+-common|linux-kbuild-[^\s,]+)",
                        shown.stdout)
    if len(set(needed)) != 2:
        raise package.PackageError(f"{suite} has no headers for {version}")
    return [name, *sorted(set(needed))]


def gcc_root(tree, suite):
    """The directory of the compiler that the headers want; None: it is installed."""
    path, = glob.glob(os.path.join(tree, "usr/src/*/.kernelvariables"))
    with open(path, encoding="ascii") as f:
        number = re.search(r"gcc-(\d+)", f.read()).group(1)
    if shutil.which(f"x86_64-linux-gnu-gcc-{number}"):
        return None
    return os.path.join(CACHE, f"gcc-{number}"), number, suite.partition("-")[0]


def relocate(tree, place, version, gcc):
    """Headers look for each other where they would be installed, BTF wants a tool that
    is not needed otherwise, and programs may want another C library."""
    own = os.path.join(tree, "usr/src/linux-headers-" + version)
    with open(os.path.join(own, "Makefile"), "r+", encoding="ascii") as f:
        text = "DEBIAN_SRC := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)\n" + \
            f.read().replace("/usr/src", "$(DEBIAN_SRC)")
        f.seek(0)
        f.write(text)
    if os.path.exists(os.path.join(own, "vmlinux")):
        os.unlink(os.path.join(own, "vmlinux"))
    programs = [os.path.join(where, file)
                for where, _, files in os.walk(os.path.join(tree, "usr/lib"))
                for file in files]
    for path in programs:
        if not os.path.islink(path) and toolchain.too_new(path):
            if not gcc:
                raise package.PackageError(f"{path} wants a newer C library")
            toolchain.wrap(path, gcc[0], os.path.join(
                place, os.path.relpath(path, tree)))


def fetch_headers(version, suite):
    """(directory with the headers' usr, gcc_root()), unpacked once."""
    place = os.path.join(CACHE, f"linux-headers-{version}")
    with package.locked(CACHE), package.unfinished(CACHE) as fresh:
        if not os.path.isdir(place):
            tree = os.path.join(fresh, "tree")
            for name in header_packages(version, suite):
                package.extract(package.fetch(name, fresh, suite), tree)
            relocate(tree, place, version, gcc_root(tree, suite))
            os.rename(tree, place)
    gcc = gcc_root(place, suite)
    if gcc:
        toolchain.fetch(*gcc[1:], CACHE)
    return place, gcc


def link(target, name):
    if os.path.lexists(name):
        os.unlink(name)
    if target:
        os.symlink(target, name)


def fetch(name):
    """Brings the newest kernel of that name here; without a network, that of an
    earlier time will do."""
    series, *suites = TABLE[name]
    found = newest(series, suites)
    if not found:
        if os.path.exists(os.path.join(headers(name), "Makefile")):
            return
        raise package.PackageError(f"no kernel {series} in {' or '.join(suites)}")
    version, suite = found
    image = package.download(f"linux-image-{version}", CACHE, suite)
    place, gcc = fetch_headers(version, suite)
    links = directory(name)
    os.makedirs(links, exist_ok=True)
    link(image, os.path.join(links, "image.deb"))
    link(os.path.join(place, f"usr/src/linux-headers-{version}"), headers(name))
    link(gcc and os.path.join(gcc[0], "bin"), os.path.join(links, "bin"))
