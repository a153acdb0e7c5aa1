/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the kernel that vpid.c and tlb.c stand on, for userspace.
 *
 * Two builds. By default shared memory is plain memory and one thread plays
 * all CPUs in turn. With MACHINE_RACE every access to shared memory goes
 * through race.c, which may switch to another CPU before it and keeps stores
 * in a buffer as x86 does.
 */
#ifndef _SMP_SHIM_H
#define _SMP_SHIM_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

/* compiler, cache, bug, printk, minmax */
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define __read_mostly
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define pr_err(...)		machine_printk(__VA_ARGS__)
#define pr_err_ratelimited	pr_err
#define WARN_ON_ONCE(c) ({ bool _c = (c); if (_c) machine_warn(#c); _c; })

void machine_warn(const char *what);	/* the kernel said WARNING: */
void machine_point(void);		/* another CPU may go on here */
void machine_fail_alloc(bool on);
void machine_printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Shared memory. */
#ifdef MACHINE_RACE
void machine_read(void *to, const void *from, size_t size);
void machine_write(void *to, const void *from, size_t size);
void machine_rmw(const void *p);	/* full barrier, then *p may be changed */
void machine_mb(void);
#else
static inline void machine_read(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
}

static inline void machine_write(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
}

static inline void machine_rmw(const void *p) { }
static inline void machine_mb(void) { }
#endif

#define READ_ONCE(x) ({ __typeof__(x) _r; machine_read(&_r, &(x), sizeof(_r)); _r; })
#define WRITE_ONCE(x, v) ({ __typeof__(x) _w = (v); machine_write(&(x), &_w, sizeof(_w)); })
#define smp_mb()		machine_mb()
#define smp_mb__after_atomic()	machine_mb()
#define smp_store_mb(x, v)	do { WRITE_ONCE(x, v); smp_mb(); } while (0)
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)	/* stores keep their order on x86 */

#define cmpxchg(p, old, new) ({				\
	__typeof__(*(p)) _old = (old), _was;			\
	machine_rmw(p);						\
	_was = *(p);						\
	if (_was == _old)					\
		*(p) = (new);					\
	_was; })

/* atomic */
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;

#define atomic_read(v)		READ_ONCE((v)->counter)
#define atomic64_read(v)	READ_ONCE((v)->counter)
#define atomic64_set(v, i)	WRITE_ONCE((v)->counter, i)
#define atomic_inc(v)		do { machine_rmw(v); (v)->counter++; } while (0)
#define atomic64_inc(v)		do { machine_rmw(v); (v)->counter++; } while (0)

/* spinlock: no section under one contains a point where CPUs are switched */
typedef struct { bool held; } spinlock_t;

#define DEFINE_SPINLOCK(x)	spinlock_t x
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
#define spin_lock_irqsave(l, f)	do { (f) = machine_irq_save(); spin_lock(l); } while (0)
#define spin_unlock_irqrestore(l, f) do { spin_unlock(l); machine_irq_restore(f); } while (0)

unsigned long machine_irq_save(void);
void machine_irq_restore(unsigned long flags);

/* list */
struct list_head { struct list_head *next, *prev; };

#define LIST_HEAD(name)		struct list_head name = { &(name), &(name) }

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	list_add(new, head->prev);
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

#define list_for_each_entry(pos, head, member)					\
	for (pos = container_of((head)->next, __typeof__(*pos), member);	\
	     &pos->member != (head);						\
	     pos = container_of(pos->member.next, __typeof__(*pos), member))

/* bitmap */
#define BITS_TO_LONGS(n)	(((n) + 63) / 64)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]

static inline bool test_bit(unsigned int nr, const unsigned long *map)
{
	return map[nr / 64] >> (nr % 64) & 1;
}

static inline void __set_bit(unsigned int nr, unsigned long *map)
{
	map[nr / 64] |= 1ul << (nr % 64);
}

static inline bool __test_and_clear_bit(unsigned int nr, unsigned long *map)
{
	bool was = test_bit(nr, map);

	map[nr / 64] &= ~(1ul << (nr % 64));
	return was;
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size,
					       unsigned long from)
{
	while (from < size && test_bit(from, map))
		from++;
	return from < size ? from : size;
}

/* slab, cpumask, smp: the machine has at most 8 CPUs */
#define GFP_KERNEL_ACCOUNT	0
#define kvcalloc(n, size, gfp)	machine_alloc((n) * (size))
#define kvfree(p)		machine_free(p)
void *machine_alloc(size_t size);	/* zeroed; NULL when told to fail */
void machine_free(void *p);

typedef struct { unsigned long bits; } cpumask_var_t[1];
struct cpumask { unsigned long bits; };

bool zalloc_cpumask_var(cpumask_var_t *mask, int gfp);
void free_cpumask_var(cpumask_var_t mask);
#define cpumask_test_cpu(cpu, mask)	((mask)->bits >> (cpu) & 1)
#define cpumask_set_cpu(cpu, mask)	((void)((mask)->bits |= 1ul << (cpu)))
#define cpumask_test_and_clear_cpu(cpu, mask) ({			\
	bool _t = cpumask_test_cpu(cpu, mask);				\
	(mask)->bits &= ~(1ul << (cpu)); _t; })

typedef void (*smp_call_func_t)(void *info);
typedef bool (*smp_cond_func_t)(int cpu, void *info);

extern int machine_cpu;			/* the CPU that executes now */
extern unsigned int nr_cpu_ids;

#define smp_processor_id()	machine_cpu
#define on_each_cpu_cond(cond, func, info, wait) \
	machine_call(cond, func, info, wait, ~0ul)
#define on_each_cpu_mask(mask, func, info, wait) \
	machine_call(NULL, func, info, wait, (mask)->bits)
void machine_call(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait,
		  unsigned long mask);
void cpus_read_lock(void);
void cpus_read_unlock(void);

#endif /* _SMP_SHIM_H */
