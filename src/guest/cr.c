// SPDX-License-Identifier: GPL-2.0
/*
 * cr.c - the guest's control registers and EFER
 *
 * Owns which bits of CR0 and CR4 the guest may change without an exit, the
 * read shadows, and the rules of SDM vol. 3 "Control Registers" and "MOV -
 * Move to/from Control Registers" for the writes that do exit. The guest
 * changes PE, PG, WP, TS, PAE, PGE and so on by itself: with "unrestricted
 * guest" the CPU does the mode switches, updates EFER.LMA and reloads PDPTEs.
 *
 * All functions need the vCPU's VMCS current. Those named _write take any
 * value as it is, those named _set check it as the instruction would.
 */
#include "guest/cr.h"

#include <linux/cpufeature.h>
#include <linux/errno.h>

#include <asm/processor-flags.h>

#include "tlb/tlb.h"
#include "vmx/caps.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/*
 * Bits that need CPUID in the guest to be there, and that a guest may own when
 * it is: no state outside the guest depends on them.
 */
static const struct {
	u64 bit;
	u16 feature;
} cr4_features[] = {
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
};

#define CR4_BASE (X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE |	\
		  X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE |	\
		  X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/**
 * vtx_cr4_host_supported() - CR4 bits that some guest could be allowed
 *
 * Return: the bits; what one guest may set depends on its CPUID (cpuid.c).
 */
u64 vtx_cr4_host_supported(void)
{
	u64 bits = CR4_BASE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++)
		if (boot_cpu_has(cr4_features[i].feature))
			bits |= cr4_features[i].bit;
	return bits & vtx_caps.cr4_fixed1;
}

/**
 * vtx_efer_supported() - EFER bits that a guest may set
 *
 * Return: the bits, LMA included.
 */
u64 vtx_efer_supported(void)
{
	u64 bits = EFER_SCE | EFER_LME | EFER_LMA;

	if (boot_cpu_has(X86_FEATURE_NX))
		bits |= EFER_NX;
	return bits;
}

/**
 * vtx_cr4_read() - CR4 as the guest sees it
 * @vcpu: the vCPU; VMCS current
 *
 * Return: the value.
 */
u64 vtx_cr4_read(const struct vtx_vcpu *vcpu)
{
	u64 mask = vcpu->cr4.mask;

	return (vmcs_readl(GUEST_CR4) & ~mask) |
	       (vmcs_readl(CR4_READ_SHADOW) & mask);
}

/**
 * vtx_cr0_write() - load CR0 without checks
 * @vcpu: the vCPU
 * @cr0:  value for the guest to see
 *
 * The real register keeps caching on and NE set, whatever the guest asks for:
 * SDM vol. 3 "Restrictions on VMX Operation"; PE and PG are exempt from the
 * fixed bits with "unrestricted guest".
 */
void vtx_cr0_write(struct vtx_vcpu *vcpu, u64 cr0)
{
	vmcs_writel(CR0_GUEST_HOST_MASK, VTX_CR0_HOST_OWNED);
	vmcs_writel(CR0_READ_SHADOW, cr0);
	vmcs_writel(GUEST_CR0, (cr0 & ~VTX_CR0_HOST_OWNED) | X86_CR0_NE |
		    X86_CR0_ET);
	vtx_tlb_state_changed(&vcpu->tlb);
}

/*
 * A bit that is not in the mask is the guest's. MCE stays the host's (below),
 * OSXSAVE tells host.c whether the guest's XCR0 counts.
 */
static void write_cr4_mask(struct vtx_vcpu *vcpu)
{
	vcpu->cr4.mask = ~(vcpu->cr4.allowed & ~(X86_CR4_MCE | X86_CR4_OSXSAVE));
	vmcs_writel(CR4_GUEST_HOST_MASK, vcpu->cr4.mask);
}

/**
 * vtx_cr4_update_mask() - the guest's allowed CR4 bits have changed
 * @vcpu: the vCPU
 */
void vtx_cr4_update_mask(struct vtx_vcpu *vcpu)
{
	u64 cr4 = vtx_cr4_read(vcpu);

	write_cr4_mask(vcpu);
	vmcs_writel(CR4_READ_SHADOW, cr4);
}

/**
 * vtx_cr4_write() - load CR4 without checks
 * @vcpu: the vCPU
 * @cr4:  value for the guest to see
 *
 * Machine checks stay on whatever the guest asks for: with CR4.MCE clear one
 * would shut the machine down in place of causing a VM exit.
 */
void vtx_cr4_write(struct vtx_vcpu *vcpu, u64 cr4)
{
	vcpu->osxsave = cr4 & X86_CR4_OSXSAVE;
	write_cr4_mask(vcpu);
	vmcs_writel(CR4_READ_SHADOW, cr4);
	vmcs_writel(GUEST_CR4, cr4 | X86_CR4_VMXE | (__read_cr4() & X86_CR4_MCE));
	vtx_tlb_state_changed(&vcpu->tlb);
}

/**
 * vtx_efer_read() - IA32_EFER
 * @vcpu: the vCPU; VMCS current
 *
 * Of all bits LMA alone changes without an exit. The VMCS has it, too, but a
 * hypervisor below may shadow GUEST_CR0 and not GUEST_IA32_EFER, as KVM does.
 *
 * Return: the value.
 */
u64 vtx_efer_read(const struct vtx_vcpu *vcpu)
{
	return vtx_efer_lma(vcpu->efer, vmcs_readl(GUEST_CR0));
}

/**
 * vtx_efer_write() - load EFER without checks, LMA included
 * @vcpu: the vCPU
 * @efer: the value
 *
 * SDM vol. 3 "Checks on Guest Control Registers, Debug Registers, and MSRs":
 * the IA-32e mode control equals LMA.
 */
void vtx_efer_write(struct vtx_vcpu *vcpu, u64 efer)
{
	u32 entry = vtx_caps.entry;

	if (efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmcs_write32(VM_ENTRY_CONTROLS, entry);
	vmcs_write64(GUEST_IA32_EFER, efer);
	vcpu->efer = efer;
	vtx_tlb_state_changed(&vcpu->tlb);
}

/**
 * vtx_cr0_valid() - may any MOV load this?
 * @cr0: the value
 *
 * Return: false where SDM vol. 2 "MOV - Move to/from Control Registers" has
 * #GP whatever the other registers hold.
 */
bool vtx_cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE))
		return false;
	return !(cr0 & X86_CR0_NW) || (cr0 & X86_CR0_CD);
}

static void enter_ia32e_mode(struct vtx_vcpu *vcpu, u64 efer)
{
	u32 ar = vmcs_read32(GUEST_TR_AR_BYTES);

	/* SDM vol. 3 "Checks on Guest Segment Registers": busy 64-bit TSS. */
	if ((ar & 0xf) == 3)
		vmcs_write32(GUEST_TR_AR_BYTES, ar | 0xb);
	vtx_efer_write(vcpu, efer | EFER_LMA);
}

/**
 * vtx_cr0_set() - MOV to CR0 (or LMSW, CLTS) that exited
 * @vcpu: the vCPU
 * @cr0:  source operand
 *
 * Return: 0, or -EINVAL for #GP(0).
 */
int vtx_cr0_set(struct vtx_vcpu *vcpu, u64 cr0)
{
	u64 old = vtx_cr0_read();
	u64 cr4 = vtx_cr4_read(vcpu);
	u64 efer = vtx_efer_read(vcpu);
	bool cs_l = vmcs_read32(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK;

	if (!vtx_cr0_valid(cr0))
		return -EINVAL;
	cr0 = (cr0 & 0xe005003fULL) | X86_CR0_ET;
	if ((cr0 & X86_CR0_PG) && !(old & X86_CR0_PG) && (efer & EFER_LME)) {
		if (!(cr4 & X86_CR4_PAE) || cs_l)
			return -EINVAL;
		enter_ia32e_mode(vcpu, efer);
	} else if (!(cr0 & X86_CR0_PG) && (old & X86_CR0_PG)) {
		if ((cr4 & X86_CR4_PCIDE) || ((efer & EFER_LMA) && cs_l))
			return -EINVAL;
		if (efer & EFER_LMA)
			vtx_efer_write(vcpu, efer & ~EFER_LMA);
	}
	vtx_cr0_write(vcpu, cr0);
	efer = vtx_efer_read(vcpu);
	/* SDM vol. 3 "PDPTE Registers": loaded when PG, CD or NW changes. */
	if (vtx_pae_paging(cr0, cr4, efer) &&
	    ((cr0 ^ old) & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)))
		vcpu->pdptes_stale = true;
	return 0;
}

/**
 * vtx_cr4_set() - MOV to CR4 that exited
 * @vcpu: the vCPU
 * @cr4:  source operand
 *
 * Return: 0, or -EINVAL for #GP(0).
 */
int vtx_cr4_set(struct vtx_vcpu *vcpu, u64 cr4)
{
	u64 old = vtx_cr4_read(vcpu);
	u64 cr0 = vtx_cr0_read();
	u64 efer = vtx_efer_read(vcpu);
	const u64 paging = X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PGE | X86_CR4_SMEP;

	if (cr4 & ~vcpu->cr4.allowed)
		return -EINVAL;
	if ((efer & EFER_LMA) && !(cr4 & X86_CR4_PAE))
		return -EINVAL;
	if ((cr4 & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) &&
	    (!(efer & EFER_LMA) || (vmcs_readl(GUEST_CR3) & 0xfff)))
		return -EINVAL;
	vtx_cr4_write(vcpu, cr4);
	if (vtx_pae_paging(cr0, cr4, efer) && ((cr4 ^ old) & paging))
		vcpu->pdptes_stale = true;
	return 0;
}

/**
 * vtx_efer_set() - WRMSR to EFER
 * @vcpu: the vCPU
 * @efer: source operand; its LMA bit is ignored as the CPU does
 *
 * Return: 0, or -EINVAL for #GP(0).
 */
int vtx_efer_set(struct vtx_vcpu *vcpu, u64 efer)
{
	u64 old = vtx_efer_read(vcpu);

	if (efer & ~vtx_efer_supported())
		return -EINVAL;
	if (((efer ^ old) & EFER_LME) && (vtx_cr0_read() & X86_CR0_PG))
		return -EINVAL;
	vtx_efer_write(vcpu, (efer & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
}

/**
 * vtx_code_bits() - default operand and address size of the code segment
 * @vcpu: the vCPU; VMCS current
 *
 * Return: 16, 32 or 64.
 */
unsigned int vtx_code_bits(const struct vtx_vcpu *vcpu)
{
	u32 ar = vmcs_read32(GUEST_CS_AR_BYTES);

	if (!(ar & VMX_AR_L_MASK))
		return vtx_cs_bits(ar, 0);
	return vtx_cs_bits(ar, vtx_efer_lma(vcpu->efer, vmcs_readl(GUEST_CR0)));
}
