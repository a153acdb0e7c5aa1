/* SPDX-License-Identifier: GPL-2.0 */
/* For tests with one thread. */
#ifndef _UNIT_LINUX_ATOMIC_H
#define _UNIT_LINUX_ATOMIC_H

typedef struct { long n; } atomic64_t;

#define atomic64_read(a)	((a)->n)
#define atomic64_inc(a)		((void)(a)->n++)
#define atomic64_dec(a)		((void)(a)->n--)
#define atomic64_add(i, a)	((void)((a)->n += (i)))

#endif /* _UNIT_LINUX_ATOMIC_H */
