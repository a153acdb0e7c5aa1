/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VMCS_H
#define _VTX_VMCS_H

#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/types.h>

/**
 * struct vtx_vmcs - one VMCS and where it is
 * @region:	the VMCS region, one page
 * @phys:	its physical address
 * @cpu:	CPU on which the VMCS is active, -1: clear
 * @left_at:	the TSC of the CPU where it was last cleared, then; 0: nowhere yet
 * @launched:	VMLAUNCH has succeeded since the last VMCLEAR
 * @link:	on the list of VMCSs active on @cpu
 * @failed:	a VMREAD or VMWRITE failed on it: the vCPU never runs again
 * @host_cr3:	HOST_CR3 as last written, likewise the next ones
 * @host_cr4:	HOST_CR4
 * @host_perf:	HOST_IA32_PERF_GLOBAL_CTRL
 *
 * @cpu, @left_at, @launched and @link change only on @cpu with IRQs off. SDM vol. 3
 * "Software Use of Virtual-Machine Control Structures": a VMCS is active on
 * at most one logical processor, VMCLEAR there before it moves.
 */
struct vtx_vmcs {
	void *region;
	u64 phys;
	int cpu;
	bool launched;
	bool failed;
	u64 left_at;
	struct list_head link;
	unsigned long host_cr3;
	unsigned long host_cr4;
	u64 host_perf;
};

DECLARE_PER_CPU(struct vtx_vmcs *, vtx_current_vmcs);

void vtx_vmcs_setup(void);
int vtx_vmcs_alloc(struct vtx_vmcs *vmcs);
void vtx_vmcs_free(struct vtx_vmcs *vmcs);
int vtx_vmcs_make_current(struct vtx_vmcs *vmcs);
void vtx_vmcs_clear_cpu(void);
void vtx_vmcs_crash_cpu(void);

/**
 * vtx_vmcs_is_current() - is it this CPU's current VMCS?
 * @vmcs: the VMCS
 *
 * Context: preemption off.
 * Return: true mostly: vtx_vmcs_make_current() is only for the other case.
 */
static __always_inline bool vtx_vmcs_is_current(const struct vtx_vmcs *vmcs)
{
	return likely(this_cpu_read(vtx_current_vmcs) == vmcs);
}

#endif /* _VTX_VMCS_H */
