#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The part of a client test that runs inside the VMX host.
#
# usage: in-vm.sh DEVICE seabios MACHINE... -- QEMU ARGS...
#        in-vm.sh DEVICE linux|gdb -- QEMU ARGS...
#
#   seabios  each MACHINE must get as far as having no boot device
#   linux    the guest's shell must run a command and power the machine off
#   gdb      a debugger must step, break and watch, and the guest still boot
#
# DEVICE is made known as /dev/kvm, which QEMU 7.2 can't be told otherwise.
# exit status: 0 as it should be, 1 not
set -eu

device=$1 what=$2
shift 2
machines=
while [ "$1" != -- ]; do
	machines="$machines $1"
	shift
done
shift
[ "$device" = /dev/kvm ] || ln -sf "$device" /dev/kvm
cd /tmp

seconds() {
	cut -d. -f1 /proc/uptime
}

# Waits for $1 in the file $2 while process $3 lives.
await() {
	until grep -q "$1" "$2" 2>/dev/null; do
		kill -0 "$3" 2>/dev/null || return 1
		sleep 0.2
	done
}

seabios() {
	start=$(seconds)
	"$@" -M "$machine" -display none -nic none -m 64 -no-reboot \
		-chardev file,id=log,path=bios.log \
		-device isa-debugcon,iobase=0x402,chardev=log >qemu.log 2>&1 &
	if await "No bootable device" bios.log $!; then
		echo "ok: $machine: no bootable device, $(($(seconds) - start)) s"
		kill $!
		wait $! || true
		rm -f bios.log
	else
		echo "not ok: $machine"
		cat bios.log qemu.log
		exit 1
	fi
}

linux() {
	mkfifo typed
	# Held open: QEMU must not see an end of file.
	"$@" -display none -nic none -m 256 -no-reboot -serial stdio \
		-kernel /vm/vmlinux -initrd /vm/initrd \
		-append "console=ttyS0 nokaslr cryptomgr.notests mitigations=off panic=-1 $APPEND" \
		<>typed >console.log 2>&1 &
	qemu=$!
	tail -n +1 -f console.log &
	tail=$!
	await "guest ready" console.log $qemu || exit 1
	# shellcheck disable=SC2016 # the guest's shell expands it
	echo 'echo answer=$((6 * 7)); poweroff -f' >typed
	wait $qemu
	kill $tail
	grep -q '^answer=42' console.log
	echo "ok: the guest ran a command and powered off"
}

# The kernel's first instruction in 64-bit mode is at 16M.
debug() {
	cat >script <<-'END'
		set pagination off
		set confirm off
		set remotetimeout 100
		set architecture i386:x86-64
		target remote /tmp/gdb.sock
		stepi
		printf "stepped to %lx:%lx\n", $cs_base, $rip
		stepi
		printf "stepped to %lx:%lx\n", $cs_base, $rip
		hbreak *0x1000000
		continue
		printf "stopped at %lx\n", $rip
		stepi
		printf "behind it %d bytes\n", $rip - 0x1000000
		delete
		break *$rip
		delete
		detach
	END
	mkfifo typed
	"$@" -display none -nic none -m 256 -no-reboot -serial stdio -S \
		-chardev socket,id=gdb,path=/tmp/gdb.sock,server=on,wait=off \
		-gdb chardev:gdb -kernel /vm/vmlinux -initrd /vm/initrd \
		-append "console=ttyS0 nokaslr cryptomgr.notests mitigations=off panic=-1 quiet" \
		<>typed >console.log 2>&1 &
	qemu=$!
	trap 'kill $qemu' EXIT
	sleep 3
	/vm/gdb -nx -batch -x script >gdb.log 2>&1 || true
	cat gdb.log
	grep -q '^stepped to ffff0000:e05b\|^stepped to f0000:e05b' gdb.log
	grep -q '^stopped at 1000000' gdb.log
	grep -q '^behind it [1-9]' gdb.log
	await "guest ready" console.log $qemu || exit 1
	echo 'poweroff -f' >typed
	wait $qemu
	trap - EXIT
	echo "ok: gdb stepped and stopped the guest, which then booted"
}

case $what in
seabios)
	for machine in $machines; do
		seabios "$@"
	done
	;;
gdb)
	debug "$@"
	;;
linux)
	APPEND=${APPEND:-}
	linux "$@"
	;;
esac
