#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The part of a client test that runs inside the VMX host.
#
# usage: in-vm.sh DEVICE seabios MACHINE... -- QEMU ARGS...
#        in-vm.sh DEVICE linux|gdb|shell -- QEMU ARGS...
#        in-vm.sh DEVICE small -- PROGRAM...
#
#   seabios  each MACHINE must get as far as having no boot device
#   linux    the guest must find the rate of its TSC, its shell run a command
#            and power the machine off
#   gdb      a debugger must step, break and watch, and the guest still boot
#   shell    the guest's console is the terminal's
#   small    each PROGRAM must print 4
#
# DEVICE is made known as /dev/kvm, which most programs can't be told otherwise.
# Prints one line "ok WHAT" or "not ok WHAT" for each thing it tries.
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

kernel_args="console=ttyS0 nokaslr cryptomgr.notests mitigations=off panic=-1"

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
		echo "ok $machine: no bootable device, $(($(seconds) - start)) s"
		kill $!
		wait $! || true
		rm -f bios.log
	else
		echo "not ok $machine: no bootable device"
		cat bios.log qemu.log
		exit 1
	fi
}

# QEMU with the guest, its console in console.log, its keyboard in typed.
start_guest() {
	mkfifo typed
	# Held open: QEMU must not see an end of file.
	"$@" -display none -nic none -m 256 -no-reboot -serial stdio \
		-kernel /vm/vmlinux -initrd /vm/initrd \
		-append "$kernel_args ${APPEND-}" <>typed >console.log 2>&1 &
	qemu=$!
	trap 'kill $qemu; wait $qemu || true' EXIT
}

# What the guest says of the TSC, in kHz, against what this kernel says: no more
# than an eighth apart. Linux measures for 10 ms and takes a reading for good that
# something delayed by up to 50000 cycles, which is 1 ms at the emulator's 50 MHz.
check_rate() {
	here=$(sed -n 's/^cpu MHz[^0-9]*//p' /proc/cpuinfo | head -n 1 | tr -d .)
	there=$(sed -n 's/.*tsc: Detected \([0-9.]*\) MHz.*/\1/p' console.log | tr -d .)
	refined=$(sed -n 's/.*tsc: Refined .*: \([0-9.]*\) MHz.*/\1/p' console.log | tr -d .)
	for rate in "$there" ${refined:-}; do
		off=$(((${rate:-0} - here) * 8))
		if [ ${off#-} -le "$here" ]; then
			echo "ok the guest finds a TSC of $rate kHz, here it is $here"
		else
			echo "not ok the guest finds a TSC of $rate kHz, here it is $here"
			exit 1
		fi
	done
}

# The console is shown as it comes, the results behind it.
linux() {
	start=$(seconds) booted=
	start_guest "$@"
	tail -n +1 -f console.log &
	tail=$!
	if await "guest ready" console.log $qemu; then
		booted=$(($(seconds) - start))
		# shellcheck disable=SC2016 # the guest's shell expands it
		echo 'echo answer=$((6 * 7)); poweroff -f' >typed
		wait $qemu
		trap - EXIT
	fi
	sleep 2
	kill $tail
	echo
	[ -n "$booted" ] || { echo "not ok boot"; exit 1; }
	echo "ok booted to its shell in $booted s"
	check_rate
	grep -q '^answer=42' console.log || { echo "not ok command"; exit 1; }
	echo "ok ran a command and powered off"
}

# The kernel's first instruction in 64-bit mode is at 16M. Bochs reports a step
# already when the instruction is met by an EPT violation, as the first one is.
debug() {
	cat >script <<-'END'
		set pagination off
		set confirm off
		set remotetimeout 100
		set architecture i386:x86-64
		target remote /tmp/gdb.sock
		printf "reset at %x:%x\n", $cs, $rip
		stepi
		if $rip == 0xfff0
			stepi
		end
		printf "stepped to %x:%x\n", $cs, $rip
		hbreak *0x1000000
		continue
		printf "hardware breakpoint at %x\n", $rip
		stepi
		printf "stepped on by %d\n", $rip - 0x1000000
		x/4i $rip
		break *$_
		set $want = $_
		continue
		printf "breakpoint off by %d\n", $rip - $want
		delete
		watch -l *(long *)($rsp - 8)
		continue
		printf "watchpoint at %x\n", $rip
		delete
		detach
	END
	start_guest "$@" -S -gdb chardev:gdb \
		-chardev socket,id=gdb,path=/tmp/gdb.sock,server=on,wait=off
	until [ -S gdb.sock ]; do
		kill -0 $qemu
		sleep 0.2
	done
	/vm/gdb -nx -batch -x script >gdb.log 2>&1 || true
	cat gdb.log
	while read -r line; do
		grep -qx "$line" gdb.log || { echo "not ok gdb: $line"; exit 1; }
		echo "ok gdb: $line"
	done <<-'END'
		reset at f000:fff0
		stepped to f000:e05b
		hardware breakpoint at 1000000
		stepped on by [1-9]
		breakpoint off by 0
		Hardware watchpoint .*
		New value = .*
		watchpoint at 10000[0-9a-f][0-9a-f]
	END
	await "guest ready" console.log $qemu || { echo "not ok boot"; exit 1; }
	echo 'poweroff -f' >typed
	wait $qemu
	trap - EXIT
	echo "ok the guest then booted to its shell"
}

# SeaBIOS, too, writes to the serial port if there are no graphics.
shell() {
	exec "$@" -M graphics=off -display none -nic none -m 256 -no-reboot \
		-serial mon:stdio -kernel /vm/vmlinux -initrd /vm/initrd \
		-append "$kernel_args ${APPEND-}"
}

small() {
	for program in "$@"; do
		if [ "$($program)" = 4 ]; then
			echo "ok $program prints 4"
		else
			echo "not ok $program prints 4"
			exit 1
		fi
	done
}

case $what in
seabios)
	for machine in $machines; do
		seabios "$@"
	done
	;;
linux | shell | small)
	$what "$@"
	;;
gdb)
	APPEND=quiet
	debug "$@"
	;;
esac
