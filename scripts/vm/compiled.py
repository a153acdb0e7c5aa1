# SPDX-License-Identifier: GPL-2.0
"""What the proving ground has in C and assembly: compiled once per source."""

import hashlib
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
WARNINGS = "-Wall -Wextra "
RECIPES = {     # name: flags, sources
    "loader": (WARNINGS + "-m32 -Os -ffreestanding -fno-pic -fno-stack-protector "
               "-fno-asynchronous-unwind-tables -mgeneral-regs-only "
               "-nostdlib -static -no-pie -Wl,--build-id=none,"
               "-Ttext=0x7c00,--oformat=binary,-e,_start", ("boot.S", "load.c")),
    "init": (WARNINGS + "-O2 -static", ("init.c",)),
    "bochs_smp": (WARNINGS + "-O2 -shared -fPIC", ("bochs_smp.c",)),
}


def path(name, cache):
    """The compiled file; its name holds the hash of flags and sources."""
    flags, sources = RECIPES[name]
    paths = [os.path.join(HERE, s) for s in sources]
    digest = hashlib.sha256(flags.encode())
    for source in paths:
        with open(source, "rb") as f:
            digest.update(f.read())
    out = os.path.join(cache, f"{name}-{digest.hexdigest()[:16]}")
    if not os.path.exists(out):
        fresh = f"{out}.{os.getpid()}"
        subprocess.run(["gcc", *flags.split(), *paths, "-o", fresh], check=True)
        os.rename(fresh, out)
    return out
