/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MSR_H
#define _VTX_MSR_H

#include <linux/types.h>

struct vtx_vcpu;

/**
 * struct vtx_msr_direct - an MSR that the guest accesses without an exit
 * @index: its number
 * @write: not only for reading
 */
struct vtx_msr_direct {
	u32 index;
	bool write;
};

#define VTX_NR_MSRS_DIRECT	7
extern const struct vtx_msr_direct vtx_msrs_direct[VTX_NR_MSRS_DIRECT];

unsigned int vtx_msr_list(u32 *indices, unsigned int max);
int vtx_msr_alloc(struct vtx_vcpu *vcpu);
void vtx_msr_free(struct vtx_vcpu *vcpu);
bool vtx_msr_is_swapped(struct vtx_vcpu *vcpu, u32 index);
int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool from_guest);
int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool from_guest);
bool vtx_apic_base_valid(const struct vtx_vcpu *vcpu, u64 data);
bool vtx_msr_exists(u32 index);
unsigned int vtx_msr_feature_list(u32 *indices, unsigned int max);
int vtx_msr_feature(u32 index, u64 *data);
void vtx_msr_intercept(struct vtx_vcpu *vcpu, u32 index, bool read, bool write);

#endif /* _VTX_MSR_H */
