#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU 10.0 of bookworm-backports, which opens /dev/vtx by its own name, boots
# Debian's stock kernel to a shell, which runs a command and powers off.
#
# usage: tests/clients/qemu10_linux.sh [-h] [QEMU ARGS...]
# needs: what fetch-qemu10 needs; vtx.ko built
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac

"$clients/fetch-qemu10"
root=$top/build/cache/qemu10/usr
qemu_files "$root/bin/qemu-system-x86_64" "$root/share/qemu" "$root/share/seabios"
guest_files
# Without an APIC for the CPU QEMU 10 has no objection to kernel-irqchip=off.
in_vm linux -- /vm/qemu -accel "kvm,device=$device" -M pc,kernel-irqchip=off \
	-cpu qemu64,-apic -L /usr/share/qemu "$@"
