// SPDX-License-Identifier: GPL-2.0
/*
 * foreign_vmxe.c - what another hypervisor leaves to see: CR4.VMXE set
 *
 * On the last CPU, while this module is loaded. vtx must refuse to load and leave
 * the others as they were.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/smp.h>

#include <asm/processor-flags.h>
#include <asm/tlbflush.h>

static int cpu;

static void set_vmxe(void *unused)
{
	cr4_set_bits(X86_CR4_VMXE);
}

static void clear_vmxe(void *unused)
{
	cr4_clear_bits(X86_CR4_VMXE);
}

static int __init foreign_vmxe_init(void)
{
	cpu = cpumask_last(cpu_online_mask);
	return smp_call_function_single(cpu, set_vmxe, NULL, 1);
}

static void __exit foreign_vmxe_exit(void)
{
	smp_call_function_single(cpu, clear_vmxe, NULL, 1);
}

module_init(foreign_vmxe_init);
module_exit(foreign_vmxe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("CR4.VMXE set on one CPU, for a test of vtx");
