// SPDX-License-Identifier: GPL-2.0
/*
 * mce.c - the guest's machine-check banks
 *
 * Registers that a guest reads and clears, and that only the VMM fills
 * (KVM_X86_SET_MCE). The host's own banks have nothing to do with them.
 *
 * SDM vol. 3 "Machine-Check MSRs", "Machine-Check Initialization".
 */
#include "guest/mce.h"

#include <linux/errno.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include <asm/mce.h>
#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "vtx.h"

#define MAX_BANKS	VTX_MCE_BANKS
#define CAP_BANKS	0xffULL
#define CAP_EXT_COUNT	0xff0000ULL

/* Registers of a bank, in the order of their MSRs. */
enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC, BANK_REGS };

/**
 * struct vtx_mce - machine-check registers of a vCPU
 * @cap:	IA32_MCG_CAP
 * @status:	IA32_MCG_STATUS
 * @ctl:	IA32_MCG_CTL
 * @bank:	IA32_MCi_CTL, _STATUS, _ADDR, _MISC
 */
struct vtx_mce {
	u64 cap;
	u64 status;
	u64 ctl;
	u64 bank[MAX_BANKS][BANK_REGS];
};

/**
 * vtx_mce_alloc() - registers after reset
 * @vcpu: the vCPU
 *
 * Return: 0, -ENOMEM.
 */
int vtx_mce_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->mce = kzalloc(sizeof(*vcpu->mce), GFP_KERNEL_ACCOUNT);
	if (!vcpu->mce)
		return -ENOMEM;
	vcpu->mce->cap = MAX_BANKS;
	return 0;
}

/**
 * vtx_mce_free() - the mirror of vtx_mce_alloc()
 * @vcpu: the vCPU
 */
void vtx_mce_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->mce);
}

/**
 * vtx_mce_supported() - KVM_X86_GET_MCE_CAP_SUPPORTED
 *
 * Return: bits that IA32_MCG_CAP may have besides the number of banks.
 */
u64 vtx_mce_supported(void)
{
	return MCG_CTL_P | MCG_SER_P;
}

/**
 * vtx_mce_setup() - KVM_X86_SETUP_MCE
 * @vcpu: the vCPU
 * @cap:  the guest's IA32_MCG_CAP
 *
 * Return: 0, -EINVAL.
 */
int vtx_mce_setup(struct vtx_vcpu *vcpu, u64 cap)
{
	struct vtx_mce *mce = vcpu->mce;
	unsigned int i, banks = cap & CAP_BANKS;

	if (!banks || banks > MAX_BANKS ||
	    (cap & ~(MCG_CTL_P | MCG_SER_P | CAP_BANKS | CAP_EXT_COUNT)))
		return -EINVAL;
	mce->cap = cap;
	/* Firmware enables all errors before it starts an operating system. */
	if (cap & MCG_CTL_P)
		mce->ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		mce->bank[i][BANK_CTL] = ~0ULL;
	return 0;
}

/* NULL: no such register in this guest. */
static u64 *bank_reg(struct vtx_mce *mce, u32 index)
{
	u32 n = index - MSR_IA32_MC0_CTL;
	u32 regs = (mce->cap & CAP_BANKS) * BANK_REGS;

	if (n >= regs)
		return NULL;
	n = array_index_nospec(n, regs);
	return &mce->bank[n / BANK_REGS][n % BANK_REGS];
}

/**
 * vtx_mce_get_msr() - read a machine-check MSR
 * @vcpu:  the vCPU
 * @index: RCX
 * @host:  the VMM reads, not the guest
 * @data:  result
 *
 * Return: 0, or -EINVAL: #GP(0).
 */
int vtx_mce_get_msr(struct vtx_vcpu *vcpu, u32 index, bool host, u64 *data)
{
	struct vtx_mce *mce = vcpu->mce;
	u64 *reg;

	switch (index) {
	case MSR_IA32_MCG_CAP:
		*data = mce->cap;
		return 0;
	case MSR_IA32_MCG_STATUS:
		*data = mce->status;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!host && !(mce->cap & MCG_CTL_P))
			return -EINVAL;
		*data = mce->ctl;
		return 0;
	default:
		reg = bank_reg(mce, index);
		if (!reg)
			return -EINVAL;
		*data = *reg;
		return 0;
	}
}

static int set_bank_reg(struct vtx_mce *mce, u32 index, bool host, u64 data)
{
	u64 *reg = bank_reg(mce, index);

	if (!reg)
		return -EINVAL;
	switch ((index - MSR_IA32_MC0_CTL) % BANK_REGS) {
	case BANK_CTL:
		/* All or none; Linux keeps bits 0 and 10 off on some CPUs. */
		if (data && (data | BIT(10) | BIT(0)) != ~0ULL)
			return -EINVAL;
		break;
	case BANK_STATUS:
		if (data && !host)
			return -EINVAL;
	}
	*reg = data;
	return 0;
}

/**
 * vtx_mce_set_msr() - write a machine-check MSR
 * @vcpu:  the vCPU
 * @index: RCX
 * @host:  the VMM writes, not the guest
 * @data:  EDX:EAX
 *
 * Return: 0, or -EINVAL: #GP(0).
 */
int vtx_mce_set_msr(struct vtx_vcpu *vcpu, u32 index, bool host, u64 data)
{
	struct vtx_mce *mce = vcpu->mce;

	switch (index) {
	case MSR_IA32_MCG_CAP:
		return host && data == mce->cap ? 0 : -EINVAL;
	case MSR_IA32_MCG_STATUS:
		mce->status = data;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!(mce->cap & MCG_CTL_P) && (data || !host))
			return -EINVAL;
		if (data && data != ~0ULL)
			return -EINVAL;
		mce->ctl = data;
		return 0;
	default:
		return set_bank_reg(mce, index, host, data);
	}
}

/* SDM vol. 3 "UCR Error Classification": uncorrected, no action required. */
static bool is_ucna(const struct kvm_x86_mce *error)
{
	return !error->mcg_status && (error->status & MCI_STATUS_UC) &&
	       !(error->status & (MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR));
}

static void log_error(u64 *bank, const struct kvm_x86_mce *error)
{
	u64 over = bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0;

	bank[BANK_ADDR] = error->addr;
	bank[BANK_MISC] = error->misc;
	bank[BANK_STATUS] = error->status | over;
}

/**
 * vtx_mce_inject() - KVM_X86_SET_MCE: a machine check in the guest
 * @vcpu:  the vCPU; VMCS current
 * @error: what to log
 *
 * SDM vol. 3 "Machine-Check Error Codes": an uncorrected error raises #MC,
 * which during another one, or with CR4.MCE clear, shuts the CPU down.
 *
 * Return: 0, -EINVAL.
 */
int vtx_mce_inject(struct vtx_vcpu *vcpu, const struct kvm_x86_mce *error)
{
	struct vtx_mce *mce = vcpu->mce;
	unsigned int banks = mce->cap & CAP_BANKS;
	u64 *bank;

	if (error->bank >= banks || !(error->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = mce->bank[array_index_nospec(error->bank, banks)];
	if (is_ucna(error)) {
		mce->status = 0;
		bank[BANK_STATUS] = 0;
		log_error(bank, error);
		return 0;
	}
	if (!(error->status & MCI_STATUS_UC)) {
		/* A corrected error does not overwrite an uncorrected one. */
		if ((bank[BANK_STATUS] & MCI_STATUS_VAL) &&
		    (bank[BANK_STATUS] & MCI_STATUS_UC))
			bank[BANK_STATUS] |= MCI_STATUS_OVER;
		else
			log_error(bank, error);
		return 0;
	}
	/* The guest does not want to know. */
	if (((mce->cap & MCG_CTL_P) && mce->ctl != ~0ULL) || bank[BANK_CTL] != ~0ULL)
		return 0;
	if ((mce->status & MCG_STATUS_MCIP) || !(vtx_cr4_read(vcpu) & X86_CR4_MCE)) {
		vcpu->event.shutdown = true;
		return 0;
	}
	log_error(bank, error);
	mce->status = error->mcg_status;
	vtx_queue_exception(vcpu, MC_VECTOR);
	return 0;
}
