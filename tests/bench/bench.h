/* SPDX-License-Identifier: GPL-2.0 */
/* bench.h - what the benchmark's host and guest code agree upon */
#ifndef _BENCH_H
#define _BENCH_H

#define COUNT		200		/* measured repetitions of a guest operation */
#define OUTS_LEN	64		/* bytes of a string output */
#define TOUCHED		16		/* pages read after a switch of address spaces */
#define TRACED		64		/* pages touched after the measured ones, at most */
#define SAMPLES		0x20000		/* uint32_t[]: what each repetition took */
#define OTHER_ROOT	0x28000		/* a second root of the same page tables */
#define AREA		0x80000000	/* memory for EPT violations, 2M-aligned */

#define PORT_OUT	0x3f8
#define PORT_DONE	0x80

#ifndef __ASSEMBLER__

#include <stdint.h>

#include "../lib/vtx_test.h"

#define UNSUPPORTED	(-1L)

/* Stops Bochs' debugger in a traced run, else nothing. */
static inline void magic(void)
{
	asm volatile("xchg %%bx, %%bx" : : : "memory");
}

static inline uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void bench_print(const char *name, long value);
long median(uint64_t *sample, int n);
uint64_t clock_overhead(void);

/* guest_ops.c */
void bench_guest(const char *only);
void bench_policies(const char *only);
void bench_faults(const char *only);

/* host_ops.c */
void bench_host(const char *only);

bool bench_wanted(const char *name, const char *only);

#endif
#endif
