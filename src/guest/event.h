/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EVENT_H
#define _VTX_EVENT_H

#include <linux/types.h>

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "vmx/vmx_insn.h"
#include "vtx.h"

/* Nothing is delivered in the shadow of STI, MOV SS or POP SS. */
#define VTX_BLOCKED_STI_MOVSS	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

void vtx_queue_exception(struct vtx_vcpu *vcpu, u8 vector);
void vtx_queue_exception_error(struct vtx_vcpu *vcpu, u8 vector, u32 error);
void vtx_queue_gp(struct vtx_vcpu *vcpu);
void vtx_queue_pf(struct vtx_vcpu *vcpu, u64 cr2, u32 error);
void vtx_queue_db(struct vtx_vcpu *vcpu, u64 dr6);
void vtx_queue_bp(struct vtx_vcpu *vcpu, u32 len);
void vtx_event_restore(struct vtx_vcpu *vcpu, u8 vector, bool has_error, u32 error);
void vtx_event_nmi(struct vtx_vcpu *vcpu);
void vtx_dr_update(struct vtx_vcpu *vcpu);

void vtx_event_pend_step(void);
void vtx_retire(struct vtx_vcpu *vcpu, u64 rip);
void vtx_retire_round(struct vtx_vcpu *vcpu);
u64 vtx_wrapped_rip(const struct vtx_vcpu *vcpu, u64 rip);
int vtx_skip_insn(struct vtx_vcpu *vcpu);

void vtx_event_save_vectoring(struct vtx_vcpu *vcpu, u32 idt_info);
void vtx_event_unwind(struct vtx_event *e);
void vtx_event_prepare(struct vtx_vcpu *vcpu);

/*
 * The address of the next instruction; VMCS current. SDM vol. 3 "Checks on Guest
 * RIP, RFLAGS, and SSP": outside 64-bit mode bits 63:32 are 0, the instruction
 * pointer wraps.
 */
static inline u64 vtx_next_rip(const struct vtx_vcpu *vcpu, u64 rip, u32 len)
{
	u64 next = rip + len;

	/* Only then can the mode matter. */
	return likely(!((next ^ rip) >> 32)) ? next : vtx_wrapped_rip(vcpu, next);
}

/**
 * vtx_event_irq_allowed() - could an external interrupt be injected now?
 * @vcpu:   the vCPU; VMCS current
 * @rflags: its RFLAGS
 *
 * Return: true if IF is set, no STI or MOV SS shadow, nothing else queued.
 */
static inline bool vtx_event_irq_allowed(const struct vtx_vcpu *vcpu, unsigned long rflags)
{
	return (rflags & X86_EFLAGS_IF) && !vcpu->event.info && !vcpu->event.irq &&
	       !(vcpu->event.debug & KVM_GUESTDBG_BLOCKIRQ) &&
	       !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & VTX_BLOCKED_STI_MOVSS);
}

/* NMIs that may wait; @blocked: the guest's interruptibility state. */
static inline u8 vtx_event_nmi_limit(u32 blocked)
{
	return blocked & GUEST_INTR_STATE_NMI ? 1 : 2;
}

/* Does VM entry need vtx_event_prepare()? Mostly not, hence one branch. */
static __always_inline bool vtx_event_due(const struct vtx_vcpu *vcpu)
{
	return vcpu->event.any[0] | vcpu->event.any[1];
}

#endif /* _VTX_EVENT_H */
