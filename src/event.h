/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EVENT_H
#define _VTX_EVENT_H

#include <linux/types.h>

#include <asm/trapnr.h>

#include "vtx.h"

void vtx_queue_exception(struct vtx_vcpu *vcpu, u8 vector);
void vtx_queue_exception_error(struct vtx_vcpu *vcpu, u8 vector, u32 error);
void vtx_queue_gp(struct vtx_vcpu *vcpu);
void vtx_queue_pf(struct vtx_vcpu *vcpu, u64 cr2, u32 error);
void vtx_queue_db(struct vtx_vcpu *vcpu, u64 dr6);

void vtx_event_pend_step(void);
void vtx_retire(struct vtx_vcpu *vcpu, u64 rip);
u64 vtx_next_rip(u64 rip, u32 len);
int vtx_skip_insn(struct vtx_vcpu *vcpu);

void vtx_event_save_vectoring(struct vtx_vcpu *vcpu, u32 idt_info);
void vtx_event_unwind(struct vtx_vcpu *vcpu);
void vtx_event_inject(struct vtx_vcpu *vcpu);
void vtx_event_update_windows(struct vtx_vcpu *vcpu);
bool vtx_event_irq_allowed(const struct vtx_vcpu *vcpu);

/* Is there anything that vtx_event_inject() has to look at? */
static inline bool vtx_event_waiting(const struct vtx_vcpu *vcpu)
{
	return vcpu->event.info || vcpu->event.nmi || vcpu->event.irq >= 0;
}

/* Can the window-exiting controls be other than they are? */
static inline bool vtx_event_wants_window(const struct vtx_vcpu *vcpu)
{
	return vcpu->event.nmi || vcpu->event.irq >= 0 ||
	       vcpu->event.user_window || vcpu->event.window;
}

#endif /* _VTX_EVENT_H */
