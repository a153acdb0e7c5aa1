/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VMCS_H
#define _VTX_VMCS_H

#include <linux/percpu.h>
#include <linux/types.h>

#include "types/vmx.h"

DECLARE_PER_CPU(struct vtx_vmcs *, vtx_current_vmcs);

void vtx_vmcs_setup(void);
int vtx_vmcs_alloc(struct vtx_vmcs *vmcs);
void vtx_vmcs_free(struct vtx_vmcs *vmcs);
int vtx_vmcs_make_current(struct vtx_vmcs *vmcs);
void vtx_vmcs_clear_cpu(void);
void vtx_vmcs_crash_cpu(void);

/**
 * vtx_vmcs_is_current() - is it this CPU's current VMCS?
 * @vmcs: the VMCS
 *
 * Context: preemption off.
 * Return: true mostly: vtx_vmcs_make_current() is only for the other case.
 */
static __always_inline bool vtx_vmcs_is_current(const struct vtx_vmcs *vmcs)
{
	return likely(this_cpu_read(vtx_current_vmcs) == vmcs);
}

#endif /* _VTX_VMCS_H */
