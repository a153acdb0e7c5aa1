#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vpid_test with pools of 1 to 4 VPIDs, where exhaustion is within reach. Passes only
# if the test of exhaustion ran, and every id is back when no VM is left.
#
#   vpid_pool_test.sh    prints TAP
#
# Needs: root, the module loaded and not in use, its file in VTX_KO (default
# /lib/modules/vtx.ko), vpid_test beside this script.
# Exit codes: 0 passed, 1 failed, 4 skipped

here=$(cd "$(dirname "$0")" && pwd) || exit 1
ko=${VTX_KO:-/lib/modules/vtx.ko}
number=0 status=0

if [ "$1" = -h ]; then
	sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
	exit 0
fi
if [ ! -r "$ko" ] || [ "$(cat /sys/module/vtx/parameters/vpid)" != Y ]; then
	echo "1..0 # SKIP no vtx.ko to load, or VPIDs are off"
	exit 4
fi

exhaustion=exhausted_pool_gives_vcpus_without_vpid_and_recovers
tlb=/sys/kernel/debug/vtx/tlb

# in_use: all ids are back, and the pool has been full; prints what it found
in_use()
{
	[ -r $tlb ] || mount -t debugfs debugfs /sys/kernel/debug || return 1
	grep '^vpids ' $tlb
	awk '/^vpids / { exit !($4 == 0 && $6 == $2 && $8 > 0) }' $tlb
}

# run NAME ARGS...: vpid_test with the module loaded so
run()
{
	name=$1
	shift
	number=$((number + 1))
	if rmmod vtx && insmod "$ko" "$@" &&
	   STORM=200 "$here/vpid_test" >/tmp/vpid_pool.$$ 2>&1 &&
	   grep "^ok .*$exhaustion" /tmp/vpid_pool.$$ | grep -qv SKIP &&
	   in_use >>/tmp/vpid_pool.$$; then
		echo "ok $number $name"
	else
		sed 's/^/# /' /tmp/vpid_pool.$$
		echo "not ok $number $name"
		status=1
	fi
	rm -f /tmp/vpid_pool.$$
}

echo "TAP version 13"
for ids in 1 2 3 4; do
	run "pool_of_$ids" "vpid_ids=$ids"
done
rmmod vtx && insmod "$ko" || status=1
echo "1..$number"
exit $status
