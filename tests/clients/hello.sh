#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A program written for /dev/kvm, after the article "Using the KVM API", runs
# through a symbolic link of that name, and on the device itself.
#
# usage: tests/clients/hello.sh [-h]
# needs: vtx.ko and build/tests/hello built (make -C tests demos)
# exit status: 0 passed, 1 failed
set -euo pipefail
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in
-h | --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac

files=(-f "$top/build/tests/hello:/vm/hello" -f "$clients/in-vm.sh:/vm/in-vm.sh")
MEM=512 in_vm small -- "/vm/hello /dev/kvm" "/vm/hello $device"
