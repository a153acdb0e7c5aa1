// SPDX-License-Identifier: GPL-2.0
/*
 * vmcs.c - VMCS regions: which one is current, which are active, and where
 *
 * Owns VMPTRLD and VMCLEAR. Does not know what is in a VMCS (vmcs_init.c and
 * the files above it do). A VMCS stays active on the CPU where it ran last, so
 * that the next run there needs no VMPTRLD; it is cleared when it moves to
 * another CPU, when the CPU leaves VMX operation, and before it is freed.
 */
#include "vmx/vmcs.h"

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <asm/nospec-branch.h>

#include "vmx/caps.h"
#include "vmx/root.h"
#include "vmx/vmx_insn.h"

DEFINE_PER_CPU(struct vtx_vmcs *, vtx_current_vmcs);
static DEFINE_PER_CPU(struct list_head, active_vmcs);

/**
 * vtx_vmcs_error() - a VMREAD or VMWRITE failed
 * @field: the field's encoding
 *
 * Our bug or the CPU's, never the guest's. The VMCS is marked, so that its
 * vCPU ends with KVM_EXIT_INTERNAL_ERROR in place of running on wrong state.
 */
noinline void vtx_vmcs_error(unsigned long field)
{
	struct vtx_vmcs *vmcs = this_cpu_read(vtx_current_vmcs);

	if (!vtx_root_cpu_on(raw_smp_processor_id()))
		return;
	pr_err_ratelimited("VMCS field %#lx can't be accessed on CPU %d\n",
			   field, raw_smp_processor_id());
	if (vmcs)
		vmcs->failed = true;
}

/**
 * vtx_vmcs_setup() - prepare the per-CPU lists, before VMX is on anywhere
 */
void __init vtx_vmcs_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(per_cpu_ptr(&active_vmcs, cpu));
}

/**
 * vtx_vmcs_alloc() - allocate a region and mark it clear
 * @vmcs: zeroed structure
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_vmcs_alloc(struct vtx_vmcs *vmcs)
{
	vmcs->region = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->region)
		return -ENOMEM;
	vmcs->phys = __pa(vmcs->region);
	vmcs->cpu = -1;
	INIT_LIST_HEAD(&vmcs->link);
	*(u32 *)vmcs->region = vmx_basic_vmcs_revision_id(vtx_caps.basic);
	return 0;
}

/* On vmcs->cpu, IRQs off. */
static void clear_here(struct vtx_vmcs *vmcs)
{
	if (this_cpu_read(vtx_current_vmcs) == vmcs)
		this_cpu_write(vtx_current_vmcs, NULL);
	WARN_ON_ONCE(vmclear(vmcs->phys));
	list_del_init(&vmcs->link);
	vmcs->launched = false;
	vmcs->left_at = vtx_root_tsc();
	/* Pairs with the acquire in clear(): whoever sees -1 may load it. */
	smp_store_release(&vmcs->cpu, -1);
}

static void clear_ipi(void *arg)
{
	struct vtx_vmcs *vmcs = arg;

	/* The CPU may have left VMX operation since the caller looked. */
	if (vmcs->cpu == smp_processor_id())
		clear_here(vmcs);
}

/* Preemption off: the CPU in vmcs->cpu may go, its offline hook clears then. */
static void clear(struct vtx_vmcs *vmcs)
{
	int cpu;

	/* Pairs with the release in clear_here(): the VMCLEAR is done. */
	while ((cpu = smp_load_acquire(&vmcs->cpu)) >= 0) {
		smp_call_function_single(cpu, clear_ipi, vmcs, 1);
		cpu_relax();
	}
}

/**
 * vtx_vmcs_free() - clear the VMCS wherever it is active, free the region
 * @vmcs: from vtx_vmcs_alloc(); a failed allocation is accepted
 *
 * Context: may sleep; no vCPU runs on it.
 */
void vtx_vmcs_free(struct vtx_vmcs *vmcs)
{
	if (!vmcs->region)
		return;
	preempt_disable();
	clear(vmcs);
	preempt_enable();
	free_page((unsigned long)vmcs->region);
	vmcs->region = NULL;
}

/**
 * vtx_vmcs_make_current() - make the VMCS current that is not
 * @vmcs: the VMCS
 *
 * Context: preemption off, IRQs on.
 * Return: 0 if it was active here; 1 if it has come from elsewhere: the host
 * fields that differ between CPUs must be written; -EAGAIN if this CPU is not
 * in VMX operation (it is going offline, or the machine down); -EIO if the CPU
 * refuses the VMCS.
 */
int vtx_vmcs_make_current(struct vtx_vmcs *vmcs)
{
	int cpu = smp_processor_id();
	bool moved = vmcs->cpu != cpu;
	unsigned long flags;
	int r = -EAGAIN;

	if (moved)
		clear(vmcs);

	local_irq_save(flags);
	if (!vtx_root_cpu_on(cpu))
		goto out;
	r = -EIO;
	if (moved && vmclear(vmcs->phys))
		goto out;
	/* A crash from here on clears it. */
	if (moved) {
		list_add(&vmcs->link, this_cpu_ptr(&active_vmcs));
		/* Pairs with clear(): on the list before others ask for it. */
		smp_store_release(&vmcs->cpu, cpu);
	}
	if (vmptrld(vmcs->phys)) {
		clear_here(vmcs);
		goto out;
	}
	this_cpu_write(vtx_current_vmcs, vmcs);
	r = moved;
out:
	/* Callers go on reading and writing: not on somebody else's VMCS. */
	if (r == -EIO && this_cpu_read(vtx_current_vmcs))
		clear_here(this_cpu_read(vtx_current_vmcs));
	local_irq_restore(flags);
	/* Another vCPU ran here: its branches must not steer this one's. */
	if (r >= 0)
		indirect_branch_prediction_barrier();
	return r;
}

/**
 * vtx_vmcs_clear_cpu() - clear all VMCSs that are active on this CPU
 *
 * Context: IRQs off, CPU in VMX operation.
 */
void vtx_vmcs_clear_cpu(void)
{
	struct vtx_vmcs *vmcs, *next;

	list_for_each_entry_safe(vmcs, next, this_cpu_ptr(&active_vmcs), link)
		clear_here(vmcs);
	this_cpu_write(vtx_current_vmcs, NULL);
}

/**
 * vtx_vmcs_crash_cpu() - have memory show all VMCSs that are active on this CPU
 *
 * The list may be in the middle of a change: it is walked forward, as it is
 * consistent at any time, and left alone.
 *
 * Context: NMI, CPU in VMX operation.
 */
void vtx_vmcs_crash_cpu(void)
{
	struct vtx_vmcs *vmcs;

	list_for_each_entry(vmcs, this_cpu_ptr(&active_vmcs), link)
		vmclear(vmcs->phys);
}
