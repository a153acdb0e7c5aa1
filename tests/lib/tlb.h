/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tlb.h - what the module's counters say: VTX_GET_INFO, VTX_GET_TLB_STATS, and
 * ways to move between CPUs.
 */
#ifndef _TLB_TEST_H
#define _TLB_TEST_H

#include <pthread.h>
#include <sched.h>

#include "uapi/vtx.h"
#include "vtx_test.h"

#define CPU1_ONLINE "/sys/devices/system/cpu/cpu1/online"

/* A vCPU that runs until it is told to stop, on a CPU of its own. */
struct spinner {
	struct vm *m;
	int cpu;
	pthread_t thread;
	volatile bool stop;
};

/* lib/tlb.c */
struct vtx_info info(int fd);
struct vtx_tlb_stats stats(int fd);
struct vtx_tlb_stats since(struct vtx_tlb_stats before, struct vtx_tlb_stats after);
uint64_t flushes(const struct vtx_tlb_stats *s);
uint64_t invepts(const struct vtx_tlb_stats *s, enum vtx_tlb_cause cause);
int put_text(const char *path, const char *text);
void start_spinner(struct spinner *s, struct vm *m, int cpu);
void stop_spinner(struct spinner *s);

#endif
