// SPDX-License-Identifier: GPL-2.0
/*
 * exit_cr.c - accesses to control and debug registers that exit
 *
 * Fast handlers, see exit.c. SDM vol. 3 "Exit Qualification for Control-Register
 * Accesses", "Exit Qualification for MOV DR".
 */
#include "run/exit_cr.h"

#include <linux/errno.h>

#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "guest/internal_error.h"
#include "run/debug.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

enum { MOV_TO_CR, MOV_FROM_CR, CLTS, LMSW };

/* Operand size of MOV CR and MOV DR is the mode's: 64 or 32 bits. */
static u64 read_gpr(struct vtx_vcpu *vcpu, unsigned int reg)
{
	u64 value = reg == VTX_RSP ? vmcs_readl(GUEST_RSP) : vcpu->regs[reg];

	return vtx_code_bits(vcpu) == 64 ? value : (u32)value;
}

static void write_gpr(struct vtx_vcpu *vcpu, unsigned int reg, u64 value)
{
	if (vtx_code_bits(vcpu) != 64)
		value = (u32)value;
	if (reg == VTX_RSP)
		vmcs_writel(GUEST_RSP, value);
	else
		vcpu->regs[reg] = value;
}

/* KVM_EXIT_SET_TPR: a lower task priority may let the VMM's interrupt through. */
static int set_cr8(struct vtx_vcpu *vcpu, u64 value)
{
	u64 old = vcpu->cr8;

	if (value > 15) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	vcpu->cr8 = value;
	vtx_skip_insn(vcpu);
	if (value >= old)
		return VTX_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return VTX_TO_USER;
}

static int mov_to_cr(struct vtx_vcpu *vcpu, unsigned int cr, u64 value)
{
	int r;

	switch (cr) {
	case 0:
		r = vtx_cr0_set(vcpu, value);
		break;
	case 4:
		r = vtx_cr4_set(vcpu, value);
		break;
	case 8:
		return set_cr8(vcpu, value);
	default:
		return vtx_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	}
	if (r) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	vtx_skip_insn(vcpu);
	/* Around: the flush that the instruction implies is due. */
	return vcpu->pdptes_stale ? VTX_SLOW : VTX_AROUND;
}

/**
 * vtx_exit_cr() - MOV CR, CLTS, LMSW
 * @vcpu: the vCPU
 *
 * Return: as all fast handlers; VTX_SLOW once CR is written and only the PDPTEs
 * are still to be loaded, which sleeps.
 */
int vtx_exit_cr(struct vtx_vcpu *vcpu)
{
	u64 qual = vmcs_readl(EXIT_QUALIFICATION);
	unsigned int cr = qual & 15, reg = (qual >> 8) & 15;
	u64 cr0;

	switch ((qual >> 4) & 3) {
	case MOV_TO_CR:
		return mov_to_cr(vcpu, cr, read_gpr(vcpu, reg));
	case MOV_FROM_CR:
		write_gpr(vcpu, reg, vcpu->cr8);
		return vtx_skip_insn(vcpu);
	case CLTS:
		return mov_to_cr(vcpu, 0, vtx_cr0_read() & ~X86_CR0_TS);
	default:
		/* LMSW sets PE but never clears it. */
		cr0 = vtx_cr0_read();
		return mov_to_cr(vcpu, 0, (cr0 & ~0xeULL) | ((qual >> 16) & 0xf));
	}
}

static bool dr_high(u64 value)
{
	return value >> 32;
}

/* Return: 0 or -EINVAL for #GP(0). */
static int set_dr(struct vtx_vcpu *vcpu, unsigned int dr, u64 value)
{
	switch (dr) {
	case 0 ... 3:
		vcpu->dr[dr] = value;
		vtx_dr_update(vcpu);
		return 0;
	case 6:
		if (dr_high(value))
			return -EINVAL;
		vcpu->dr6 = vtx_dr6(value);
		return 0;
	default:
		if (dr_high(value))
			return -EINVAL;
		vcpu->dr7 = vtx_dr7(value);
		vtx_dr_update(vcpu);
		return 0;
	}
}

static u64 get_dr(const struct vtx_vcpu *vcpu, unsigned int dr)
{
	if (dr < 4)
		return vcpu->dr[dr];
	return dr == 6 ? vtx_dr6(vcpu->dr6) : vtx_dr7(vcpu->dr7);
}

/**
 * vtx_exit_dr() - MOV DR
 * @vcpu: the vCPU
 *
 * SDM vol. 3 "Exits Due to MOV DR": the exit comes before the checks for
 * CR4.DE, CPL and general detect, which are therefore made here.
 *
 * Return: VTX_RESUME, VTX_AROUND; VTX_TO_USER: general detect is the debugger's.
 */
int vtx_exit_dr(struct vtx_vcpu *vcpu)
{
	u64 qual = vmcs_readl(EXIT_QUALIFICATION);
	unsigned int dr = qual & 7, reg = (qual >> 8) & 15;

	if ((dr == 4 || dr == 5) && (vtx_cr4_read(vcpu) & X86_CR4_DE)) {
		vtx_queue_exception(vcpu, UD_VECTOR);
		return VTX_RESUME;
	}
	if (vtx_cpl()) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	if (vcpu->debug.dr7 & VTX_DR7_GD)
		return vtx_debug_detect(vcpu);
	if (dr == 4 || dr == 5)
		dr += 2;
	if (qual & BIT(4)) {
		write_gpr(vcpu, reg, get_dr(vcpu, dr));
	} else if (set_dr(vcpu, dr, read_gpr(vcpu, reg))) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	vtx_skip_insn(vcpu);
	return VTX_AROUND;
}
