# SPDX-License-Identifier: GPL-2.0
"""The guest's file system: busybox, init, the command, its files and libraries."""

import os
import re
import subprocess
import tempfile

import compiled
import image
import kernel
import package

GUEST_HOME = "/root"


def busybox(cache):
    """A static busybox: the installed one, else Debian's, unpacked."""
    path = "/bin/busybox"
    if os.path.isfile(path) and not libraries(path):
        return path
    root = kernel.unpack(package.download("busybox-static", cache), cache, "bin")
    return os.path.join(root, "bin/busybox")


def libraries(path):
    """Shared libraries of an ELF file, by the paths it is linked to."""
    with open(path, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return []
    try:
        shown = subprocess.run(["ldd", path], text=True, check=False,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    except FileNotFoundError:       # a system without it has no libraries
        return []
    return re.findall(r"(/\S+) \(0x", shown.stdout)


def without_debug(path):
    """A file's bytes; of an ELF file, less what debuggers and BPF programs read."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] != b"\x7fELF" or \
       not (b".debug_info\0" in data or b".BTF\0" in data):
        return data
    fd, stripped = tempfile.mkstemp()
    os.close(fd)
    try:
        subprocess.run(["strip", "-g", "-R", ".BTF", "-o", stripped, path], check=True)
        with open(stripped, "rb") as f:
            return f.read()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return data
    finally:
        os.unlink(stripped)


def interpreter(path):
    """What a script asks to be run by, unless busybox has it."""
    with open(path, "rb") as f:
        match = re.match(rb"#!\s*(/\S+)", f.readline(256))
    name = match.group(1).decode() if match else "/bin/sh"
    return None if name == "/bin/sh" else name


class Initramfs:
    """Collects files and orders; bytes() is the archive."""

    def __init__(self, cache):
        self.cpio = image.Cpio()
        self.orders = []
        self.have = set()
        for path in ("proc", "sys", "dev", "tmp", "run", "root", "etc",
                     "usr/bin", "usr/sbin", "sbin"):
            self.cpio.directory(path)
        self.cpio.device("dev/console", 5, 1)
        self.cpio.device("dev/null", 1, 3)
        self.cpio.data("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
        self.cpio.data("etc/group", b"root:x:0:\n")
        self.add_busybox(busybox(cache))
        self.cpio.file("init", compiled.path("init", cache))

    def add_busybox(self, path):
        self.cpio.file("bin/busybox", path)
        shown = subprocess.run([path, "--list"], stdout=subprocess.PIPE,
                               text=True, check=True)
        for applet in shown.stdout.split():
            if applet != "busybox":
                self.cpio.symlink(f"bin/{applet}", "/bin/busybox")

    def file(self, dest, source):
        """Adds one file, without what it may need."""
        self.cpio.data(dest, without_debug(source),
                       0o755 if os.access(source, os.X_OK) else 0o644)

    def add(self, source, dest=None):
        """Adds a file or a directory, with shared libraries and interpreter."""
        dest = dest or os.path.join(GUEST_HOME, os.path.basename(
            source.rstrip("/")))
        if os.path.isdir(source):
            self.cpio.directory(dest)
            for entry in sorted(os.listdir(source)):
                self.add(os.path.join(source, entry), os.path.join(dest, entry))
            return dest
        if dest in self.have:
            return dest
        self.have.add(dest)
        self.file(dest, source)
        for needed in (*libraries(source), interpreter(source)):
            if needed and os.path.isfile(needed) and \
               not needed.startswith("/bin/busybox"):
                self.add(needed, needed)
        return dest

    def order(self, key, *words):
        self.orders.append(" ".join((key, *words)))

    def bytes(self):
        data = "\0".join((*self.orders, "")).encode()
        self.cpio.data("orders", data)
        return self.cpio.bytes()
