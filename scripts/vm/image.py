# SPDX-License-Identifier: GPL-2.0
"""Images of the proving ground: cpio archives and the two disks load.c reads."""

import lzma
import os
import stat
import struct
import subprocess
import zlib

SECTOR = 512
MAGIC = 0x30787476
LBA_TABLE = 32
LBA_SEGMENTS = 64
LBA_INITRD = 16
MAX_SEGMENTS = 31
CHUNK = 65536
BSS = 32 << 20          # what a vmlinux may need behind its loaded bytes
CYLINDER = 16 * 63 * SECTOR


class ImageError(Exception):
    """An input is not what it should be."""


class Cpio:
    """An initramfs archive ("newc"); parents of every path come by themselves."""

    def __init__(self):
        self.parts = []
        self.seen = set()

    def _entry(self, path, mode, data=b"", rdev=(0, 0)):
        name = path.strip("/").encode() + b"\0"
        head = b"070701" + b"".join(
            b"%08X" % field
            for field in (len(self.parts), mode, 0, 0, 1, 0, len(data), 0, 0,
                          rdev[0], rdev[1], len(name), 0))
        for block in (head + name, data):
            self.parts.append(block + b"\0" * (-len(block) % 4))

    def directory(self, path):
        path = path.strip("/")
        if path and path not in self.seen:
            self.directory(os.path.dirname(path))
            self.seen.add(path)
            self._entry(path, stat.S_IFDIR | 0o755)

    def data(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path, stat.S_IFREG | mode, data)

    def file(self, path, source):
        with open(source, "rb") as f:
            mode = 0o755 if os.fstat(f.fileno()).st_mode & 0o111 else 0o644
            self.data(path, f.read(), mode)

    def symlink(self, path, target):
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor):
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def _filter(argv, data):
    try:
        return subprocess.run(argv, input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    except OSError as e:
        raise ImageError(f"the kernel needs {argv[0]} to unpack: {e}") from e


def extract_vmlinux(bzimage):
    """The ELF kernel inside a bzImage (boot protocol 2.08 and later)."""
    if bzimage[0x202:0x206] != b"HdrS":
        raise ImageError("not a bzImage")
    setup_sects = bzimage[0x1f1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sects + 1) * SECTOR + offset
    payload = bzimage[start:start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return _filter(["zstd", "-dcq"], payload[:-4])
    if payload.startswith(b"\x02\x21\x4c\x18"):
        return _filter(["lz4", "-dcq"], payload[:-4])
    if payload.startswith(b"\x7fELF"):
        return payload
    raise ImageError(f"unknown kernel compression {payload[:6].hex()}")


def _elf_loads(elf):
    """Entry point and [(physical address, bytes)] of the PT_LOAD headers."""
    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    count = struct.unpack_from("<H", elf, 56)[0]
    loads = []
    for i in range(count):
        kind, _, offset, _, paddr, size = struct.unpack_from(
            "<IIQQQQ", elf, phoff + 56 * i)
        if kind == 1:
            loads.append((paddr, elf[offset:offset + size]))
    return entry, loads


def _segments(loads):
    """Leaves out runs of zeros (memory is zero at power-on), merges the rest."""
    segments = []
    for paddr, data in loads:
        current = None
        for offset in range(0, len(data), CHUNK):
            chunk = data[offset:offset + CHUNK]
            if not chunk.strip(b"\0"):
                current = None
                continue
            if current is None:
                current = [paddr + offset, bytearray()]
                segments.append(current)
            current[1] += chunk
    segments.sort()
    while len(segments) > MAX_SEGMENTS:
        gaps = [segments[i + 1][0] - segments[i][0] - len(segments[i][1])
                for i in range(len(segments) - 1)]
        i = gaps.index(min(gaps))
        segments[i][1].extend(b"\0" * gaps[i] + segments[i + 1][1])
        del segments[i + 1]
    return segments


def _sectors(data):
    return -(-len(data) // SECTOR)


def _write_disk(path, parts):
    """parts: [(sector, bytes)]; whole cylinders, written under another name."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as f:
        for sector, data in parts:
            f.seek(sector * SECTOR)
            f.write(data)
        f.truncate(-(-f.seek(0, os.SEEK_END) // CYLINDER) * CYLINDER)
    os.rename(temporary, path)


def _boot_params(kernel, loads):
    """boot_params with the setup header, made up where there is none."""
    params = bytearray(4096)
    if kernel.startswith(b"\x7fELF"):
        start = min(paddr for paddr, _ in loads)
        room = max(paddr + len(data) for paddr, data in loads) - start + BSS
        struct.pack_into("<4sH", params, 0x202, b"HdrS", 0x20c)
        struct.pack_into("<QI", params, 0x258, start, room)
    else:
        end = 0x202 + kernel[0x201]
        params[0x1f1:end] = kernel[0x1f1:end]
    return params


def kernel_disk(path, kernel, loader):
    """Disk 0: loader, segment table, boot_params, kernel segments."""
    elf = kernel if kernel.startswith(b"\x7fELF") else extract_vmlinux(kernel)
    entry, loads = _elf_loads(elf)
    if len(loader) > LBA_TABLE * SECTOR:
        raise ImageError("the loader outgrew its sectors")
    params = _boot_params(kernel, loads)
    segments = _segments(loads)
    table = struct.pack("<IIII", MAGIC, len(segments), entry & 0xffffffff, 0)
    parts = [(0, loader), (LBA_TABLE + 1, params)]
    sector = LBA_SEGMENTS
    for address, data in segments:
        table += struct.pack("<IIII", sector, _sectors(data), address, 0)
        parts.append((sector, data))
        sector += _sectors(data)
    parts.append((LBA_TABLE, table))
    _write_disk(path, parts)


def data_disk(path, cmdline, initrd):
    """Disk 1: command line and initramfs."""
    text = cmdline.encode()
    if len(text) > 2047:
        raise ImageError("kernel command line too long")
    head = struct.pack("<II", MAGIC, len(initrd))
    _write_disk(path, [(0, head), (1, text), (LBA_INITRD, initrd)])


def disk_cylinders(path):
    return os.path.getsize(path) // CYLINDER
