/* SPDX-License-Identifier: GPL-2.0 */
/*
 * root.h - VMX root operation, seen from above
 *
 * Plain prototypes: tlb.c includes this file and also compiles in userspace,
 * where a model of a tagged TLB implements the three functions it calls.
 */
#ifndef _VTX_ROOT_H
#define _VTX_ROOT_H

#include <linux/types.h>

/**
 * struct vtx_root_ops - what the layers above need at VMXON and VMXOFF
 * @scrub:	drop all that this CPU's TLB holds under any tag, right after
 *		VMXON, IRQs off; 0 or -EIO
 * @before_off:	clear every VMCS that is active on this CPU; called on the CPU
 *		with IRQs off
 * @crash:	the same for whoever dumps memory, from an NMI that may have come in
 *		the middle of anything: takes no lock, changes nothing
 * @after_off:	this CPU has left VMX operation, forget what its TLB holds
 *		(VMXON scrubs it); not called on the crash path
 */
struct vtx_root_ops {
	int (*scrub)(void);
	void (*before_off)(void);
	void (*crash)(void);
	void (*after_off)(int cpu);
};

int vtx_root_init(const struct vtx_root_ops *ops);
void vtx_root_exit(void);

bool vtx_root_cpu_on(int cpu);
bool vtx_root_stopped(void);
u64 vtx_root_tsc(void);
u64 vtx_root_tsc_lost(void);
int vtx_root_invvpid(unsigned long type, u16 vpid, u64 gla);
int vtx_root_invept(unsigned long type, u64 eptp);

#endif /* _VTX_ROOT_H */
