/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_DEBUG_H
#define _VTX_DEBUG_H

#include <linux/kvm.h>
#include <linux/types.h>

struct vtx_vcpu;

/* KVM_CAP_SET_GUEST_DEBUG2: what KVM_SET_GUEST_DEBUG understands. */
#define VTX_GUESTDBG	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |	\
			 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |	\
			 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |	\
			 KVM_GUESTDBG_BLOCKIRQ)

int vtx_debug_set(struct vtx_vcpu *vcpu, const struct kvm_guest_debug *dbg);
int vtx_debug_exception(struct vtx_vcpu *vcpu, u8 vector);
int vtx_debug_detect(struct vtx_vcpu *vcpu);
int vtx_debug_step(struct vtx_vcpu *vcpu);
void vtx_get_debugregs(struct vtx_vcpu *vcpu, struct kvm_debugregs *regs);
int vtx_set_debugregs(struct vtx_vcpu *vcpu, const struct kvm_debugregs *regs);

#endif /* _VTX_DEBUG_H */
