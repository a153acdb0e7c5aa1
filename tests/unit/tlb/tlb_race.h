/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All interleavings of what a few CPUs do.
 *
 * vpid.c and tlb.c are compiled with MACHINE_RACE here: each CPU is a
 * coroutine, and before every access to memory that a scenario watches, before
 * every INVVPID and INVEPT and between guest instructions any other CPU may go
 * on. Stores sit in a buffer of their CPU, in order, until they are taken out
 * at any later moment or by a barrier, as on x86. An interrupt to another CPU
 * arrives at any time after it was sent; a CPU takes it when its interrupts
 * are on or it is in the guest.
 *
 * Every choice is tried, by running the scenario again and again; a run that
 * comes to a state where an earlier one was, stacks included, ends there.
 */
#ifndef _TLB_RACE_H
#define _TLB_RACE_H

#include "tlb_hw.h"

#include "shim.h"
#include "tlb/tlb.h"
#include "tlb/vpid.h"

#define THREADS		3
#define BUFFER		8

struct store {
	void *to;
	size_t size;
	u64 value;
};

/* One CPU and what runs there. */
struct thread {
	void (*body)(void);
	void *sp;
	bool done, waiting;
	bool in_guest, exiting;
	int buffered;
	struct store buffer[BUFFER];
	smp_call_func_t ipi[THREADS];	/* by sender */
	void *ipi_info[THREADS];
	char *stack;
};

extern struct thread thread[THREADS];
extern int threads;		/* how many of them the scenario has */
extern u64 race_states;		/* of the last race_all_schedules() */

/* For a scenario's setup. */
void race_prepare(int cpu, void (*body)(void));
void race_watch(const void *p);

/* From here on @cpu runs by itself, without choices. */
void race_alone(int cpu);
bool race_ipi_pending(int cpu);
u64 race_hash(u64 h, const void *p, size_t size);

/* The scenario's own state: what to hash, and what makes no difference to clear. */
u64 race_world_hash(u64 h);
void race_forget(void);

/* Every schedule; @after each that came to its end. Returns how many were begun. */
unsigned long long race_all_schedules(void (*setup)(void), void (*after)(void));

#endif /* _TLB_RACE_H */
