/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MSR_H
#define _VTX_MSR_H

#include <linux/types.h>

struct vtx_vcpu;

unsigned int vtx_msr_list(u32 *indices, unsigned int max);
int vtx_msr_alloc(struct vtx_vcpu *vcpu);
void vtx_msr_free(struct vtx_vcpu *vcpu);
bool vtx_msr_is_swapped(u32 index);
int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool from_guest);
int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool from_guest);
bool vtx_apic_base_valid(u64 data);
bool vtx_msr_exists(u32 index);
unsigned int vtx_msr_feature_list(u32 *indices, unsigned int max);
int vtx_msr_feature(u32 index, u64 *data);
void vtx_msr_intercept(struct vtx_vcpu *vcpu, u32 index, bool read, bool write);

#endif /* _VTX_MSR_H */
