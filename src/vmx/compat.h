/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - what differs between kernels
 *
 * The only place for it. compat.mk probes by symbol or declaration (VTX_HAVE_...); no
 * version is checked. Where it can be had, vtx is written for the newer API, and
 * older kernels get it here.
 *
 * A probe that finds nothing must not cost a mitigation in silence: where the kernel
 * knows what the hook is for and has no hook by the name that is known here, the
 * build stops. What is not said so below stops it by itself: an unknown
 * name, another number of arguments. scripts/check-hooks tries those with an #error.
 */
#ifndef _VTX_COMPAT_H
#define _VTX_COMPAT_H

#include <linux/eventfd.h>
#include <linux/kvm.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rcupdate.h>
#include <linux/syscore_ops.h>
#include <linux/types.h>

#include <asm/cpufeatures.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/reboot.h>

/* Reschedule, signals, and work queued for the return to user mode. */
#ifdef VTX_HAVE_ENTRY_VIRT
#include <linux/entry-virt.h>
static inline int vtx_handle_host_work(void)
{
	return xfer_to_guest_mode_handle_work();
}
#else
#include <linux/entry-kvm.h>
/*
 * It wants a struct kvm_vcpu for one purpose: to write KVM_EXIT_INTR where nobody
 * looks. One for all will do.
 */
static inline int vtx_handle_host_work(void)
{
	static struct kvm_run unused_run;
	static struct kvm_vcpu unused_vcpu = { .run = &unused_run };

	return xfer_to_guest_mode_handle_work(&unused_vcpu);
}
#endif

#ifdef VTX_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

/* Accessors of 64 bits: they had an "l" for the "q". */
#ifndef rdmsrq
#define rdmsrq(msr, value) rdmsrl(msr, value)
#define wrmsrq(msr, value) wrmsrl(msr, value)
#define rdmsrq_safe(msr, pointer) rdmsrl_safe(msr, pointer)
#define native_wrmsrq(msr, value) native_wrmsrl(msr, value)
static __always_inline void __wrmsrq(u32 msr, u64 value)
{
	__wrmsr(msr, (u32)value, value >> 32);
}
#endif

/* What callbacks of struct mmu_notifier_ops return that look for an access. */
#ifdef VTX_HAVE_BOOL_YOUNG
#define vtx_young bool
#else
#define vtx_young int
#endif

/*
 * The core kernel's emergency path (crash, kexec of a crash kernel): KVM and
 * vtx share one slot, which is why vtx refuses to load beside kvm_intel.
 */
#ifdef VTX_HAVE_EMERGENCY_CALLBACK
static inline void vtx_emergency_register(void (*crash)(void))
{
	cpu_emergency_register_virt_callback(crash);
}

static inline void vtx_emergency_unregister(void (*crash)(void))
{
	cpu_emergency_unregister_virt_callback(crash);
}
#else
#error "vtx: no emergency VMXOFF hook in this kernel; supported: 6.12.y, 6.1.y from 6.1.153"
#endif

/* Faults take spinlocks with preemption off, which sleep on such a kernel. */
#ifdef CONFIG_PREEMPT_RT
#error "vtx: PREEMPT_RT kernels are not supported"
#endif

/* Suspend and resume of the last CPU: what newer kernels hand to the callbacks. */
#ifdef VTX_HAVE_REGISTER_SYSCORE
#define VTX_SYSCORE_ARG void *unused
#else
#define VTX_SYSCORE_ARG void
struct syscore {
	struct syscore_ops *ops;
};

static inline void register_syscore(struct syscore *syscore)
{
	register_syscore_ops(syscore->ops);
}

static inline void unregister_syscore(struct syscore *syscore)
{
	unregister_syscore_ops(syscore->ops);
}
#endif

/* Intel PT must know that VMX is on: some CPUs can't trace in VMX operation. */
#ifdef VTX_HAVE_PT_HANDLE_VMX
#include <linux/perf_event.h>
#define vtx_pt_handle_vmx(on) intel_pt_handle_vmx(on)
#elif defined(CONFIG_CPU_SUP_INTEL) && defined(CONFIG_PERF_EVENTS)
#error "vtx: this kernel's Intel PT driver has no known way to be told of VMX operation"
#else
#define vtx_pt_handle_vmx(on) do { } while (0)
#endif

/* VMSCAPE: predictors trained by the guest must not steer its own VMM. */
#ifdef VTX_HAVE_IBPB_EXIT_TO_USER
#include <asm/cpufeature.h>
#include <asm/nospec-branch.h>
static inline void vtx_ibpb_exit_to_user(void)
{
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
}
#elif defined(X86_BUG_VMSCAPE)
#error "vtx: this kernel knows VMSCAPE, and vtx does not know its IBPB before user mode"
#else
static inline void vtx_ibpb_exit_to_user(void) { }
#endif

/* root.c refuses a CPU with FRED, where INT 2 is no NMI and IST does not exist. */
#if defined(X86_CR4_FRED_BIT) && !defined(X86_FEATURE_FRED)
#error "vtx: this kernel has FRED, and vtx does not know by which feature"
#endif

static inline void vtx_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef VTX_HAVE_VM_FLAGS_CLEAR
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

static inline void vtx_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef VTX_HAVE_EVENTFD_SIGNAL_COUNT
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* Tells RCU of a quiescent state of this CPU. IRQs off. */
static __always_inline void vtx_rcu_note_quiescent(void)
{
#ifdef VTX_HAVE_RCU_NOTE_VOID
	rcu_virt_note_context_switch();
#else
	rcu_virt_note_context_switch(smp_processor_id());
#endif
}

/* <linux/kvm.h> names it so in the kernel: userspace writes it at any time. */
#ifndef HINT_UNSAFE_IN_KVM
#define immediate_exit__unsafe immediate_exit
#endif

/*
 * guest_state_enter_irqoff() and guest_state_exit_irqoff() of <linux/kvm_host.h> less
 * their note of a quiescent state to RCU each time: run.c takes note after each
 * interrupt, and leaving the run loop is one.
 */
static __always_inline void vtx_guest_state_enter(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void vtx_guest_state_exit(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

#endif /* _VTX_COMPAT_H */
