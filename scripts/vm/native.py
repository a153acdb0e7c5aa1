# SPDX-License-Identifier: GPL-2.0
"""HOST=native: the command on this very machine, with vtx.ko loaded."""

import os
import subprocess
import sys

import machine


class NativeError(Exception):
    """This machine cannot run it."""


def _new_messages(kmsg):
    lines = []
    while True:
        try:
            record = os.read(kmsg, 8192).decode(errors="replace")
        except BlockingIOError:
            return lines
        except BrokenPipeError:
            continue
        lines.append(record.partition(";")[2].splitlines()[0])


def run(options):
    """Loads vtx.ko, runs the command, unloads it; judges the new messages."""
    if os.geteuid():
        raise NativeError("HOST=native needs root")
    if any(":" in spec for spec in options.files):
        raise NativeError("HOST=native copies no files: -f FILE:DEST is for "
                          "a guest")
    kmsg = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(kmsg, 0, os.SEEK_END)
    for name in options.modules:
        subprocess.run(["modprobe", name], check=True)
    if not options.no_load:
        subprocess.run(["insmod", options.module,
                        *options.load_args.split()], check=True)
    busy = 0
    try:
        status = subprocess.run(options.command, check=False,
                                timeout=options.timeout).returncode
    except subprocess.TimeoutExpired:
        status = 124
    finally:
        if not options.no_load:
            busy = subprocess.run(["rmmod", "vtx"], check=False).returncode
    messages = _new_messages(kmsg)
    os.close(kmsg)
    if busy or machine.splats(messages):
        sys.stderr.writelines(line + "\n" for line in messages)
        return 126
    return status if status >= 0 else 128 - status
