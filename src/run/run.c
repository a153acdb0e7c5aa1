// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - KVM_RUN: the loop that is the hypervisor
 *
 * Three rings. vtx_run() may sleep; it lives until the VMM has something to do.
 * stay() keeps preemption off and the guest's FPU and MSRs in the CPU; it lives
 * until an exit needs to sleep, the VMM, the scheduler or a signal wants the
 * thread. trip() has IRQs off; it lives until an interrupt, or an exit that
 * changes more than guest registers. CPUID and its like never leave it. A stay
 * of one trip, as for port I/O, has IRQs off from end to end.
 *
 * Two races, both won with IRQs off: who wants this thread (signal, reschedule)
 * after the last look sends an interrupt, which is pending at VM entry and
 * becomes an exit at once; who wants the CPU's translations gone (tlb.c) does
 * the same and waits.
 */
#include "run/run.h"

#include <linux/errno.h>
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>

#include "emulate/gwalk.h"
#include "emulate/mmio.h"
#include "guest/cr.h"
#include "guest/event.h"
#include "guest/event_state.h"
#include "guest/internal_error.h"
#include "run/exit.h"
#include "run/exit_io.h"
#include "run/exit_msr.h"
#include "tlb/tlb.h"
#include "vmx/compat.h"
#include "vmx/enter.h"
#include "vmx/host.h"
#include "vmx/l1d.h"
#include "vmx/root.h"
#include "vmx/trace.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* A few microseconds with IRQs off. */
#define MAX_ROUNDS	64

/* An NMI that arrived in the guest is the host's, and before anything else. */
static __always_inline void forward_nmi(struct vtx_vcpu *vcpu)
{
	u32 info;

	if (likely((u16)vcpu->exit.reason != EXIT_REASON_EXCEPTION_NMI))
		return;
	info = vmcs_read32(VM_EXIT_INTR_INFO);
	/* NMIs are blocked by the exit until the IRET of this handler. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
}

/* No code in here may be traced: the context is the guest's for RCU and lockdep. */
static __always_inline int into_guest_and_back(struct vtx_vcpu *vcpu)
{
	int failed;

	vtx_guest_state_enter();
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
	failed = vtx_enter(vcpu->regs, vcpu->vmcs.launched);
	vcpu->cr2 = native_read_cr2();
	if (likely(!failed)) {
		vcpu->exit.reason = vmcs_read32(VM_EXIT_REASON);
		forward_nmi(vcpu);
	}
	vtx_guest_state_exit();
	return failed;
}

/*
 * Into the guest, and again after each exit that its handler can serve on the
 * spot: nothing that vtx_tlb_enter() and vtx_host_enter() looked at
 * changes meanwhile, and whoever wants this CPU has an interrupt pending, which
 * ends the next entry at once. Not so an entry that injects: its delivery can
 * exit before any interrupt is looked at, for ever if the guest arranges that.
 * IRQs must come on in between, as they do every MAX_ROUNDS exits in any case:
 * nobody's latency is to depend on the CPU's last rule.
 */
static noinstr int trip(struct vtx_vcpu *vcpu, unsigned int rounds)
{
	int r;

	do {
		if (unlikely(into_guest_and_back(vcpu)))
			return VTX_NO_ENTRY;
		instrumentation_begin();
		trace_vtx_exit(vcpu->exit.reason);
		r = vtx_exit_fast(vcpu);
		instrumentation_end();
	} while (r == VTX_RESUME && --rounds && !vtx_event_due(vcpu));
	return r;
}

/* IRQs off. Return: as exit handlers; VTX_NO_ENTRY: there was no VM entry. */
static __always_inline int enter(struct vtx_vcpu *vcpu)
{
	unsigned int rounds = vtx_tlb_straight() && vtx_l1d_straight() ? MAX_ROUNDS : 1;
	int r;

	if (unlikely(vtx_tlb_enter(&vcpu->tlb)))
		return VTX_NO_ENTRY;
	guest_timing_enter_irqoff();
	if (unlikely(vtx_event_due(vcpu)))
		vtx_event_prepare(vcpu);
	r = trip(vcpu, rounds);
	vtx_tlb_exit(&vcpu->tlb);
	return unlikely(vcpu->event.shutdown) ? vtx_exit_shutdown(vcpu) : r;
}

/* SDM vol. 3 "VM-Instruction Error Numbers". */
static int entry_failed(struct vtx_vcpu *vcpu)
{
	struct vtx_tlb_vm *tlb = &vcpu->vm->tlb;

	if (!vtx_root_cpu_on(smp_processor_id()))
		return -EIO;
	if (READ_ONCE(tlb->failed))
		vtx_tlb_stop(tlb);
	if (vcpu->vmcs.failed || READ_ONCE(tlb->failed))
		return vtx_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	return vtx_fail_entry(vcpu, vmcs_read32(VM_INSTRUCTION_ERROR));
}

/* Is @r, from an exit handler, nobody's business outside the stay? */
static __always_inline bool goes_on(int r)
{
	return r == VTX_RESUME || r == VTX_AROUND || r == VTX_ATOMIC;
}

/*
 * Interrupts get their turn, then exits that are served with IRQs on. After an
 * interrupt RCU may take this for user mode: the tick is one, and no other quiescent
 * state comes from a guest that computes. Return: as exit handlers; VTX_RESUME with IRQs off.
 */
static noinline int around(struct vtx_vcpu *vcpu, int r)
{
	vtx_host_irqs_on(vcpu);
	/* The interrupt that ended the guest's time is accounted to the guest. */
	local_irq_enable();
	/* STI's shadow lasts one instruction. */
	asm volatile("nop");
	local_irq_disable();
	guest_timing_exit_irqoff();
	if (r == VTX_ATOMIC) {
		local_irq_enable();
		r = vtx_exit_atomic(vcpu);
		local_irq_disable();
	} else {
		vtx_rcu_note_quiescent();
	}
	return goes_on(r) ? VTX_RESUME : r;
}

/* IRQs off. Does somebody want the thread? */
static __always_inline bool host_work_pending(void)
{
	xfer_to_guest_mode_prepare();
	return __xfer_to_guest_mode_work_pending();
}

/*
 * In and out of the guest until something else is to be done. IRQs off at both
 * ends. Return: as exit handlers; VTX_RESUME: come back after whoever wants the
 * thread.
 */
static __always_inline int stay(struct vtx_vcpu *vcpu)
{
	int r = enter(vcpu);

	while (unlikely(goes_on(r))) {
		r = around(vcpu, r);
		if (r != VTX_RESUME || host_work_pending())
			return r;
		vtx_host_irqs_off(vcpu);
		r = enter(vcpu);
	}
	guest_timing_exit_irqoff();
	return r;
}

/* Reschedule, signals, and work queued for the return to user mode. */
static int do_host_work(struct vtx_vcpu *vcpu)
{
	int r = 0;

	if (__xfer_to_guest_mode_work_pending())
		r = vtx_handle_host_work();
	if (r)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	return r;
}

/* The CPU is going offline and this thread will be moved; or all are. */
static noinline int no_vmx_here(int error)
{
	preempt_enable();
	if (error != -EAGAIN || vtx_root_stopped())
		return -EIO;
	schedule_timeout_interruptible(1);
	return VTX_RESUME;
}

/* One stay, between borrowing the host's state and giving it back. */
static __always_inline int visit(struct vtx_vcpu *vcpu)
{
	int r;

	preempt_disable();
	r = vtx_vcpu_load_here(vcpu);
	if (unlikely(r))
		return no_vmx_here(r);
	local_irq_disable();
	r = VTX_RESUME;
	if (likely(!host_work_pending())) {
		vtx_host_enter(vcpu);
		r = stay(vcpu);
		vtx_host_leave(vcpu);
		vcpu->ran |= vcpu->vmcs.launched;
	}
	local_irq_enable();
	if (unlikely(r == VTX_NO_ENTRY))
		r = entry_failed(vcpu);
	preempt_enable();
	return r;
}

/* The VMM's side of an I/O exit is done. */
static int complete_io(struct vtx_vcpu *vcpu)
{
	switch (vcpu->pending) {
	case VTX_IO_PIO:
	case VTX_IO_STRING:
		return vtx_pio_complete(vcpu);
	case VTX_IO_MMIO:
		return vtx_mmio_complete(vcpu);
	case VTX_IO_RDMSR:
	case VTX_IO_WRMSR:
		return vtx_msr_complete(vcpu);
	default:
		return VTX_RESUME;
	}
}

static int before_visit(struct vtx_vcpu *vcpu)
{
	if (unlikely(vcpu->vmcs.failed))
		return vtx_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (unlikely(vcpu->event.shutdown))
		return vtx_exit_shutdown(vcpu);
	/* Missing PDPTEs leave the guest with page faults, not us with an error. */
	if (unlikely(vcpu->pdptes_stale))
		vtx_load_pdptes(vcpu);
	return VTX_RESUME;
}

static int run_guest(struct vtx_vcpu *vcpu)
{
	int r;

	do {
		r = do_host_work(vcpu);
		if (r)
			return r;
		r = before_visit(vcpu);
		if (r == VTX_RESUME)
			r = visit(vcpu);
		if (r == VTX_SLOW)
			r = vtx_exit_slow(vcpu);
	} while (r == VTX_RESUME);
	return r;
}

/* What the VMM finds in the run page after every KVM_RUN, failed or not. */
static void fill_run_page(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	unsigned long rflags;

	if (unlikely(vcpu->event.info))
		vtx_event_unwind(&vcpu->event);
	vtx_vcpu_load(vcpu);
	rflags = vmcs_readl(GUEST_RFLAGS);
	run->if_flag = !!(rflags & X86_EFLAGS_IF);
	run->ready_for_interrupt_injection = vtx_event_irq_allowed(vcpu, rflags);
	if (unlikely(READ_ONCE(run->kvm_valid_regs)))
		vtx_sync_out(vcpu);
	vtx_vcpu_put(vcpu);
	run->cr8 = vcpu->cr8;
	run->apic_base = vcpu->apic_base;
	run->flags = 0;
}

/* What the VMM has put into the run page. */
static int read_run_page(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 cr8 = READ_ONCE(run->cr8);
	int r;

	if (unlikely(cr8 > 15))
		return -EINVAL;
	if (unlikely(READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs))) {
		r = vtx_sync_in(vcpu);
		if (r)
			return r;
	}
	vcpu->cr8 = cr8;
	vcpu->event.user_window = READ_ONCE(run->request_interrupt_window);
	return 0;
}

/**
 * vtx_run() - KVM_RUN
 * @vcpu: the vCPU, whose mutex is held
 *
 * Context: may sleep; the VM's own process.
 * Return: 0 with vcpu->run->exit_reason; -EINTR: immediate_exit or a signal;
 * -EINVAL: bad CR8 in the run page; -EFAULT: the process has no memory where a
 * slot says so; -EIO: the process that owns the VM is gone.
 */
int vtx_run(struct vtx_vcpu *vcpu)
{
	int r = read_run_page(vcpu);

	if (!r) {
		r = VTX_RESUME;
		if (vcpu->pending != VTX_IO_NONE)
			r = complete_io(vcpu);
		if (r == VTX_RESUME)
			r = READ_ONCE(vcpu->run->immediate_exit__unsafe) ? -EINTR : run_guest(vcpu);
	}
	fill_run_page(vcpu);
	return r;
}
