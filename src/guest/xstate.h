/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_XSTATE_H
#define _VTX_XSTATE_H

#include <linux/kvm.h>

struct vtx_vcpu;

void vtx_get_xsave(struct vtx_vcpu *vcpu, struct kvm_xsave *xsave);
int vtx_set_xsave(struct vtx_vcpu *vcpu, const struct kvm_xsave *xsave);
bool vtx_xcr0_valid(u64 xcr0, u64 allowed);
void vtx_get_xcrs(struct vtx_vcpu *vcpu, struct kvm_xcrs *xcrs);
int vtx_set_xcrs(struct vtx_vcpu *vcpu, const struct kvm_xcrs *xcrs);

#endif /* _VTX_XSTATE_H */
