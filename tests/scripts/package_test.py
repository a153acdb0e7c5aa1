# SPDX-License-Identifier: GPL-2.0
"""Downloads that fail: no file under the name of a whole one, a word on what to do.

apt is a script here, which does what the test says.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import types
import unittest
from unittest import mock

import package

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts")

# What apt-get does with the package $DEB: the variable MISHAP says.
APT_GET = r"""#!/bin/sh
case "$*" in
*indextargets*) echo http://mirror.invalid/debian; exit ;;
*update*) exit "${UPDATE_STATUS:-0}" ;;
*download*) ;;
*) exit 99 ;;
esac
echo "$$" >>"$CALLS"
half=$(($(stat -c %s "$DEB") / 2))
case $MISHAP in
"") cp "$DEB" . ;;
cut) head -c $half "$DEB" >"$(basename "$DEB")" ;;
full) head -c $half "$DEB" >"$(basename "$DEB")"
	echo "E: write: No space left on device" >&2; exit 100 ;;
slow) head -c $half "$DEB" >"$(basename "$DEB")"; sleep 60 ;;
esac
"""


def corrupt(path, offset):
    """The same size, another content."""
    with open(path, "r+b") as f:
        f.seek(offset, os.SEEK_END)
        f.write(b"\0" * 16)


class PackageTest(unittest.TestCase):
    """Every test has a cache of its own and a package, one_1.0_all.deb."""

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        for name in ("tree/DEBIAN", "tree/data", "bin", "cache", "top/scripts"):
            os.makedirs(os.path.join(self.dir, name))
        self.cache = os.path.join(self.dir, "cache")
        self.deb = os.path.join(self.dir, "one_1.0_all.deb")
        self.write("tree/DEBIAN/control", "Package: one\nVersion: 1.0\n"
                   "Architecture: all\nMaintainer: nobody <n@invalid>\n"
                   "Description: nothing\n")
        with open(os.path.join(self.dir, "tree/data/noise"), "wb") as f:
            f.write(os.urandom(1 << 17))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", "tree", self.deb],
                       cwd=self.dir, check=True, stdout=subprocess.DEVNULL)
        self.write("bin/apt-get", APT_GET)
        self.write("bin/apt-cache", "#!/bin/sh\necho one\n")
        self.calls = os.path.join(self.dir, "calls")
        self.env = {**os.environ, "DEB": self.deb, "CALLS": self.calls, "MISHAP": "",
                    "PATH": f"{self.dir}/bin:{os.environ['PATH']}"}

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def fetch(self, *arguments, **env):
        return subprocess.run(
            [os.path.join(SCRIPTS, "fetch-deb"), "--into", self.cache, *arguments],
            env={**self.env, **env}, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def in_cache(self):
        return sorted(set(os.listdir(self.cache)) - {"lock"})

    def assert_fetched(self):
        done = self.fetch("one")
        path = os.path.join(self.cache, "one_1.0_all.deb")
        self.assertEqual((done.returncode, done.stdout), (0, path + "\n"), done.stderr)
        self.assertEqual(self.in_cache(), ["one_1.0_all.deb"])
        with open(path, "rb") as a, open(self.deb, "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_download(self):
        """a package is downloaded once"""
        self.assert_fetched()
        self.assert_fetched()
        with open(self.calls, encoding="ascii") as f:
            self.assertEqual(len(f.readlines()), 1)

    def test_cut_short(self):
        """a download that was cut short leaves nothing, though apt-get gave 0"""
        done = self.fetch("one", MISHAP="cut")
        self.assertEqual((done.returncode, self.in_cache()), (1, []))
        self.assertIn("one could not be downloaded: try again", done.stderr)
        self.assert_fetched()

    def test_no_space(self):
        """of a full disk the words of apt-get are shown, and nothing is left"""
        done = self.fetch("one", MISHAP="full")
        self.assertEqual((done.returncode, self.in_cache()), (1, []))
        self.assertIn("No space left on device\none could not be", done.stderr)
        self.assert_fetched()

    def test_remedy(self):
        """of a full disk it is said that it is full"""
        with mock.patch("shutil.disk_usage",
                        lambda _: types.SimpleNamespace(free=3 << 20)):
            self.assertIn("is full (3 MB left): make room",
                          package.remedy(self.cache))

    def test_killed(self):
        """a killed download leaves nothing that the next one does not remove"""
        with subprocess.Popen(
                [os.path.join(SCRIPTS, "fetch-deb"), "--into", self.cache, "one"],
                env={**self.env, "MISHAP": "slow"}, stdout=subprocess.DEVNULL,
                start_new_session=True) as child:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not os.path.exists(self.calls):
                time.sleep(0.01)
            os.killpg(child.pid, signal.SIGKILL)
        self.assertTrue(any(n.startswith(package.UNFINISHED) for n in self.in_cache()))
        self.assertNotIn("one_1.0_all.deb", self.in_cache())
        self.assert_fetched()

    def test_truncated_before(self):
        """what an earlier version left cut short in the cache is fetched anew"""
        with open(self.deb, "rb") as f:
            data = f.read()
        for length in (0, 7, 70, len(data) // 2, len(data) - 1):
            with open(os.path.join(self.cache, "one_1.0_all.deb"), "wb") as f:
                f.write(data[:length])
            self.assert_fetched()

    def test_unknown(self):
        """of a package that apt does not have it is said that it has none"""
        done = self.fetch("two")
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt has no package two: apt-get update", done.stderr)

    def test_version(self):
        """another version in the cache is not the one that was asked for"""
        shutil.copy(self.deb, os.path.join(self.cache, "one_0.9_all.deb"))
        done = self.fetch("one=1.0")
        self.assertEqual(done.stdout, f"{self.cache}/one_1.0_all.deb\n")

    def test_unpack(self):
        """a package with faulty content is not taken for unpacked"""
        root = os.path.join(self.cache, "root")
        with package.locked(self.cache):
            package.unpack_into(root, self.deb, "data")
            self.assertEqual(os.listdir(f"{root}/data"), ["noise"])
            shutil.rmtree(root)
            corrupt(self.deb, -20000)
            with self.assertRaisesRegex(package.PackageError, "could not be unpacked"):
                package.unpack_into(root, self.deb, "data")
        self.assertEqual(self.in_cache(), [])

    def suite(self, **env):
        """apt-suite of a tree whose cache is empty"""
        shutil.copy(os.path.join(SCRIPTS, "apt-suite"),
                    os.path.join(self.dir, "top/scripts"))
        return subprocess.run(
            [f"{self.dir}/top/scripts/apt-suite", "trixie", "apt-cache", "pkgnames"],
            env={**self.env, **env}, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_suite_without_lists(self):
        """no lists of packages of a suite: it is said, and the next run fetches them"""
        done = self.suite(UPDATE_STATUS="100")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no lists of packages of trixie", done.stderr)
        self.assertEqual(self.suite().stdout, "one\n")

    def test_suite_old_lists(self):
        """lists of an earlier day do where there is no network, and it is said"""
        self.assertEqual(self.suite().stdout, "one\n")
        os.utime(f"{self.dir}/top/build/cache/apt-trixie/updated", (86400, 86400))
        done = self.suite(UPDATE_STATUS="100")
        self.assertEqual((done.returncode, done.stdout), (0, "one\n"))
        self.assertIn("trixie as of 1970-01-02", done.stderr)
