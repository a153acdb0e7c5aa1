// SPDX-License-Identifier: GPL-2.0
/*
 * l1d.c - L1TF: the guest must not find host data in the L1 data cache
 *
 * Owns whether and how the L1D is emptied before VM entries, as KVM does it on
 * the same CPU: by the MSR for it, or else by reading more than it holds.
 *
 * Intel: "Deep Dive: Intel Analysis of L1 Terminal Fault".
 */
#include "vmx/l1d.h"

#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/hardirq.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#include "vmx/compat.h"
#include "vtx.h"

bool vtx_l1d_leaks __ro_after_init;
bool vtx_l1d_flush_always __ro_after_init;
static void *l1d_fill_pages;		/* NULL: there is an MSR */

#define L1D_FILL_ORDER	4	/* 64 KBytes: more than any L1D */

/**
 * vtx_l1d_setup() - does this CPU need it, and how is it done?
 *
 * Return: 0, -ENOMEM.
 */
int __init vtx_l1d_setup(void)
{
	unsigned int i;
	u64 cap = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF) ||
	    l1tf_mitigation == L1TF_MITIGATION_OFF)
		return 0;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, cap);
	if (cap & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
		return 0;
	if (cpu_smt_possible())
		pr_warn("L1TF: SMT is on, a guest can read what a sibling CPU has in the L1D\n");
	vtx_l1d_flush_always = l1tf_mitigation >= L1TF_MITIGATION_FULL;
	vtx_l1d_leaks = true;
	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return 0;
	l1d_fill_pages = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
						  L1D_FILL_ORDER);
	if (!l1d_fill_pages)
		return -ENOMEM;
	/* Equal pages could be one page: a hypervisor below may merge them. */
	for (i = 0; i < 1U << L1D_FILL_ORDER; i++)
		memset(l1d_fill_pages + i * PAGE_SIZE, i + 1, PAGE_SIZE);
	return 0;
}

/** vtx_l1d_cleanup() - the mirror of vtx_l1d_setup() */
void vtx_l1d_cleanup(void)
{
	free_pages((unsigned long)l1d_fill_pages, L1D_FILL_ORDER);
}

/* Reads more than the L1D holds, page by page first so that no walk remains. */
static noinline void l1d_fill(void)
{
	unsigned int i;

	for (i = 0; i < PAGE_SIZE << L1D_FILL_ORDER; i += PAGE_SIZE)
		READ_ONCE(*(u8 *)(l1d_fill_pages + i));
	for (i = 0; i < PAGE_SIZE << L1D_FILL_ORDER; i += 64)
		READ_ONCE(*(u8 *)(l1d_fill_pages + i));
	/* No load may pass VM entry. */
	rmb();
}

/**
 * vtx_l1d_flush() - before a VM entry
 * @vcpu: the vCPU
 *
 * Flushes when something ran since the last entry that could have touched other
 * data than the run loop's: the way here from user mode, a slow exit, or an
 * interrupt.
 *
 * Context: IRQs off until VM entry; vtx_l1d_leaks.
 */
void vtx_l1d_flush(struct vtx_vcpu *vcpu)
{
	bool due = vtx_l1d_flush_always || vcpu->l1d.dirty;

	if (kvm_get_cpu_l1tf_flush_l1d()) {
		kvm_clear_cpu_l1tf_flush_l1d();
		due = true;
	}
	if (!due)
		return;
	vcpu->l1d.dirty = false;
	if (l1d_fill_pages)
		l1d_fill();
	else
		native_wrmsrq(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}
