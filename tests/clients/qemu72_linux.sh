#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU 7.2 of Debian 12 boots Debian's stock kernel to a shell, which runs a
# command and powers off.
#
# usage: tests/clients/qemu72_linux.sh [-h] [QEMU ARGS...]
# needs: vtx.ko built; what scripts/install-deps clients installs
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac

qemu_files /usr/bin/qemu-system-x86_64 /usr/share/qemu
guest_files
in_vm linux -- /vm/qemu -M pc -accel kvm,kernel-irqchip=off -cpu qemu64 \
	-L /usr/share/qemu "$@"
