# SPDX-License-Identifier: GPL-2.0
"""A VMX host inside KVM inside Bochs: run-vm that is run by run-vm.

Bochs runs Debian's kernel with kvm_intel; in it this very script tree finds
that /dev/kvm gives guests VMX, chooses QEMU and starts Debian's kernel again.
"""

import os
import subprocess

import compiled
import image
import kernel

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CACHE = os.path.join(TOP, "build/cache")
GUEST_TOP = "/root/vtx"
FIRMWARE = ("/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin",
            "/usr/share/qemu/linuxboot_dma.bin", "/usr/share/qemu/pvh.bin")
# Leaves IA32_FEAT_CTL alone, unlike SeaBIOS.
QBOOT = "/usr/share/qemu/qboot.rom"
QEMU = "/usr/bin/qemu-system-x86_64"


def _python_files():
    """The interpreter and the modules that run-vm imports, and no more."""
    shown = subprocess.run(
        ["/usr/bin/python3", "-c",
         "import sys; sys.path.insert(0, 'scripts/vm')\n"
         "import argparse, ctypes, fcntl, select, shutil, termios, tty\n"
         "import encodings.ascii, initramfs, machine, native\n"
         "print(sys.executable, *(m.__file__ for m in sys.modules.values()"
         " if getattr(m, '__file__', None)), sep='\\n')"],
        cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
    return [f for f in shown.stdout.split() if f.startswith("/usr/")]


def _vmlinux(guest):
    path = os.path.join(CACHE, f"vmlinux-{guest.version}")
    if not os.path.exists(path):
        with open(guest.image, "rb") as f:
            elf = image.extract_vmlinux(f.read())
        with open(path, "wb") as f:
            f.write(elf)
    return path


def run(script, files, timeout=600):
    """Runs a shell script beside kvm_intel in the outer guest.

    There, "$RUN_VM ..." is scripts/run-vm in QEMU with that kernel's image;
    files, paths below the top, are in $VTX_TOP. {name: path} of kvm_intel's
    modules is added to $VTX_TOP for the inner guest. Returns what subprocess.run()
    does.
    """
    guest = kernel.find(None, os.path.join(TOP, "vtx.ko"), CACHE)
    add = []
    for path in (*_python_files(), *FIRMWARE, QBOOT, QEMU):
        add += ["-f", f"{path}:{path}"]
    for path in (os.path.join(TOP, "scripts"), *files,
                 compiled.path("init", CACHE), compiled.path("loader", CACHE)):
        add += ["-f", f"{path}:{GUEST_TOP}/{os.path.relpath(path, TOP)}"]
    for name, path in guest.modules(["kvm_intel"]):
        add += ["-f", f"{path}:{GUEST_TOP}/{name}"]
    add += ["-f", f"{_vmlinux(guest)}:/root/vmlinux"]
    setup = (f"export KERNEL=/root/vmlinux VTX_TOP={GUEST_TOP} "
             f"RUN_VM={GUEST_TOP}/scripts/run-vm\n")
    return subprocess.run(
        [os.path.join(TOP, "scripts/run-vm"), "--host", "bochs", "--no-load",
         "-k", "kvm_intel", "--mem", "2048", "--timeout", str(timeout), *add,
         "sh", "-c", setup + script],
        stdout=subprocess.PIPE, text=True, check=False)
