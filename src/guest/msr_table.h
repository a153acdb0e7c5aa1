/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MSR_TABLE_H
#define _VTX_MSR_TABLE_H

#include <linux/types.h>

enum vtx_msr_kind {
	KIND_RO_ZERO,	/* reads 0, nobody can write */
	KIND_ZERO,	/* reads 0, takes 0 */
	KIND_FIELD32,	/* VMCS field */
	KIND_FIELDL,		/* VMCS field, canonical address */
	KIND_PAT,
	KIND_EFER,
	KIND_HW,		/* vcpu->msrs[] */
	KIND_HW_ADDR,	/* the same, canonical address */
	KIND_CSTAR,
	KIND_TSC,
	KIND_TSC_ADJUST,
	KIND_APIC_BASE,
	KIND_MISC_ENABLE,
	KIND_MTRR_CAP,
	KIND_MTRR_DEF,	/* the MTRRs: stored, checked, without effect */
	KIND_MTRR_FIXED,
	KIND_MTRR_BASE,
	KIND_DEBUGCTL,	/* reads 0, takes BTF and LBR, which do nothing */
	KIND_IGNORED,	/* reads 0, writes have no effect */
	KIND_CONST,	/* reads one of constants[], writes have no effect */
	KIND_RO_CONST,	/* likewise, nobody can write */
	KIND_MCE,		/* mce.c */
	KIND_UCODE,	/* what the VMM says; guests write 0 before they read */
	KIND_STORED,	/* stored, without effect */
	KIND_VMM,	/* stored; only the VMM writes */
	KIND_MISC_FEATURES,	/* CPUID faulting */
	KIND_FEAT_CTL,	/* the lock bit: no guest has what it locks */
	KIND_HWCR,	/* some bits have no effect, McStatusWrEn is stored */
	/* From here on: not for all who ask. */
	KIND_GUARDED,
	KIND_HOST_ONLY = KIND_GUARDED,	/* stored for the VMM, does not exist for the guest */
	KIND_WO_IGNORED,	/* writes have no effect, there is no reading */
	KIND_PLATFORM_INFO,	/* stored; only the VMM writes, and it may hide it */
	KIND_TSC_AUX,	/* vcpu->msrs[]; RDTSCP or RDPID must be in the guest's CPUID */
};

#define VTX_NR_VAR_MTRRS	8
#define VTX_NR_MSR_CONSTANTS	5

/* vcpu->msr.stored: the MTRRs, KVM's clock, and these. */
enum {
	VTX_STORED_UCODE = 30,
	VTX_STORED_SMI_COUNT,
	VTX_STORED_FEAT_CTL,
	VTX_STORED_PLATFORM_INFO,
	VTX_STORED_MISC_FEATURES,
	VTX_STORED_POWER_CTL,
	VTX_STORED_HWCR,
	VTX_NR_STORED,
};

/**
 * struct vtx_guest_msr - a row of the table
 * @index: the first MSR
 * @count: consecutive MSRs of the same kind
 * @kind:  enum vtx_msr_kind
 * @arg:	VMCS field, or index into vcpu->msrs, ->msr.stored or vtx_msr_constants
 */
struct vtx_guest_msr {
	u32 index;
	u8 count;
	u8 kind;
	u16 arg;
};

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
extern const u64 vtx_msr_constants[VTX_NR_MSR_CONSTANTS];

/**
 * vtx_msr_matches() - is it this row's?
 * @m:	   the row
 * @index: RCX
 *
 * Return: true or false.
 */
static inline bool vtx_msr_matches(const struct vtx_guest_msr *m, u32 index)
{
	return index - m->index < m->count;
}

const struct vtx_guest_msr *vtx_msr_find(u32 index);
bool vtx_msr_exists(u32 index);
unsigned int vtx_msr_list(u32 *indices, unsigned int max);
unsigned int vtx_msr_feature_list(u32 *indices, unsigned int max);
int vtx_msr_feature(u32 index, u64 *data);

#endif /* _VTX_MSR_TABLE_H */
