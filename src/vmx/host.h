/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_HOST_H
#define _VTX_HOST_H

#include <linux/types.h>

struct vtx_vcpu;

int vtx_host_setup(void);
void vtx_host_cleanup(void);

int vtx_fpu_alloc(struct vtx_vcpu *vcpu);
void vtx_fpu_free(struct vtx_vcpu *vcpu);
u64 vtx_fpu_xcr0_supported(void);
unsigned int vtx_fpu_size(void);

void vtx_host_enter(struct vtx_vcpu *vcpu);
void vtx_host_leave(struct vtx_vcpu *vcpu);
bool vtx_host_has_guest_msrs(const struct vtx_vcpu *vcpu);
void vtx_host_reload_msrs(struct vtx_vcpu *vcpu);
void vtx_host_irqs_on(struct vtx_vcpu *vcpu);
void vtx_host_irqs_off(struct vtx_vcpu *vcpu);

#endif /* _VTX_HOST_H */
