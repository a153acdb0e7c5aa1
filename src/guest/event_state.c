// SPDX-License-Identifier: GPL-2.0
/*
 * event_state.c - events in flight, to and from the VMM
 *
 * KVM_GET/SET_VCPU_EVENTS, and SYNC_REGS, which moves the same structures
 * through the run page.
 */
#include "guest/event_state.h"

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/processor-flags.h>

#include "guest/event.h"
#include "guest/state.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define SHADOW	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

#define FLAGS	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | \
		 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM)

/**
 * vtx_get_events() - KVM_GET_VCPU_EVENTS
 * @vcpu:   the vCPU; VMCS current
 * @events: result
 *
 * Software exceptions and interrupts are not reported: RIP is still at their
 * instruction, which will raise them again.
 */
void vtx_get_events(struct vtx_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	const struct vtx_event *e = &vcpu->event;
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	memset(events, 0, sizeof(*events));
	if ((e->info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_HARD_EXCEPTION) {
		events->exception.injected = 1;
		events->exception.nr = e->info & INTR_INFO_VECTOR_MASK;
		events->exception.has_error_code =
			!!(e->info & INTR_INFO_DELIVER_CODE_MASK);
		if (events->exception.has_error_code)
			events->exception.error_code = e->error;
	}
	if (e->irq) {
		events->interrupt.injected = 1;
		events->interrupt.nr = (u8)e->irq;
	}
	if (blocked & GUEST_INTR_STATE_STI)
		events->interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
	if (blocked & GUEST_INTR_STATE_MOV_SS)
		events->interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
	events->nmi.pending = e->nmi;
	events->nmi.masked = !!(blocked & GUEST_INTR_STATE_NMI);
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
}

static u32 blocked_by(const struct kvm_vcpu_events *events, u32 blocked)
{
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW) {
		blocked &= ~SHADOW;
		if (events->interrupt.shadow & KVM_X86_SHADOW_INT_STI)
			blocked |= GUEST_INTR_STATE_STI;
		else if (events->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS)
			blocked |= GUEST_INTR_STATE_MOV_SS;
	}
	blocked &= ~GUEST_INTR_STATE_NMI;
	if (events->nmi.masked)
		blocked |= GUEST_INTR_STATE_NMI;
	return blocked;
}

/**
 * vtx_set_events() - KVM_SET_VCPU_EVENTS
 * @vcpu:   the vCPU; VMCS current
 * @events: the values
 *
 * Return: 0; -EINVAL: unknown flags, SMM, no vector of an exception.
 */
int vtx_set_events(struct vtx_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct vtx_event *e = &vcpu->event;
	u32 blocked = blocked_by(events, vmcs_read32(GUEST_INTERRUPTIBILITY_INFO));
	unsigned int nmis = e->nmi;

	if (events->flags & ~FLAGS)
		return -EINVAL;
	/* Without VALID_PAYLOAD exception.pending has no meaning. */
	if (events->exception.injected &&
	    (events->exception.nr > 31 || events->exception.nr == X86_TRAP_NMI))
		return -EINVAL;
	if ((events->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (events->smi.smm || events->smi.pending))
		return -EINVAL;

	e->info = 0;
	e->shutdown = false;
	if (events->exception.injected)
		vtx_event_restore(vcpu, events->exception.nr,
				  events->exception.has_error_code,
				  events->exception.error_code);
	e->irq = events->interrupt.injected ? VTX_IRQ_WAITS | events->interrupt.nr : 0;
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		nmis = events->nmi.pending;
	if (events->nmi.injected)
		nmis++;
	e->nmi = min_t(unsigned int, nmis, vtx_event_nmi_limit(blocked));
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, blocked);
	return 0;
}

/**
 * vtx_sync_in() - before the run: what the VMM has marked in kvm_dirty_regs
 * @vcpu: the vCPU
 *
 * The run page can change under us: everything is copied before it is looked at.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL: unknown bits, or as the set ioctls.
 */
int vtx_sync_in(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
	} copy;
	int r = 0;

	if ((READ_ONCE(run->kvm_valid_regs) | dirty) & ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	if (likely(!dirty))
		return 0;
	vtx_vcpu_load(vcpu);
	if (dirty & KVM_SYNC_X86_REGS) {
		memcpy(&copy.regs, &run->s.regs.regs, sizeof(copy.regs));
		barrier();
		vtx_set_regs(vcpu, &copy.regs);
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		memcpy(&copy.sregs, &run->s.regs.sregs, sizeof(copy.sregs));
		barrier();
		r = vtx_set_sregs(vcpu, &copy.sregs);
		if (!r)
			run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_SREGS;
	}
	if (!r && (dirty & KVM_SYNC_X86_EVENTS)) {
		memcpy(&copy.events, &run->s.regs.events, sizeof(copy.events));
		barrier();
		r = vtx_set_events(vcpu, &copy.events);
		if (!r)
			run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_EVENTS;
	}
	vtx_vcpu_put(vcpu);
	return r ? -EINVAL : 0;
}

/**
 * vtx_sync_out() - after the run: what the VMM asks for in kvm_valid_regs
 * @vcpu: the vCPU; VMCS current
 */
void vtx_sync_out(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 valid = READ_ONCE(run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		vtx_get_regs(vcpu, &run->s.regs.regs);
	if (valid & KVM_SYNC_X86_SREGS)
		vtx_get_sregs(vcpu, &run->s.regs.sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		vtx_get_events(vcpu, &run->s.regs.events);
}
