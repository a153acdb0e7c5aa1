# SPDX-License-Identifier: GPL-2.0
"""Debian packages in the cache: whole, or not there.

A package is downloaded into a directory of its own and gets its name in the cache
when it is complete; one that is not, by whatever mishap, is fetched again.
"""

import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
APT_SUITE = os.path.join(os.path.dirname(HERE), "apt-suite")
UNFINISHED = "unfinished."
LITTLE = 64 << 20       # bytes left, with which a failure is called a full disk


class PackageError(Exception):
    """No such package, or it could not be brought here."""


def whole(path):
    """Whether a package has all the bytes of its parts. Their content is apt's to
    check, which does when it downloads."""
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        if f.read(8) != b"!<arch>\n":
            return False
        at, parts = 8, 0
        while at < size:
            f.seek(at)
            head = f.read(60)
            if len(head) < 60 or head[58:] != b"`\n" or \
               not head[48:58].strip().isdigit():
                return False
            length = int(head[48:58])
            at += 60 + length
            if at > size:
                return False
            at += length & 1
            parts += 1
    return parts >= 3


@contextlib.contextmanager
def locked(cache):
    """Machines start side by side: one at a time changes the cache.

    What lies there unfinished is then a dead one's.
    """
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in glob.glob(os.path.join(cache, UNFINISHED + "*")):
            shutil.rmtree(path, ignore_errors=True)
        yield


def unfinished(cache):
    """A new directory for work that is not done yet; the caller holds the lock."""
    return tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=cache,
                                       ignore_cleanup_errors=True)


def cached(package, cache):
    """The newest PACKAGE_*.deb in the cache; those cut short are removed."""
    name, _, version = package.partition("=")
    version = version.replace(":", "%3a") or "*"
    found = []
    for path in glob.glob(os.path.join(cache, f"{name}_{version}_*.deb")):
        if whole(path):
            found.append(path)
        else:
            os.unlink(path)
    return max(found, key=os.path.getmtime, default=None)


def remedy(cache):
    """What to do about a failed download or unpacking, in words."""
    left = shutil.disk_usage(cache).free
    if left < LITTLE:
        return (f"the disk of {cache} is full ({left >> 20} MB left): make room, "
                "or make it a link to a directory where there is some")
    return "try again; apt-get update, if apt looks for what is no longer there"


def known(apt, name):
    """Whether apt has exactly this name; its commands take others for patterns."""
    shown = subprocess.run([*apt, "apt-cache", "pkgnames", name],
                           stdout=subprocess.PIPE, text=True, check=False)
    return name in shown.stdout.split()


def fetch(package, cache, suite=None):
    """Downloads NAME or NAME=VERSION into the cache; the caller holds the lock."""
    apt = [APT_SUITE, suite] if suite else []
    if not known(apt, package.partition("=")[0]):
        raise PackageError(f"apt has no package {package}" + (
            f" in {suite}" if suite else ": apt-get update, if it should"))
    with unfinished(cache) as fresh:
        # A pipe: the words of apt-get are wanted if it fails.
        done = subprocess.run(
            [*apt, "apt-get", "-qq", "-o", "APT::Sandbox::User=root",
             "download", package], cwd=fresh, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        files = glob.glob(os.path.join(fresh, "*.deb"))
        if done.returncode or len(files) != 1 or not whole(files[0]):
            raise PackageError(
                f"{done.stdout}{package} could not be downloaded: {remedy(cache)}")
        with open(files[0], "rb") as f:
            os.fsync(f.fileno())
        path = os.path.join(cache, os.path.basename(files[0]))
        os.rename(files[0], path)
    return path


def download(package, cache, suite=None):
    """The package's file in the cache, fetched if it is not there."""
    with locked(cache):
        return cached(package, cache) or fetch(package, cache, suite)


def extract(deb, root, part=""):
    """Unpacks a package, or a part of it (tar's wildcards), over what is in root."""
    os.makedirs(root, exist_ok=True)
    with subprocess.Popen(["dpkg", "--fsys-tarfile", deb],
                          stdout=subprocess.PIPE) as content:
        done = subprocess.run(["tar", "-x", "-C", root, "--wildcards", f"./{part}"],
                              stdin=content.stdout, check=False)
    if done.returncode or content.returncode:
        raise PackageError(f"{deb} could not be unpacked: {remedy(root)}")


def unpack_into(root, deb, part, each=None):
    """Part of a package becomes the directory root, whole or not at all;
    each(path) is called for every file there. The caller holds the lock."""
    with unfinished(os.path.dirname(root)) as fresh:
        extract(deb, fresh, part)
        for path in glob.glob(os.path.join(fresh, "**"), recursive=True):
            if each and os.path.isfile(path):
                each(path)
        os.chmod(fresh, 0o755)
        os.rename(fresh, root)
