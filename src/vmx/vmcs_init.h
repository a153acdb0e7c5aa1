/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VMCS_INIT_H
#define _VTX_VMCS_INIT_H

#include <linux/compiler.h>
#include <linux/preempt.h>

#include "vmx/vmcs.h"
#include "vtx.h"

void vtx_vmcs_init(struct vtx_vcpu *vcpu);
int vtx_vcpu_make_current(struct vtx_vcpu *vcpu);
void vtx_vcpu_make_current_wait(struct vtx_vcpu *vcpu);

/**
 * vtx_vcpu_load_here() - make the vCPU's VMCS current, host fields included
 * @vcpu: the vCPU
 *
 * Context: preemption off.
 * Return: 0, -EAGAIN or -EIO as vtx_vmcs_make_current().
 */
static inline int vtx_vcpu_load_here(struct vtx_vcpu *vcpu)
{
	return vtx_vmcs_is_current(&vcpu->vmcs) ? 0 : vtx_vcpu_make_current(vcpu);
}

/**
 * vtx_vcpu_load() - preemption off and the vCPU's VMCS current
 * @vcpu: the vCPU
 *
 * Context: may sleep; until vtx_vcpu_put() it may not.
 */
static inline void vtx_vcpu_load(struct vtx_vcpu *vcpu)
{
	preempt_disable();
	if (!vtx_vmcs_is_current(&vcpu->vmcs))
		vtx_vcpu_make_current_wait(vcpu);
}

/**
 * vtx_vcpu_put() - the mirror of vtx_vcpu_load(); the VMCS stays active
 * @vcpu: the vCPU
 */
static inline void vtx_vcpu_put(struct vtx_vcpu *vcpu)
{
	preempt_enable();
}

#endif /* _VTX_VMCS_INIT_H */
