/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - what differs between kernels
 *
 * The only place for it. Features are probed by symbol in Kbuild
 * (VTX_HAVE_...); a version check stands here only where nothing can be probed.
 */
#ifndef _VTX_COMPAT_H
#define _VTX_COMPAT_H

#include <linux/types.h>

#include <asm/reboot.h>

/*
 * The core kernel's emergency path (crash, kexec of a crash kernel): KVM and
 * vtx share one slot, which is why vtx refuses to load beside kvm_intel.
 */
#ifdef VTX_HAVE_EMERGENCY_CALLBACK
static inline void vtx_emergency_register(cpu_emergency_virt_cb *cb)
{
	cpu_emergency_register_virt_callback(cb);
}

static inline void vtx_emergency_unregister(cpu_emergency_virt_cb *cb)
{
	cpu_emergency_unregister_virt_callback(cb);
}
#else
#error "vtx: no emergency VMXOFF hook in this kernel; supported: 6.1.153 and later 6.1.y"
#endif

/* Faults take spinlocks with preemption off, which sleep on such a kernel. */
#ifdef CONFIG_PREEMPT_RT
#error "vtx: PREEMPT_RT kernels are not supported"
#endif

/* Intel PT must know that VMX is on: some CPUs can't trace in VMX operation. */
#ifdef VTX_HAVE_PT_HANDLE_VMX
#include <linux/perf_event.h>
#define vtx_pt_handle_vmx(on) intel_pt_handle_vmx(on)
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
#else
static inline void vtx_ibpb_exit_to_user(void) { }
#endif

/*
 * guest_state_enter_irqoff() of <linux/kvm_host.h> less its note of a quiescent
 * state to RCU at every entry: run.c takes note after each interrupt, and leaving
 * the run loop is one.
 */
#include <linux/kvm_host.h>
static __always_inline void vtx_guest_state_enter(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(CALLER_ADDR0);
}

#endif /* _VTX_COMPAT_H */
