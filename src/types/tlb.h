/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/tlb keeps in a VM and in a vCPU, all of it tlb.c's.
 */
#ifndef _VTX_TYPES_TLB_H
#define _VTX_TYPES_TLB_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/types.h>

#include "uapi/vtx.h"

/**
 * struct vtx_tlb_counters - struct vtx_tlb_stats as it is counted
 * @flush: executed, by instruction and type, and by cause
 * @avoided: not executed, by reason
 * @event: other events
 *
 * Touched on the slow path only.
 */
struct vtx_tlb_counters {
	atomic64_t flush[VTX_TLB_NR_OPS][VTX_TLB_NR_CAUSES];
	atomic64_t avoided[VTX_TLB_NR_AVOIDED];
	atomic64_t event[VTX_TLB_NR_EVENTS];
};

/**
 * struct vtx_tlb_cpu - one VM on one CPU
 * @flushed: [p] the EPT generation that this CPU's translations are as new as;
 *           0 if nothing is known about what it may hold for this EPT root
 * @in_guest: written by [p], read anywhere: between the last look at the
 *            generation and VM exit a flusher must wait for this CPU
 *
 * [p]: this CPU alone, interrupts off.
 */
struct vtx_tlb_cpu {
	s64 flushed;
	bool in_guest;
} ____cacheline_aligned_in_smp;

/**
 * struct vtx_tlb_vm - translations through one EPT root
 * @eptp: [I] its EPTP
 * @failed: a flush that was due at an entry failed: no vCPU may enter again
 * @ept_gen: counts changes that cached translations must not survive; from 1
 * @cpu: [I] one slot for each possible CPU
 * @node: [r] among all VMs
 * @vcpus: [r] its vCPUs
 * @count: counters
 *
 * [I]: constant from vtx_tlb_vm_init() to vtx_tlb_vm_destroy().
 * [r]: registry_lock (tlb.c).
 */
struct vtx_tlb_vm {
	u64 eptp;
	bool failed;
	atomic64_t ept_gen;
	struct vtx_tlb_cpu *cpu;
	struct list_head node;
	struct list_head vcpus;
	struct vtx_tlb_counters count;
};

/**
 * struct vtx_tlb_vcpu - translations tagged for one vCPU
 * @vm: [I] its VM
 * @vpid: [I] its VPID, 0 if it has none: "enable VPID" is off then
 * @last_cpu: [v] where it entered last; VTX_TLB_LEFT() by vtx_tlb_cpu_off()
 * @request: counts changes of state that imply a flush
 * @served: [v] the last of them that has been dealt with
 * @visited: [v] CPUs that may hold translations tagged with @vpid; cleared by
 *           vtx_tlb_cpu_off()
 * @node: [r] among the vCPUs of @vm
 * @count: counters
 *
 * [v]: the thread that runs the vCPU, interrupts off.
 */
struct vtx_tlb_vcpu {
	struct vtx_tlb_vm *vm;
	u16 vpid;
	int last_cpu;
	atomic_t request;
	int served;
	cpumask_var_t visited;
	struct list_head node;
	struct vtx_tlb_counters count;
};

#endif /* _VTX_TYPES_TLB_H */
