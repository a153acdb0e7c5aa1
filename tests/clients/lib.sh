# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the client tests share: which files go into the VMX host, how it starts.
#
# environment: VTX_DEV=/dev/kvm runs the same on the kernel's own KVM
#              GUEST_KERNEL=FILE boots this one: a vmlinux or a bzImage, which unpacks
#              itself first, for minutes

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
clients=$top/tests/clients
guest=$top/build/clients
device=${VTX_DEV:-/dev/vtx}

"$top/scripts/install-deps" clients

# Options of run-vm for a QEMU binary, its firmware and the guest; $1 is where
# its data files are, on this machine, and must be in the same place in there.
qemu_files() {
	local qemu=$1 data=$2 rom
	files=(-f "$qemu:/vm/qemu" -f "$clients/in-vm.sh:/vm/in-vm.sh")
	for rom in kvmvapic.bin linuxboot_dma.bin pvh.bin; do
		files+=(-f "$data/$rom:/usr/share/qemu/$rom")
	done
	for rom in bios.bin bios-256k.bin vgabios-stdvga.bin vgabios-isavga.bin; do
		files+=(-f "${3:-/usr/share/seabios}/$rom:/usr/share/qemu/$rom")
	done
}

# in_vm ARGS...: in-vm.sh with DEVICE and ARGS, on the terminal if $interactive
in_vm() {
	local load=()
	[ "$device" != /dev/kvm ] || load=(-k kvm_intel --no-load)
	MEM=${MEM:-2048} TIMEOUT=${TIMEOUT:-900} "$top/scripts/run-vm" \
		${interactive:+"$interactive"} "${load[@]}" "${files[@]}" \
		sh /vm/in-vm.sh "$device" "$@"
}

guest_files() {
	"$clients/make-guest" "$guest"
	files+=(-f "${GUEST_KERNEL:-$guest/vmlinux}:/vm/vmlinux" -f "$guest/initrd:/vm/initrd")
}
