/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_CR_H
#define _VTX_CR_H

#include <linux/bits.h>
#include <linux/types.h>

#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>

#include "vmx/vmx_insn.h"

struct vtx_vcpu;

/* Segment registers in the order of the VMCS field encodings. */
enum vtx_seg {
	VTX_SEG_ES, VTX_SEG_CS, VTX_SEG_SS, VTX_SEG_DS, VTX_SEG_FS, VTX_SEG_GS,
	VTX_SEG_LDTR, VTX_SEG_TR,
};

/* CR0 bits whose real value is not the guest's to choose. */
#define VTX_CR0_HOST_OWNED	(X86_CR0_CD | X86_CR0_NW | X86_CR0_NE)

/* SDM vol. 3 "Debug Registers". */
#define VTX_DR6_FIXED		0xffff0ff0ULL
#define VTX_DR6_BD		BIT_ULL(13)
#define VTX_DR6_BS		BIT_ULL(14)
#define VTX_DR6_CONDITIONS	0xe00fULL	/* B0-B3, BD, BS, BT */
#define VTX_DR7_FIXED		BIT_ULL(10)
#define VTX_DR7_GD		BIT_ULL(13)
#define VTX_DR7_WRITABLE	0xffff23ffULL

/* What DR6 and DR7 hold once this has been written to them. */
static inline u64 vtx_dr6(u64 value)
{
	return (value & VTX_DR6_CONDITIONS) | VTX_DR6_FIXED;
}

static inline u64 vtx_dr7(u64 value)
{
	return (value & VTX_DR7_WRITABLE) | VTX_DR7_FIXED;
}

/**
 * vtx_efer_lma() - EFER with LMA as it is to be
 * @efer: the value, whose LMA does not matter
 * @cr0: CR0
 *
 * SDM vol. 3 "Activating IA-32e Mode": LMA follows LME and CR0.PG.
 *
 * Return: the value.
 */
static inline u64 vtx_efer_lma(u64 efer, u64 cr0)
{
	if ((efer & EFER_LME) && (cr0 & X86_CR0_PG))
		return efer | EFER_LMA;
	return efer & ~EFER_LMA;
}

/**
 * vtx_cs_bits() - what vtx_code_bits() makes of the registers
 * @ar: access rights of CS
 * @efer: EFER, LMA included
 *
 * Return: 16, 32 or 64.
 */
static inline unsigned int vtx_cs_bits(u32 ar, u64 efer)
{
	if ((ar & VMX_AR_L_MASK) && (efer & EFER_LMA))
		return 64;
	return ar & VMX_AR_DB_MASK ? 32 : 16;
}

/**
 * vtx_pae_paging() - do PDPTE registers matter?
 * @cr0: control registers
 * @cr4: likewise
 * @efer: likewise
 *
 * Return: true in PAE paging outside IA-32e mode.
 */
static inline bool vtx_pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/**
 * vtx_cr0_read() - CR0 as the guest sees it
 *
 * Context: VMCS current.
 * Return: the value.
 */
static inline u64 vtx_cr0_read(void)
{
	return (vmcs_readl(GUEST_CR0) & ~VTX_CR0_HOST_OWNED) |
	       (vmcs_readl(CR0_READ_SHADOW) & VTX_CR0_HOST_OWNED);
}

/**
 * vtx_cpl() - current privilege level
 *
 * Context: VMCS current.
 * Return: SS.DPL, which the CPU keeps equal to CPL in all modes.
 */
static inline unsigned int vtx_cpl(void)
{
	return VMX_AR_DPL(vmcs_read32(GUEST_SS_AR_BYTES));
}

u64 vtx_cr4_read(const struct vtx_vcpu *vcpu);
void vtx_cr0_write(struct vtx_vcpu *vcpu, u64 cr0);
void vtx_cr4_write(struct vtx_vcpu *vcpu, u64 cr4);
u64 vtx_efer_read(const struct vtx_vcpu *vcpu);
void vtx_efer_write(struct vtx_vcpu *vcpu, u64 efer);
void vtx_cr4_update_mask(struct vtx_vcpu *vcpu);

u64 vtx_cr4_host_supported(void);
u64 vtx_efer_supported(void);
bool vtx_cr0_valid(u64 cr0);
int vtx_cr0_set(struct vtx_vcpu *vcpu, u64 cr0);
int vtx_cr4_set(struct vtx_vcpu *vcpu, u64 cr4);
int vtx_efer_set(struct vtx_vcpu *vcpu, u64 efer);
unsigned int vtx_code_bits(const struct vtx_vcpu *vcpu);

#endif /* _VTX_CR_H */
