// SPDX-License-Identifier: GPL-2.0
/*
 * root.c - VMX root operation: on and off, on each CPU
 *
 * Owns CR4.VMXE, the VMXON regions and the per-CPU "on" flag. Nothing else in
 * vtx executes VMXON or VMXOFF.
 *
 *   event                        what happens here
 *   module load                  cpu_on() on each online CPU; any failure
 *                                turns the others off again, load fails
 *   CPU online                   cpu_on() on it; failure aborts the online
 *   CPU offline                  cpu_off() on it, before tasks leave it: the
 *                                run loop looks at the flag with IRQs off
 *   suspend, hibernate           other CPUs by offline; syscore suspend turns
 *                                off the last one
 *   resume                       syscore resume, then CPU online for the others
 *   reboot, poweroff, kexec      reboot notifier and syscore shutdown: off on
 *                                all CPUs (INIT is blocked in VMX operation)
 *   crash, crash kexec           emergency callback in each CPU's NMI: VMCSs
 *                                cleared, VMXOFF, no locks
 *   module unload                cpu_off() on each CPU
 *
 * Each way off: VMCSs cleared, then VMXOFF, then CR4.VMXE. Each way on: CR4.VMXE,
 * VMXON, then everything that the TLB may hold under any tag is dropped, since
 * neither VMXON nor VMXOFF does (SDM vol. 3 "Operations that Invalidate Cached
 * Mappings" names no such duty).
 */
#include "vmx/root.h"

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/reboot.h>

#include <asm/msr.h>
#include <asm/tlbflush.h>

#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/vmx_insn.h"

struct root_cpu {
	bool on;
	void *vmxon_region;
};

static DEFINE_PER_CPU(struct root_cpu, root_cpu);
static const struct vtx_root_ops *root_ops;
static int hotplug_state;
static bool rebooting;
static bool broken;	/* VMX did not come back after a suspend */
static u64 tsc_at_suspend;
static u64 tsc_lost;	/* written while all tasks are frozen */

/**
 * vtx_root_cpu_on() - is this CPU in VMX operation by our hand?
 * @cpu: CPU number
 *
 * Context: any; the answer is stable only on @cpu with IRQs off.
 * Return: true from VMXON to VMXOFF.
 */
bool vtx_root_cpu_on(int cpu)
{
	return READ_ONCE(per_cpu(root_cpu.on, cpu));
}

/**
 * vtx_root_stopped() - is the machine going down?
 *
 * Return: true once VMX is off for good.
 */
bool vtx_root_stopped(void)
{
	return READ_ONCE(rebooting) || READ_ONCE(broken);
}

/**
 * vtx_root_tsc_lost() - how far suspends have set the TSC back
 *
 * SDM vol. 3 "Time-Stamp Counter": cleared by reset, which is how a suspended
 * machine wakes. Guests must not see it: offsets to their TSC count from RDTSC
 * plus this. It changes only while no VMCS is active anywhere.
 *
 * Context: any.
 * Return: ticks.
 */
u64 vtx_root_tsc_lost(void)
{
	return tsc_lost;
}

/**
 * vtx_root_tsc() - the host's TSC, less what suspends took from it
 *
 * Context: any.
 * Return: ticks.
 */
u64 vtx_root_tsc(void)
{
	return rdtsc() + tsc_lost;
}

/**
 * vtx_root_invvpid() - execute INVVPID on this CPU
 * @type: VMX_VPID_EXTENT_*; the caller has checked that it is supported
 * @vpid: the tag, not 0 unless @type is all-context
 * @gla:  linear address for the individual-address type
 *
 * Context: preemption off, CPU in VMX operation.
 * Return: 0, or -EIO on VMfail.
 */
int vtx_root_invvpid(unsigned long type, u16 vpid, u64 gla)
{
	return invvpid(type, vpid, gla);
}

/**
 * vtx_root_invept() - execute INVEPT on this CPU
 * @type: VMX_EPT_EXTENT_*; the caller has checked that it is supported
 * @eptp: the EPT pointer for the single-context type, else 0
 *
 * Context: preemption off, CPU in VMX operation.
 * Return: 0, or -EIO on VMfail.
 */
int vtx_root_invept(unsigned long type, u64 eptp)
{
	return invept(type, eptp);
}

/* SDM vol. 3 "Restrictions on VMX Operation". */
static bool host_cr_fixed_ok(void)
{
	unsigned long cr0 = read_cr0(), cr4 = __read_cr4() | X86_CR4_VMXE;

	return (cr0 & vtx_caps.cr0_fixed0) == vtx_caps.cr0_fixed0 &&
	       !(cr0 & ~vtx_caps.cr0_fixed1) &&
	       (cr4 & vtx_caps.cr4_fixed0) == vtx_caps.cr4_fixed0 &&
	       !(cr4 & ~vtx_caps.cr4_fixed1);
}

/* On the CPU, IRQs off. */
static int cpu_on(void)
{
	struct root_cpu *rc = this_cpu_ptr(&root_cpu);
	int r;

	if (__read_cr4() & X86_CR4_VMXE) {
		pr_err("refused: CPU %d is in VMX operation already (CR4.VMXE); unload the other hypervisor\n",
		       smp_processor_id());
		return -EBUSY;
	}
	r = vtx_caps_vmx_usable();
	if (!r)
		r = vtx_caps_check_cpu();
	if (r)
		return r;
	if (!host_cr_fixed_ok()) {
		pr_err("refused: CPU %d has a CR0 or CR4 value that VMX forbids\n",
		       smp_processor_id());
		return -EOPNOTSUPP;
	}

	*(u32 *)rc->vmxon_region = vmx_basic_vmcs_revision_id(vtx_caps.basic);
	vtx_pt_handle_vmx(1);
	cr4_set_bits(X86_CR4_VMXE);
	if (vmxon(__pa(rc->vmxon_region))) {
		pr_err("refused: VMXON failed on CPU %d\n", smp_processor_id());
		goto out_cr4;
	}
	if (root_ops->scrub()) {
		pr_err("refused: INVEPT or INVVPID failed on CPU %d\n",
		       smp_processor_id());
		goto out_vmxoff;
	}
	WRITE_ONCE(rc->on, true);
	return 0;

out_vmxoff:
	vmxoff();
out_cr4:
	cr4_clear_bits(X86_CR4_VMXE);
	vtx_pt_handle_vmx(0);
	return -EIO;
}

/* On the CPU, IRQs off. */
static void cpu_off(void)
{
	struct root_cpu *rc = this_cpu_ptr(&root_cpu);

	if (!rc->on)
		return;
	WRITE_ONCE(rc->on, false);
	/* SDM vol. 3 "VMXOFF": data of an active VMCS may be lost in the CPU. */
	root_ops->before_off();
	WARN_ON_ONCE(vmxoff());
	cr4_clear_bits(X86_CR4_VMXE);
	vtx_pt_handle_vmx(0);
	root_ops->after_off(smp_processor_id());
}

static int bring_online(unsigned int cpu)
{
	unsigned long flags;
	int r;

	local_irq_save(flags);
	r = READ_ONCE(rebooting) ? -ESHUTDOWN : cpu_on();
	local_irq_restore(flags);
	return r;
}

static int take_offline(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	cpu_off();
	local_irq_restore(flags);
	return 0;
}

static void cpu_off_ipi(void *unused)
{
	cpu_off();
}

static void stop_all(void)
{
	WRITE_ONCE(rebooting, true);
	on_each_cpu(cpu_off_ipi, NULL, 1);
}

static int root_reboot(struct notifier_block *nb, unsigned long event, void *data)
{
	stop_all();
	return NOTIFY_OK;
}

static struct notifier_block reboot_nb = { .notifier_call = root_reboot };

/* syscore suspend and resume run on one CPU with IRQs off. */
static int root_suspend(VTX_SYSCORE_ARG)
{
	cpu_off();
	tsc_at_suspend = rdtsc();
	return 0;
}

static void root_resume(VTX_SYSCORE_ARG)
{
	u64 tsc = rdtsc();

	if (tsc < tsc_at_suspend)
		tsc_lost += tsc_at_suspend - tsc;
	/* vCPUs get -EIO from KVM_RUN then. */
	if (cpu_on())
		WRITE_ONCE(broken, true);
}

static void root_shutdown(VTX_SYSCORE_ARG)
{
	stop_all();
}

static struct syscore_ops root_syscore_ops = {
	.suspend = root_suspend,
	.resume = root_resume,
	.shutdown = root_shutdown,
};

static struct syscore root_syscore = { .ops = &root_syscore_ops };

/*
 * The machine is going down, and this may be an NMI in the middle of cpu_on() or
 * cpu_off(), where the flag is not the truth. CR4.VMXE covers all of VMX operation;
 * VMXOFF outside of it faults, to no harm.
 */
static void root_crash(void)
{
	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	WRITE_ONCE(this_cpu_ptr(&root_cpu)->on, false);
	root_ops->crash();
	vmxoff();
	cr4_clear_bits(X86_CR4_VMXE);
}

/* Presence, not use: kvm_intel owns the only crash slot and may VMXON any time. */
static int check_neighbours(void)
{
	struct kobject *kvm = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, "kvm_intel");
	u64 rtit;

	if (kvm) {
		kobject_put(kvm);
		pr_err("refused: kvm_intel is loaded; run \"rmmod kvm_intel\" first\n");
		return -EBUSY;
	}
	/* SDM vol. 3 "VMXON": fails while tracing unless IA32_VMX_MISC[14]. */
	if (boot_cpu_has(X86_FEATURE_INTEL_PT) && !(vtx_caps.misc & BIT(14)) &&
	    !rdmsrq_safe(MSR_IA32_RTIT_CTL, &rtit) && (rtit & RTIT_CTL_TRACEEN)) {
		pr_err("refused: Intel PT is tracing and this CPU can't trace in VMX operation; stop the trace first\n");
		return -EBUSY;
	}
#ifdef X86_FEATURE_FRED
	if (boot_cpu_has(X86_FEATURE_FRED)) {
		pr_err("refused: FRED event delivery is active; boot with \"fred=off\"\n");
		return -EOPNOTSUPP;
	}
#endif
	return 0;
}

/*
 * kvm_intel would take the crash slot that is ours, with a WARN. Its modalias
 * makes udev load it at any time.
 */
static int module_coming(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *mod = data;

	if (event != MODULE_STATE_COMING || strcmp(mod->name, "kvm_intel"))
		return NOTIFY_DONE;
	pr_err_ratelimited("kvm_intel can't be loaded beside vtx; run \"rmmod vtx\" first\n");
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block module_nb = { .notifier_call = module_coming };

static void free_regions(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(root_cpu.vmxon_region, cpu));
		per_cpu(root_cpu.vmxon_region, cpu) = NULL;
	}
}

/**
 * vtx_root_init() - put every CPU into VMX operation and keep it there
 * @ops: hooks of the layers above, valid until vtx_root_exit() returns
 *
 * Context: module load; vtx_caps_init() has succeeded.
 * Return: 0; -EBUSY if somebody else owns VMX; -EOPNOTSUPP, -EIO, -ENOMEM.
 */
int __init vtx_root_init(const struct vtx_root_ops *ops)
{
	int cpu, r;

	r = register_module_notifier(&module_nb);
	if (r)
		return r;
	r = check_neighbours();
	if (r)
		goto out_notifier;
	root_ops = ops;
	r = -ENOMEM;
	for_each_possible_cpu(cpu) {
		/* SDM vol. 3 "VMXON Region": at most 4096 bytes, 4-KByte aligned. */
		per_cpu(root_cpu.vmxon_region, cpu) =
			(void *)get_zeroed_page(GFP_KERNEL);
		if (!per_cpu(root_cpu.vmxon_region, cpu))
			goto out_free;
	}
	vtx_emergency_register(root_crash);
	r = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/vtx:online",
			      bring_online, take_offline);
	if (r < 0)
		goto out_emergency;
	hotplug_state = r;
	register_syscore(&root_syscore);
	register_reboot_notifier(&reboot_nb);
	return 0;

out_emergency:
	vtx_emergency_unregister(root_crash);
out_free:
	free_regions();
out_notifier:
	unregister_module_notifier(&module_nb);
	return r;
}

/**
 * vtx_root_exit() - the mirror of vtx_root_init()
 *
 * Context: module unload or a failed load; no VMCS is in use.
 */
void vtx_root_exit(void)
{
	unregister_reboot_notifier(&reboot_nb);
	unregister_syscore(&root_syscore);
	cpuhp_remove_state(hotplug_state);
	vtx_emergency_unregister(root_crash);
	free_regions();
	unregister_module_notifier(&module_nb);
}
