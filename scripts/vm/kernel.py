# SPDX-License-Identifier: GPL-2.0
"""Guest kernels: found by version, package or path, unpacked into the cache.

Nothing is installed on the machine: packages are downloaded by their exact
name and unpacked under build/cache.
"""

import glob
import lzma
import os
import re
import shutil
import struct
import subprocess

import package

# Kbuild's clean removes every *.ko and *.ko.* below the module's directory; it must
# not find those of the cache.
KEPT = ".module"


class KernelError(Exception):
    """No such kernel, or no such module in it."""


class Kernel:
    """A bzImage (or vmlinux) and, when it came in a package, its modules."""

    def __init__(self, version, image, modules_of=None):
        self.version = version
        self.image = image
        self.modules_of = modules_of    # () -> directory of the modules
        self.index = {}                 # module name -> path

    def modules(self, names):
        """[(name.ko, path)] of the modules and what they need, in load order."""
        if names and not self.modules_of:
            raise KernelError("-k needs a kernel from a package")
        if names:
            for path in glob.glob(os.path.join(self.modules_of(), "**/*" +
                                               KEPT), recursive=True):
                name = os.path.basename(path).removesuffix(KEPT)
                self.index[name.replace("-", "_")] = path
        wanted = {}
        for name in names:
            self._add(name.replace("-", "_"), wanted)
        return list(wanted.items())

    def _add(self, name, wanted):
        if name not in self.index:
            raise KernelError(f"{self.version} has no module {name}")
        with open(self.index[name], "rb") as f:
            match = re.search(rb"\0depends=([^\0]*)", f.read())
        for needed in match.group(1).decode().split(",") if match else ():
            if needed:
                self._add(needed.replace("-", "_"), wanted)
        wanted[name + ".ko"] = self.index[name]


def image_version(path):
    """What a bzImage or an ELF vmlinux says of itself."""
    with open(path, "rb") as f:
        data = f.read()
    if data.startswith(b"\x7fELF"):
        match = re.search(rb"Linux version (\S+) ", data)
        if match:
            return match.group(1).decode()
    if data[0x202:0x206] == b"HdrS":
        offset = struct.unpack_from("<H", data, 0x20e)[0] + 0x200
        return data[offset:data.index(b"\0", offset)].split()[0].decode()
    raise KernelError(f"{path} is neither a bzImage nor a vmlinux")


def module_version(path):
    """The kernel a module was built for."""
    with open(path, "rb") as f:
        match = re.search(rb"\0vermagic=(\S+)", f.read())
    if not match:
        raise KernelError(f"{path} is not a kernel module")
    return match.group(1).decode()


def stock_version():
    """Debian's linux-image-amd64 of the running release."""
    shown = subprocess.run(["apt-cache", "depends", "linux-image-amd64"],
                           stdout=subprocess.PIPE, text=True, check=False)
    names = re.findall(r"^  Depends: linux-image-(\S+-amd64)$", shown.stdout,
                       re.M)
    if len(names) != 1:
        raise KernelError("apt knows no single linux-image-amd64; "
                          "run apt-get update, or set KERNEL")
    return names[0]


def keep_module(path):
    """Takes a module's name from Kbuild's clean; those of 6.12 are compressed."""
    if path.endswith(".ko.xz"):
        with lzma.open(path) as packed, \
                open(path.removesuffix(".ko.xz") + KEPT, "wb") as f:
            shutil.copyfileobj(packed, f)
        os.unlink(path)
    elif path.endswith(".ko"):
        os.rename(path, path.removesuffix(".ko") + KEPT)


def unpack(deb, cache, part, files=None):
    """The directory that holds those files (those in part) of a package, once."""
    name = os.path.splitext(os.path.basename(deb))[0]
    root = os.path.join(cache, f"{name}.{part}")
    with package.locked(cache):
        if not os.path.isdir(root):
            package.unpack_into(root, deb, files or part, keep_module)
    return root


def from_package(deb, cache):
    deb = os.path.realpath(deb)     # the name has the version
    images = glob.glob(os.path.join(unpack(deb, cache, "boot"),
                                    "boot/vmlinuz-*"))
    if len(images) != 1:
        raise KernelError(f"{deb} holds {len(images)} kernels")
    version = os.path.basename(images[0]).removeprefix("vmlinuz-")
    return Kernel(version, images[0], lambda: unpack(
        deb, cache, "lib", "*lib/modules/*"))   # Debian 13's are in /usr/lib


def find(spec, module, cache):
    """spec: a version, a .deb, a bzImage or vmlinux, or None for what module wants."""
    os.makedirs(cache, exist_ok=True)
    if spec and "/" in spec or spec and os.path.isfile(spec):
        if not os.path.isfile(spec):
            raise KernelError(f"no kernel {spec}")
        if not spec.endswith(".deb"):
            return Kernel(image_version(spec), spec)
    if spec and spec.endswith(".deb"):
        return from_package(spec, cache)
    version = spec or (module_version(module) if module else stock_version())
    return from_package(package.download(f"linux-image-{version}", cache), cache)
