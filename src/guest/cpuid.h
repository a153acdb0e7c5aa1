/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_CPUID_H
#define _VTX_CPUID_H

#include <linux/kvm.h>
#include <linux/types.h>

struct vtx_vcpu;

int vtx_cpuid_emulated(struct kvm_cpuid_entry2 *entries, unsigned int max);
void vtx_cpuid_set_faulting(struct vtx_vcpu *vcpu, bool on);
int vtx_cpuid_supported(struct kvm_cpuid_entry2 *entries, unsigned int max);
int vtx_cpuid_alloc(struct vtx_vcpu *vcpu);
void vtx_cpuid_free(struct vtx_vcpu *vcpu);
unsigned int vtx_cpuid_count(const struct vtx_vcpu *vcpu);
struct kvm_cpuid_entry2 vtx_cpuid_get(const struct vtx_vcpu *vcpu, unsigned int i);
int vtx_cpuid_set(struct vtx_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries,
		  unsigned int n);
u64 vtx_cpuid_xcr0(const struct vtx_vcpu *vcpu);
u64 vtx_cpuid_page_mask(const struct vtx_vcpu *vcpu);
int vtx_exit_cpuid(struct vtx_vcpu *vcpu);

#endif /* _VTX_CPUID_H */
