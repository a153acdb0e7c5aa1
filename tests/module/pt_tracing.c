// SPDX-License-Identifier: GPL-2.0
/*
 * pt_tracing.c - what Intel PT leaves to see while it traces
 *
 * For an emulator that has IA32_RTIT_CTL and no Intel PT: the feature and, on every
 * CPU, TraceEn are set while this module is loaded. vtx must refuse to load.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/smp.h>

#include <asm/cpufeature.h>
#include <asm/msr.h>

static void trace(void *on)
{
	wrmsrl_safe(MSR_IA32_RTIT_CTL, on ? RTIT_CTL_TRACEEN : 0);
}

static int __init pt_tracing_init(void)
{
	u64 value = 0;

	/* A real one is not for playing with. */
	if (boot_cpu_has(X86_FEATURE_INTEL_PT))
		return -EBUSY;
	on_each_cpu(trace, (void *)1, 1);
	if (rdmsrl_safe(MSR_IA32_RTIT_CTL, &value) || value != RTIT_CTL_TRACEEN) {
		on_each_cpu(trace, NULL, 1);
		return -ENODEV;
	}
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_INTEL_PT);
	return 0;
}

static void __exit pt_tracing_exit(void)
{
	clear_bit(X86_FEATURE_INTEL_PT, (unsigned long *)boot_cpu_data.x86_capability);
	on_each_cpu(trace, NULL, 1);
}

module_init(pt_tracing_init);
module_exit(pt_tracing_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Intel PT that seems to trace, for a test of vtx");
