/* SPDX-License-Identifier: GPL-2.0 */
/*
 * race.h - vCPUs that verify every page of a region and count in it, while the
 * test changes the memory under them.
 */
#ifndef _RACE_H
#define _RACE_H

#include <pthread.h>

#include "host.h"
#include "vtx_test.h"

#define BASE		0x400000UL	/* the region, slot 1 */
#define PAGES		512
#define SIZE		(PAGES * PAGE)
#define LARGE		0x200000UL
#define MAGIC		0x5a5a000000000000ULL
#define RACERS		2
#define STOP		SCRATCH		/* word that ends the race; passes behind it */

#define WRITES		1		/* the guest counts in each page */
#define ZERO_OK		2		/* pages may be zero for a while */
#define FAULT_OK	4		/* KVM_RUN may fail with EFAULT for a while */
#define ALL_SAME	8		/* all pages have the same content */
#define REWRITES	16		/* the guest writes what it has read */
#define HOLES		32		/* the second half may be a hole for a while */
#define READ_ONLY	64		/* the guest's writes exit */
#define INSIDE		128		/* the second vCPU's code is at INSIDE_AT */

#define INSIDE_AT	(BASE + (PAGES - 1) * PAGE + 64)
#define POISON		0xee

struct runner {
	struct vm vm;
	int flags;
	long error;
	uint64_t word;			/* offset in each page of this vCPU's own */
	volatile unsigned long faults, accesses;
	volatile bool done;
	pthread_t thread;
};

/* Where accesses to the second half go while no slot has it. */
extern struct hole {
	pthread_mutex_t lock;
	uint8_t *mem;
} hole;

/* lib/race.c */
uint8_t *map_at(void *at, size_t size, int flags, int fd);
uint8_t *map_aligned(size_t size);
void fill(uint8_t *mem, int flags);
volatile uint64_t *stop_word(struct vm *m);
void start_race(struct vm *m, struct runner *r, int flags);
uint64_t passes(struct vm *m, int cpu);
bool wait_passes(struct vm *m, struct runner *r, unsigned int n);
void move_hole(uint8_t *to);
bool is_poison(const uint8_t *mem);

/* For programs that include the harness: a machine with the region, in small pages. */
#define REGION_FIXTURE(name)						\
FIXTURE(name) {								\
	struct vm m;							\
	uint8_t *mem;							\
};									\
FIXTURE_SETUP(name)							\
{									\
	vm_create(&self->m);						\
	self->mem = map_aligned(SIZE);					\
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);			\
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, BASE, SIZE, self->mem));	\
}									\
FIXTURE_TEARDOWN(name) { vm_destroy(&self->m); }

#define STOP_RACE(m, r, what, events) do {				\
	EXPECT_TRUE(wait_passes(m, r, 2));				\
	*stop_word(m) = 1;						\
	for (int _i = 0; _i < RACERS; _i++) {				\
		struct kvm_regs _regs;					\
									\
		pthread_join((r)[_i].thread, NULL);			\
		_regs = vm_regs(&(r)[_i].vm);				\
		EXPECT_EQ(0, (r)[_i].error);				\
		EXPECT_EQ(0, _regs.rdi)					\
			TH_LOG("page %llu has %#llx", _regs.rcx, _regs.rax); \
		EXPECT_LT(2, _regs.r13);				\
	}								\
	TH_LOG("%u %s, %lu and %lu passes of %d pages, %lu faults, %lu exits", events, what, \
	       (unsigned long)passes(m, 0), (unsigned long)passes(m, 1), PAGES,	\
	       (r)[0].faults + (r)[1].faults, (r)[0].accesses + (r)[1].accesses); \
} while (0)

/* One race: what follows is a statement, made @n times with i counting. */
#define RACE(flags, n, what, ...) do {				\
	struct runner _r[RACERS];					\
	unsigned int i;							\
									\
	fill(self->mem, flags);						\
	start_race(&self->m, _r, flags);				\
	EXPECT_TRUE(wait_passes(&self->m, _r, 1));			\
	for (i = 0; i < (n) && !_r[0].done && !_r[1].done; i++) {					\
		__VA_ARGS__;						\
	}								\
	STOP_RACE(&self->m, _r, what, i);				\
} while (0)

#endif
