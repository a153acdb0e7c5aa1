/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_STATE_H
#define _VTX_STATE_H

#include <linux/kvm.h>

struct vtx_vcpu;

void vtx_get_regs(struct vtx_vcpu *vcpu, struct kvm_regs *regs);
void vtx_set_regs(struct vtx_vcpu *vcpu, const struct kvm_regs *regs);
void vtx_get_sregs(struct vtx_vcpu *vcpu, struct kvm_sregs *sregs);
int vtx_set_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *sregs);
void vtx_get_fpu(struct vtx_vcpu *vcpu, struct kvm_fpu *fpu);
int vtx_set_fpu(struct vtx_vcpu *vcpu, const struct kvm_fpu *fpu);

#endif /* _VTX_STATE_H */
