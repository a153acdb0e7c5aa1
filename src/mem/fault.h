/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_FAULT_H
#define _VTX_FAULT_H

#include <linux/atomic.h>
#include <linux/kvm_types.h>
#include <linux/types.h>

struct seq_file;
struct vtx_vcpu;
struct vtx_vm;

/* What was found where the guest wanted to go. */
enum vtx_fault {
	VTX_FAULT_MAPPED = 1,	/* the guest can retry */
	VTX_FAULT_MMIO,		/* no memory there */
	VTX_FAULT_ROM,		/* a write to memory that is read-only */
	VTX_FAULT_SLEEP,	/* not without sleeping: vtx_fault_slow() */
	/* In fault.c only: */
	VTX_FAULT_RACED,	/* look again, signals first */
	VTX_FAULT_SMALL,	/* small pages are there: not as a large one */
};

/**
 * struct vtx_fault_counters - what EPT violations led to, in all VMs
 * @small: 4-KByte pages mapped because the guest wanted them
 * @around: 4-KByte pages mapped because they were near one of those
 * @large: 2-MByte pages mapped
 * @raced: pages found and not mapped: the process changed meanwhile
 */
struct vtx_fault_counters {
	atomic64_t small;
	atomic64_t around;
	atomic64_t large;
	atomic64_t raced;
};

extern struct vtx_fault_counters vtx_fault_count;

void vtx_fault_free(struct vtx_vcpu *vcpu);
int vtx_fault_fast(struct vtx_vcpu *vcpu, gpa_t gpa, u64 access);
int vtx_fault_slow(struct vtx_vcpu *vcpu, gpa_t gpa, u64 access);
int vtx_fault_show(struct seq_file *m);

#endif /* _VTX_FAULT_H */
