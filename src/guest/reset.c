// SPDX-License-Identifier: GPL-2.0
/*
 * reset.c - a new vCPU's guest state
 *
 * Owns the first value of every field of the VMCS's guest-state area. What the VMM
 * sets later is state.c's.
 */
#include "guest/reset.h"

#include <linux/kernel.h>

#include <asm/processor.h>

#include "guest/cr.h"
#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* Access rights: type, S, P; SDM vol. 3 "Guest Register State". */
#define AR_DATA		0x93
#define AR_CODE		0x9b
#define AR_LDT		0x82
#define AR_TSS_BUSY	0x8b

static void write_segment(unsigned int seg, u16 selector, unsigned long base, u32 ar)
{
	/* Encodings of the eight registers are 2 apart in each field group. */
	vmcs_write16(GUEST_ES_SELECTOR + 2 * seg, selector);
	vmcs_writel(GUEST_ES_BASE + 2 * seg, base);
	vmcs_write32(GUEST_ES_LIMIT + 2 * seg, 0xffff);
	vmcs_write32(GUEST_ES_AR_BYTES + 2 * seg, ar);
}

static const struct {
	u16 field;
	unsigned long value;
} guest_reset[] = {
	{ GUEST_GDTR_BASE, 0 },
	{ GUEST_GDTR_LIMIT, 0xffff },
	{ GUEST_IDTR_BASE, 0 },
	{ GUEST_IDTR_LIMIT, 0xffff },
	{ GUEST_CR3, 0 },
	{ GUEST_DR7, VTX_DR7_FIXED },
	{ GUEST_RSP, 0 },
	{ GUEST_RIP, 0xfff0 },
	{ GUEST_RFLAGS, X86_EFLAGS_FIXED },
	{ GUEST_IA32_DEBUGCTL, 0 },
	{ GUEST_SYSENTER_CS, 0 },
	{ GUEST_SYSENTER_ESP, 0 },
	{ GUEST_SYSENTER_EIP, 0 },
	{ GUEST_IA32_PAT, 0x0007040600070406ULL },
	{ GUEST_INTERRUPTIBILITY_INFO, 0 },
	{ GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE },
	{ GUEST_PENDING_DBG_EXCEPTIONS, 0 },
	{ GUEST_PDPTR0, 0 },
	{ GUEST_PDPTR1, 0 },
	{ GUEST_PDPTR2, 0 },
	{ GUEST_PDPTR3, 0 },
	{ VMCS_LINK_POINTER, ~0UL },
};

/**
 * vtx_guest_reset() - all that a new vCPU's registers start with
 * @vcpu: the vCPU
 *
 * SDM vol. 3 "Processor State After Reset".
 *
 * Context: VMCS current.
 */
void vtx_guest_reset(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	vcpu->xcr0 = 1;
	vcpu->dr6 = VTX_DR6_FIXED;
	vcpu->dr7 = VTX_DR7_FIXED;
	vcpu->debug.dr7 = VTX_DR7_FIXED;
	vcpu->cr4.allowed = vtx_cr4_host_supported();
	/* Family, model and stepping. */
	vcpu->regs[VTX_RDX] = cpuid_eax(1) & 0xfff0ff0 ? 0x600 : 0;

	for (i = 0; i < ARRAY_SIZE(guest_reset); i++)
		__vmwrite(guest_reset[i].field, guest_reset[i].value);
	for (i = VTX_SEG_ES; i <= VTX_SEG_GS; i++)
		write_segment(i, 0, 0, AR_DATA);
	write_segment(VTX_SEG_CS, 0xf000, 0xffff0000, AR_CODE);
	write_segment(VTX_SEG_LDTR, 0, 0, AR_LDT);
	write_segment(VTX_SEG_TR, 0, 0, AR_TSS_BUSY);
	if (vtx_caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, 0);
	vtx_efer_write(vcpu, 0);
	vtx_cr0_write(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	vtx_cr4_write(vcpu, 0);
}

