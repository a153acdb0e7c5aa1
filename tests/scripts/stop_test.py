# SPDX-License-Identifier: GPL-2.0
"""One Ctrl-C ends "make check": scripts/check-all with lanes that would rather not."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Takes Ctrl-C for nothing, as a program may that has its own idea of it.
STUBBORN = """#!/bin/bash
trap '' INT
echo "$$ $0 $*" >>"$STARTED"
while :; do sleep 0.1; done
"""
DONE = """#!/bin/bash
echo "ok 1"
"""


class StopTest(unittest.TestCase):
    def setUp(self):
        self.tree = tempfile.TemporaryDirectory()
        self.addCleanup(self.tree.cleanup)
        self.started = os.path.join(self.tree.name, "started")
        with open(os.path.join(TOP, "scripts/check-all"), encoding="utf-8") as f:
            self.write("scripts/check-all", f.read())
        for name in ("scripts/install-deps", "scripts/kdir"):
            self.write(name, DONE)

    def write(self, name, text):
        path = os.path.join(self.tree.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def wait_for(self, condition):
        for _ in range(100):
            if condition():
                return True
            time.sleep(0.1)
        return False

    def lanes(self):
        if not os.path.exists(self.started):
            return []
        with open(self.started, encoding="utf-8") as f:
            return [line.split(" ", 1) for line in f.read().splitlines()]

    def kill_lanes(self):
        for pid, _ in self.lanes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def stop(self, make, lane, number, lanes):
        """Starts all, waits for so many lanes, and types Ctrl-C, as it were."""
        self.write("bin/make", make)
        for name in ("scripts/check", "scripts/check-door", "scripts/check-kernels",
                     "scripts/check-vm", "tests/scripts/run"):
            self.write(name, lane)
        path = os.path.join(self.tree.name, "bin") + ":" + os.environ["PATH"]
        check = subprocess.Popen(
            ["scripts/check-all"], cwd=self.tree.name, start_new_session=True,
            env={**os.environ, "PATH": path, "STARTED": self.started},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(self.kill_lanes)
        self.addCleanup(check.kill)
        self.assertTrue(self.wait_for(lambda: len(self.lanes()) == lanes))
        os.killpg(check.pid, number)
        try:
            self.assertEqual(check.wait(5), -number)
        except subprocess.TimeoutExpired:
            self.fail(f"still there after 5 s, and {len(self.lanes())} lanes")
        pids = [pid for pid, _ in self.lanes()]
        self.assertEqual(len(pids), lanes, "another lane was started")
        self.assertTrue(self.wait_for(lambda: not any(
            os.path.exists(f"/proc/{pid}") for pid in pids)), "a lane runs on")

    def test_one_lane(self):
        """Ctrl-C ends make check in its first lane, and what it has started"""
        self.stop(STUBBORN, STUBBORN, signal.SIGINT, 1)

    def test_two_lanes(self):
        """Ctrl-C ends make check where two lanes run side by side"""
        self.write("bin/make.stubborn", STUBBORN)
        self.stop(DONE.replace("echo", '[[ $* != *unit* ]] || exec "$0.stubborn"\necho'),
                  STUBBORN, signal.SIGINT, 2)

    def test_terminated(self):
        """SIGTERM does, too"""
        self.stop(STUBBORN, STUBBORN, signal.SIGTERM, 1)
