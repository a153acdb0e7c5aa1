#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU 7.2 of Debian 12: SeaBIOS to "No bootable device" on three machine types.
#
# usage: tests/clients/qemu72_seabios.sh [-h] [MACHINE...]
# needs: vtx.ko built; what scripts/install-deps clients installs
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac
[ $# -gt 0 ] || set -- pc q35 isapc

qemu_files /usr/bin/qemu-system-x86_64 /usr/share/qemu
in_vm seabios "$@" -- /vm/qemu -accel kvm,kernel-irqchip=off -L /usr/share/qemu
