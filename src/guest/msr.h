/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MSR_H
#define _VTX_MSR_H

#include <linux/types.h>

struct vtx_vcpu;

int vtx_msr_alloc(struct vtx_vcpu *vcpu);
void vtx_msr_free(struct vtx_vcpu *vcpu);
bool vtx_msr_is_swapped(struct vtx_vcpu *vcpu, u32 index);
int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool from_guest);
int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool from_guest);
bool vtx_apic_base_valid(const struct vtx_vcpu *vcpu, u64 data);
void vtx_msr_intercept(struct vtx_vcpu *vcpu, u32 index, bool read, bool write);

#endif /* _VTX_MSR_H */
