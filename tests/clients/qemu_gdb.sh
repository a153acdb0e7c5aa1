#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# gdb attached to QEMU's stub stops the nested guest at a breakpoint, steps,
# and lets it go on to its shell.
#
# usage: tests/clients/qemu_gdb.sh [-h]
# needs: Debian packages qemu-system-x86, seabios and the network; vtx.ko built
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac

qemu=$(command -v qemu-system-x86_64) || die "no qemu-system-x86_64: apt-get install qemu-system-x86"
# gdb without Python, which would need its library in the host.
gdb=$top/build/cache/gdb-minimal
if [ ! -x "$gdb/usr/bin/gdb" ]; then
	mkdir -p "$gdb"
	(cd "$gdb" && apt-get -qq -o APT::Sandbox::User=root download gdb-minimal &&
		dpkg -x gdb-minimal_*.deb .)
fi
qemu_files "$qemu" /usr/share/qemu
guest_files
files+=(-f "$gdb/usr/bin/gdb:/vm/gdb")
in_vm gdb -- /vm/qemu -M pc -accel kvm,kernel-irqchip=off -cpu qemu64 \
	-L /usr/share/qemu
