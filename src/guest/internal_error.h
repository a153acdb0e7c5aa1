/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_INTERNAL_ERROR_H
#define _VTX_INTERNAL_ERROR_H

#include <linux/types.h>

struct vtx_vcpu;

int vtx_emulation_failure(struct vtx_vcpu *vcpu, const u8 *bytes, unsigned int n);
int vtx_task_switch_failure(struct vtx_vcpu *vcpu);
int vtx_internal_error(struct vtx_vcpu *vcpu, u32 suberror);
int vtx_delivery_error(struct vtx_vcpu *vcpu);
int vtx_fail_entry(struct vtx_vcpu *vcpu, u64 reason);

#endif /* _VTX_INTERNAL_ERROR_H */
