#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loading and unloading the module: parameters, who keeps it loaded, many cycles.
#
#   load_test.sh               the tests below, in TAP; the module ends up loaded as it was
#   load_test.sh refuse TEXT   insmod must fail, and one line from vtx must contain TEXT
#
# Needs: root, no user of /dev/vtx, the module as VTX_KO, /lib/modules/vtx.ko,
# ../vtx.ko beside this script's folder, or known to modprobe.
# Exit codes: 0 all passed, 1 something failed, 2 usage, 4 cannot run here.

here=$(cd "$(dirname "$0")" && pwd) || exit 2
parameters=/sys/module/vtx/parameters
modules=/lib/modules	# where run-vm puts what is carried along
cycles=${LOAD_CYCLES:-4}
number=0 failed=0

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 4
}

find_module()
{
	for ko in "${VTX_KO:-}" /lib/modules/vtx.ko "$here/../vtx.ko" "$here/../../vtx.ko" \
		"$(modinfo -n vtx 2>/dev/null)"; do
		[ -z "$ko" ] || [ ! -r "$ko" ] || return 0
	done
	skip_all "no vtx.ko"
}

load()
{
	insmod "$ko" "$@" 2>/dev/null
}

loaded()
{
	[ -d /sys/module/vtx ]
}

# A name of our own in the kernel's log, to read from there.
mark()
{
	marker="vtx load_test $$.$number"
	echo "$marker" >/dev/kmsg
}

log_since_mark()
{
	dmesg | awk -v m="$marker" 'found { print } index($0, m) { found = 1 }'
}

# A virtual machine runs: the smallest of the test programs, if it is here.
machine_works()
{
	if [ -x "$here/hello" ]; then
		[ "$("$here/hello")" = 4 ]
	else
		"$here/run_test" >/dev/null 2>&1
	fi
}

# check NAME COMMAND...: one test
check()
{
	name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=$((failed + 1))
	fi
}

# skip NAME WHY
skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

parameters_tell_the_truth()
{
	[ "$(cat $parameters/ept)" = Y ] && [ "$(cat $parameters/unrestricted_guest)" = Y ] &&
		[ "$(cat $parameters/vpid)" = "${vpid:-Y}" ]
}

parameters_cannot_be_written()
{
	for p in ept unrestricted_guest vpid; do
		! echo 0 2>/dev/null >"$parameters/$p" || return 1
	done
	parameters_tell_the_truth
}

load_is_told_in_one_line()
{
	rmmod vtx && mark && load && log_since_mark >"/tmp/load.$$" || return 1
	lines=$(grep -c ' vtx: loaded: ' "/tmp/load.$$")
	line=$(grep ' vtx: loaded: ' "/tmp/load.$$")
	rm -f "/tmp/load.$$"
	[ "$lines" = 1 ] && case $line in *EPT*unrestricted*VPID*) true ;; *) false ;; esac
}

# off_with PARAMETER: VPIDs are off, and the log says that it is the reason
off_with()
{
	rmmod vtx && mark && load "$1" && [ "$(cat $parameters/vpid)" = N ] &&
		log_since_mark | grep -q "VPID off: $1\$" && machine_works &&
		rmmod vtx && load
}

vpid_0_turns_vpids_off()
{
	off_with vpid=0
}

vpid_ids_0_turns_vpids_off()
{
	off_with vpid_ids=0
}

vpid_ids_beyond_16_bits_are_refused()
{
	rmmod vtx && mark || return 1
	if load vpid_ids=65536; then
		return 1
	fi
	! loaded && log_since_mark | grep -q ' vtx: refused: vpid_ids=65536' && load
}

unknown_value_is_refused()
{
	rmmod vtx || return 1
	if load vpid=perhaps; then
		return 1
	fi
	! loaded && load
}

second_load_fails()
{
	! load && loaded && machine_works
}

# Told, not settable.
required_feature_cannot_be_turned_off()
{
	rmmod vtx || return 1
	for p in ept unrestricted_guest; do
		mark
		! load $p=0 && ! loaded && log_since_mark | grep -q "vtx: refused: .*$p=0" ||
			return 1
	done
	load ept=1 unrestricted_guest=1 && machine_works
}

# The module comes, is refused by name, and vtx goes on. KVM itself is loaded.
kvm_intel_is_refused()
{
	mark
	! insmod $modules/kvm_intel.ko 2>/dev/null && [ ! -d /sys/module/kvm_intel ] &&
		log_since_mark | grep -q "vtx: kvm_intel can't be loaded beside vtx" &&
		machine_works
}

# The other way round: -EBUSY, and one line that names the cause. Busybox tries
# each of the two system calls that load a module.
kvm_intel_keeps_it_out()
{
	rmmod vtx && insmod $modules/kvm_intel.ko || return 1
	mark
	insmod "$ko" 2>&1 | grep -q 'Device or resource busy' && ! loaded &&
		[ "$(log_since_mark | grep ' vtx: ' | sed 's/^[^]]*\] //' | sort -u)" = \
			'vtx: refused: kvm_intel is loaded; run "rmmod kvm_intel" first' ]
	refused=$?
	rmmod kvm_intel
	load && [ $refused -eq 0 ] && machine_works
}

# refused_beside MODULE TEXT: what it leaves to see keeps vtx out. CPUs that have VMX
# on by then have it off again, or the load after it would find them taken.
refused_beside()
{
	rmmod vtx && insmod "$here/$1.ko" || return 1
	mark
	! load && ! loaded && log_since_mark | grep -q "vtx: refused: $2"
	refused=$?
	rmmod "$1"
	load && [ $refused -eq 0 ] && machine_works
}

open_device_keeps_it_loaded()
{
	exec 9<>/dev/vtx || return 1
	! rmmod vtx 2>/dev/null && loaded
	kept=$?
	exec 9>&-
	[ $kept -eq 0 ] && rmmod vtx && load
}

unload_takes_everything_away()
{
	rmmod vtx && ! loaded && [ ! -e /dev/vtx ] && ! grep -qw vtx /proc/modules &&
		! grep -qw vtx /proc/misc && load
}

cycles_leave_it_working()
{
	i=0
	while [ $i -lt "$cycles" ]; do
		rmmod vtx && load || return 1
		[ $((i % 4)) -ne 0 ] || machine_works || return 1
		i=$((i + 1))
	done
	machine_works
}

# Whoever opens the device while it goes gets an error or keeps it.
cycles_race_with_open()
{
	# Not <>: where the device is gone, that would make a file in its place. Not
	# the special built-in ":", with which a failing redirection ends the shell.
	(while :; do true </dev/vtx; done) 2>/dev/null &
	opener=$!
	i=0
	while [ $i -lt "$cycles" ]; do
		rmmod vtx 2>/dev/null
		loaded || load
		i=$((i + 1))
	done
	kill $opener
	raced=$?
	wait $opener 2>/dev/null
	loaded || load
	[ $raced -eq 0 ] && machine_works
}

cpu_that_comes_later_is_served()
{
	online=/sys/devices/system/cpu/cpu1/online
	echo 0 >$online && rmmod vtx && load && echo 1 >$online && machine_works &&
		rmmod vtx && echo 0 >$online && load && echo 1 >$online && machine_works
	result=$?
	echo 1 >$online
	return $result
}

refuse()
{
	mark
	if load; then
		echo "not ok 1 refused: it loaded"
		rmmod vtx
		exit 1
	fi
	log_since_mark | grep ' vtx: ' | grep -vE 'out-of-tree|verification failed' >"/tmp/load.$$"
	lines=$(sort -u "/tmp/load.$$" | sed 's/^\[[^]]*\] *//' | sort -u | wc -l)
	found=$(grep -c "$1" "/tmp/load.$$")
	sed 's/^/# /' "/tmp/load.$$"
	rm -f "/tmp/load.$$"
	if [ "$lines" -ne 1 ] || [ "$found" -lt 1 ]; then
		echo "not ok 1 refused with \"$1\""
		exit 1
	fi
	echo "ok 1 refused with \"$1\""
	exit 0
}

case ${1:-} in
-h | --help)
	sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
	exit
	;;
refuse)
	[ $# -eq 2 ] || exit 2
	find_module
	echo "TAP version 13"
	echo "1..1"
	refuse "$2"
	;;
'') ;;
*) exit 2 ;;
esac

echo "TAP version 13"
[ "$(id -u)" = 0 ] || skip_all "not root"
case ${VTX_DEV:-/dev/vtx} in /dev/vtx) ;; *) skip_all "the device is not ours" ;; esac
find_module
loaded || skip_all "vtx is not loaded"
[ "$(cat /sys/module/vtx/refcnt)" = 0 ] || skip_all "vtx is in use"
vpid=$(cat $parameters/vpid)

check module_parameters_tell_the_truth parameters_tell_the_truth
check module_parameters_cannot_be_written parameters_cannot_be_written
vpid=Y
check module_load_is_told_in_one_line load_is_told_in_one_line
check module_vpid_0_turns_vpids_off vpid_0_turns_vpids_off
check module_vpid_ids_0_turns_vpids_off vpid_ids_0_turns_vpids_off
check module_vpid_ids_beyond_16_bits_are_refused vpid_ids_beyond_16_bits_are_refused
check module_unknown_value_is_refused unknown_value_is_refused
check module_required_feature_cannot_be_turned_off required_feature_cannot_be_turned_off
if [ -r $modules/kvm_intel.ko ] && [ ! -d /sys/module/kvm ]; then
	insmod $modules/irqbypass.ko && insmod $modules/kvm.ko
	check module_kvm_intel_is_refused kvm_intel_is_refused
	check module_kvm_intel_keeps_it_out kvm_intel_keeps_it_out
	rmmod kvm irqbypass
else
	skip module_kvm_intel_is_refused "no $modules/kvm_intel.ko, or KVM is loaded"
	skip module_kvm_intel_keeps_it_out "no $modules/kvm_intel.ko, or KVM is loaded"
fi
if [ -r "$here/foreign_vmxe.ko" ]; then
	check module_vmx_in_use_is_refused \
		refused_beside foreign_vmxe 'CPU [0-9]* is in VMX operation already'
else
	skip module_vmx_in_use_is_refused "no $here/foreign_vmxe.ko"
fi
if insmod "$here/pt_tracing.ko" 2>/dev/null; then
	rmmod pt_tracing
	check module_pt_tracing_is_refused refused_beside pt_tracing 'Intel PT is tracing'
else
	skip module_pt_tracing_is_refused "no $here/pt_tracing.ko, or a CPU that can't seem to trace"
fi
check module_second_load_fails second_load_fails
check module_open_device_keeps_it_loaded open_device_keeps_it_loaded
check module_unload_takes_everything_away unload_takes_everything_away
check module_cycles_leave_it_working cycles_leave_it_working
check module_cycles_race_with_open cycles_race_with_open
if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	check module_cpu_that_comes_later_is_served cpu_that_comes_later_is_served
else
	skip module_cpu_that_comes_later_is_served "one CPU"
fi
echo "1..$number"
[ "$failed" -eq 0 ]
