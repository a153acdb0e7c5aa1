/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VMCS_INIT_H
#define _VTX_VMCS_INIT_H

struct vtx_vcpu;

void vtx_vmcs_init(struct vtx_vcpu *vcpu);
int vtx_vcpu_load_here(struct vtx_vcpu *vcpu);
void vtx_vcpu_load(struct vtx_vcpu *vcpu);
void vtx_vcpu_put(struct vtx_vcpu *vcpu);

#endif /* _VTX_VMCS_INIT_H */
