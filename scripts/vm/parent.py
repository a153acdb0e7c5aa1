# SPDX-License-Identifier: GPL-2.0
"""A process that ends with the one that started it."""

import ctypes

PR_SET_PDEATHSIG = 1


def follow(number):
    """The calling process gets signal number when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
