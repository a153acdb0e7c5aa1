/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/vmx keeps in a VM and in a vCPU. Who owns a structure is in its first line;
 * others ask that file.
 */
#ifndef _VTX_TYPES_VMX_H
#define _VTX_TYPES_VMX_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct vtx_vmcs - vmcs.c: one VMCS and where it is
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

/* Guest MSRs that the CPU keeps in registers during a run, see host.c. */
enum vtx_hw_msr {
	VTX_MSR_STAR, VTX_MSR_LSTAR, VTX_MSR_FMASK,
	VTX_MSR_KERNEL_GS_BASE, VTX_MSR_TSC_AUX, VTX_NR_HW_MSRS
};

/**
 * struct vtx_host - host.c: state that a run borrows, given back by host_leave()
 * @fs_sel:	selectors of the VMM thread
 * @gs_sel:	likewise
 * @ds_sel:	likewise
 * @es_sel:	likewise
 * @selectors:	the four of them
 * @ldt_sel:	likewise
 * @fs_base:	HOST_FS_BASE as last written
 * @debugctl:	IA32_DEBUGCTL, cleared by each VM exit
 * @pebs:	IA32_PEBS_ENABLE, where it has to be 0 in the guest
 * @kernel_gs_base: IA32_KERNEL_GS_BASE of the VMM thread
 * @xcr0_lent:	XCR0 is the guest's
 * @fpu_section: the FPU is borrowed by kernel_fpu_begin()
 * @msrs_loaded: bit per enum vtx_hw_msr: the guest's value is in the CPU
 */
struct vtx_host {
	union {
		struct {
			u16 fs_sel, gs_sel, ds_sel, es_sel;
		};
		u64 selectors;
	};
	u16 ldt_sel;
	unsigned long fs_base;
	u64 debugctl;
	u64 pebs;
	u64 kernel_gs_base;
	u32 msrs_loaded;
	bool xcr0_lent;
	bool fpu_section;
};

/**
 * struct vtx_l1d - l1d.c
 * @dirty:	something of the host may be in the L1D
 */
struct vtx_l1d {
	bool dirty;
};

/**
 * struct vtx_tsc - tsc.c: a vCPU's time-stamp counter
 * @offset:	guest TSC - host TSC, less what suspends took from the latter; grows
 *		where a move finds a TSC that is behind
 * @adjust:	IA32_TSC_ADJUST
 */
struct vtx_tsc {
	u64 offset;
	u64 adjust;
};

/**
 * struct vtx_tsc_vm - tsc.c
 * @offset:	vtx_tsc.offset of vCPUs whose TSCs go together [read and written once]
 */
struct vtx_tsc_vm {
	u64 offset;
};

#endif /* _VTX_TYPES_VMX_H */
