/* SPDX-License-Identifier: GPL-2.0 */
/* For the size of structures only: nothing under test here takes a lock. */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

typedef struct { int unused; } spinlock_t;

#endif /* _LINUX_SPINLOCK_H */
