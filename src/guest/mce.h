/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MCE_H
#define _VTX_MCE_H

#include <linux/kvm.h>
#include <linux/types.h>

struct vtx_vcpu;

#define VTX_MCE_BANKS	32

int vtx_mce_alloc(struct vtx_vcpu *vcpu);
void vtx_mce_free(struct vtx_vcpu *vcpu);
u64 vtx_mce_supported(void);
int vtx_mce_setup(struct vtx_vcpu *vcpu, u64 cap);
int vtx_mce_get_msr(struct vtx_vcpu *vcpu, u32 index, bool host, u64 *data);
int vtx_mce_set_msr(struct vtx_vcpu *vcpu, u32 index, bool host, u64 data);
int vtx_mce_inject(struct vtx_vcpu *vcpu, const struct kvm_x86_mce *error);

#endif /* _VTX_MCE_H */
