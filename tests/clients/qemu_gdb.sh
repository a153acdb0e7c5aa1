#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# gdb attached to QEMU's stub stops the nested guest at a breakpoint, steps,
# and lets it go on to its shell.
#
# usage: tests/clients/qemu_gdb.sh [-h]
# needs: vtx.ko built; what scripts/install-deps clients installs
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac

# gdb without Python, which would need its library in the host.
gdb=$top/build/cache/gdb-minimal
[ -x "$gdb/usr/bin/gdb" ] || dpkg -x "$top"/build/cache/gdb-minimal_*.deb "$gdb"
qemu_files /usr/bin/qemu-system-x86_64 /usr/share/qemu
guest_files
files+=(-f "$gdb/usr/bin/gdb:/vm/gdb")
in_vm gdb -- /vm/qemu -M pc -accel kvm,kernel-irqchip=off -cpu qemu64 \
	-L /usr/share/qemu
