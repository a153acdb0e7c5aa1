#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the tests of the loaded module and judges them: a test passes only if it
# says so in TAP, ends in time, exits 0 and leaves no splat in the kernel's log.
#
#   run.sh [-v] [TEST...]    TEST: a path, or a name beside this script; default all
#
# Needs: root, the module loaded, a POSIX shell (busybox will do), VTX_DEV if the
# device is not /dev/vtx. The timeout of each program is in the file settings.
# Exit codes: 0 all passed or skipped, 1 something failed, 2 usage.

here=$(cd "$(dirname "$0")" && pwd) || exit 2
timeout=45
# shellcheck source=/dev/null
[ ! -r "$here/settings" ] || . "$here/settings"
splats='WARNING: |BUG: |BUG at |Oops|general protection|Call Trace|INFO: task|rcu.*stall|soft lockup|hard LOCKUP|UBSAN'
splats="$splats|KASAN|KFENCE|KCSAN|unchecked MSR|Bad page|while atomic|possible .* lock|kmemleak: [1-9]"
verbose=
passed=0 failed=0 skipped=0 number=0 failures=

usage()
{
	sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
	exit "$1"
}

while getopts hv option; do
	case $option in
	h) usage 0 ;;
	v) verbose=1 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))

if [ $# -eq 0 ]; then
	set --
	for t in "$here"/*_test "$here"/*_test.sh; do
		[ ! -x "$t" ] || set -- "$@" "$t"
	done
fi
[ $# -gt 0 ] || { echo "run.sh: no tests beside $here/run.sh" >&2; exit 2; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# kill_session ID: ends what a timed-out test left behind; its children change
# their process group, but not their session.
kill_session()
{
	for stat in /proc/[0-9]*/stat; do
		read -r line <"$stat" || continue
		pid=${line%% *}
		# shellcheck disable=SC2086 # splits the fields behind the name on purpose
		set -- "$1" ${line##*) }
		[ "$5" != "$1" ] || kill -9 "$pid"
	done 2>/dev/null
}

# run_program PATH: its output goes to $work/out; gives its status, 124 on timeout.
run_program()
{
	setsid "$1" >"$work/out" 2>&1 &
	pid=$!
	( exec >/dev/null 2>&1; sleep "$timeout"; : >"$work/late"; kill -9 "$pid"; kill_session "$pid" ) &
	guard=$!
	wait "$pid" 2>/dev/null
	status=$?
	# Once late, the guard is still busy with what the test left behind.
	if [ -e "$work/late" ]; then
		status=124
	else
		kill "$guard" 2>/dev/null
	fi
	wait "$guard" 2>/dev/null
	rm -f "$work/late"
	return "$status"
}

# since_marker: the kernel's log after the line that mark wrote.
mark()
{
	marker="vtx-tests: $1 $$.$number"
	echo "$marker" >/dev/kmsg
}

since_marker()
{
	dmesg | awk -v m="$marker" 'found { print } index($0, m) { found = 1 }'
}

# The OOM killer shows a stack. Of the report that a test has announced, it is no
# splat.
without_announced()
{
	awk '/vtx-tests: an OOM report is to come/ { announced++ }
	     announced && / invoked oom-killer: / { announced--; inside = 1 }
	     /oom-kill:/ { inside = 0 }
	     !(inside && /Call Trace:$/)'
}

count()
{
	grep -cE "$1" "$work/out"
}

# verdict NAME STATUS: adds up the TAP lines; prints one line for the program.
verdict()
{
	ok=$(grep -E '^ok ' "$work/out" | grep -vc '# SKIP')
	not_ok=$(count '^not ok ')
	skip=$(count '^ok .*# SKIP')
	why=
	if [ "$2" -eq 4 ] && [ $((ok + not_ok + skip)) -eq 0 ]; then
		skip=1
	elif [ "$2" -eq 124 ]; then
		not_ok=$((not_ok + 1)) why="timeout after $timeout s"
	elif [ "$2" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		not_ok=1 why="exit status $2"
	elif [ $((ok + not_ok + skip)) -eq 0 ]; then
		not_ok=1 why="no results"
	fi
	since_marker | without_announced >"$work/dmesg"
	if grep -qE "$splats" "$work/dmesg"; then
		not_ok=$((not_ok + 1)) why="${why:+$why, }kernel log:"
		sed 's/^/# /' "$work/dmesg"
	fi
	passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skip))
	if [ "$not_ok" -eq 0 ]; then
		echo "ok $number $1 # $ok passed, $skip skipped"
	else
		failures="$failures $1"
		echo "not ok $number $1 # $ok passed, $not_ok failed, $skip skipped${why:+: $why}"
	fi
}

echo "TAP version 13"
echo "1..$#"
for t; do
	case $t in */*) ;; *) t=$here/$t ;; esac
	name=$(basename "$t")
	number=$((number + 1))
	mark "$name"
	run_program "$t"
	status=$?
	if [ -n "$verbose" ] || [ "$status" -ne 0 ]; then
		sed 's/^/# /' "$work/out"
	else
		grep -E '^(not ok|ok)' "$work/out" | sed 's/^/# /'
	fi
	verdict "$name" "$status"
done
[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
