/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_FAULT_H
#define _VTX_FAULT_H

#include <linux/kvm_types.h>
#include <linux/types.h>

struct vtx_vcpu;
struct vtx_vm;

/* What vtx_fault() found where the guest wanted to go. */
enum vtx_fault {
	VTX_FAULT_MAPPED = 1,	/* the guest can retry */
	VTX_FAULT_MMIO = 2,	/* no memory there, or it is read-only */
	VTX_FAULT_SLEEP = 3,	/* not without sleeping: vtx_fault_slow() */
};

int vtx_fault_fast(struct vtx_vcpu *vcpu, gpa_t gpa, bool write);
int vtx_fault_slow(struct vtx_vcpu *vcpu, gpa_t gpa, bool write);

int vtx_guest_copy(struct vtx_vm *vm, gpa_t gpa, void *buf, unsigned int len,
		   bool write);
int vtx_guest_cmpxchg(struct vtx_vm *vm, gpa_t gpa, u64 old, u64 new,
		      unsigned int size);

#endif /* _VTX_FAULT_H */
