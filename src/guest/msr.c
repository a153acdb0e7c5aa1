// SPDX-License-Identifier: GPL-2.0
/*
 * msr.c - the MSRs that a guest has: what reading and writing them does
 *
 * Which there are is msr_table.c's. No guest ever reads or writes a host MSR: the
 * MSR bitmap lets through only what is the guest's own while it runs.
 */
#include "guest/msr.h"

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/fixmap.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/kvm_para.h>
#include <asm/mce.h>
#include <asm/mtrr.h>

#include "guest/cpuid.h"
#include "guest/cr.h"
#include "guest/mce.h"
#include "guest/msr_table.h"
#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/host.h"
#include "vmx/tsc.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* What the PMU, which no guest has, says of itself in IA32_MISC_ENABLE. */
#define MISC_ENABLE_NO_PMU	(MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |	\
				 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/* Guests ask for the same MSR over and over. */
static const struct vtx_guest_msr *find_again(struct vtx_vcpu *vcpu, u32 index)
{
	const struct vtx_guest_msr *m = vcpu->msr.last;

	if (unlikely(!m || !vtx_msr_matches(m, index))) {
		m = vtx_msr_find(index);
		vcpu->msr.last = m;
	}
	return m;
}

static void intercept(void *bitmap, unsigned int bit, bool on)
{
	if (on)
		set_bit(bit, bitmap);
	else
		clear_bit(bit, bitmap);
}

/**
 * vtx_msr_intercept() - does an access that needs no exit cause one?
 * @vcpu:  the vCPU
 * @index: MSR
 * @read:  RDMSR exits
 * @write: WRMSR exits
 *
 * SDM vol. 3 "MSR-Bitmap Address": read low, read high, write low, write high.
 */
void vtx_msr_intercept(struct vtx_vcpu *vcpu, u32 index, bool read, bool write)
{
	void *bitmap = vcpu->msr_bitmap + (index >= 0xc0000000 ? 1024 : 0);
	unsigned int bit = index & 0x1fff;

	intercept(bitmap, bit, read);
	intercept(bitmap + 2048, bit, write);
}

/**
 * vtx_msr_alloc() - MSR bitmap and reset values of a new vCPU
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_msr_alloc(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	vcpu->msr_bitmap = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	vcpu->msr.stored = kcalloc(VTX_NR_STORED, sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!vcpu->msr_bitmap || !vcpu->msr.stored)
		return -ENOMEM;
	memset(vcpu->msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < VTX_NR_MSRS_DIRECT; i++)
		vtx_msr_intercept(vcpu, vtx_msrs_direct[i].index, false,
				  !vtx_msrs_direct[i].write);
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
			  (vcpu->id == vcpu->vm->boot_id ? MSR_IA32_APICBASE_BSP : 0);
	vcpu->msr.misc_enable = MISC_ENABLE_NO_PMU;
	/* As KVM's: a revision above 0, by which some guests know that there is one. */
	vcpu->msr.stored[VTX_STORED_UCODE] = BIT_ULL(32);
	vcpu->msr.stored[VTX_STORED_PLATFORM_INFO] = MSR_PLATFORM_INFO_CPUID_FAULT;
	vtx_tsc_vcpu_init(vcpu);
	return 0;
}

/**
 * vtx_msr_free() - the mirror of vtx_msr_alloc(), also after its failure
 * @vcpu: the vCPU
 */
void vtx_msr_free(struct vtx_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->msr_bitmap);
	kfree(vcpu->msr.stored);
}

static unsigned int sw_index(const struct vtx_guest_msr *m, u32 index)
{
	return array_index_nospec(m->arg + (index - m->index), VTX_NR_STORED);
}

/* Does a guarded MSR exist for the guest, or else for its VMM? */
static bool is_open(const struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m,
		    bool from_guest)
{
	if (!from_guest)
		return true;
	switch (m->kind) {
	case KIND_WO_IGNORED:
		return true;
	case KIND_PLATFORM_INFO:
		return !READ_ONCE(vcpu->vm->hide_platform_info);
	case KIND_TSC_AUX:
		return vcpu->cpuid.has & VTX_HAS_TSC_AUX;
	default:
		return false;
	}
}

static bool is_closed(const struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m,
		      bool from_guest)
{
	return !m || (m->kind >= KIND_GUARDED && !is_open(vcpu, m, from_guest));
}

/**
 * vtx_msr_get() - read an MSR
 * @vcpu:       the vCPU; VMCS current
 * @index:      RCX
 * @data:       result
 * @from_guest: RDMSR, else the VMM gets state
 *
 * Return: 0, or -EINVAL: #GP(0).
 */
int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool from_guest)
{
	const struct vtx_guest_msr *m = find_again(vcpu, index);

	if (is_closed(vcpu, m, from_guest))
		return -EINVAL;
	switch (m->kind) {
	case KIND_FIELD32:
	case KIND_FIELDL:
		*data = __vmread(m->arg);
		break;
	case KIND_PAT:
		*data = vmcs_read64(GUEST_IA32_PAT);
		break;
	case KIND_EFER:
		*data = vtx_efer_read(vcpu);
		break;
	case KIND_HW:
	case KIND_HW_ADDR:
	case KIND_TSC_AUX:
		/* SWAPGS may have changed it since it was loaded. */
		if (m->arg == VTX_MSR_KERNEL_GS_BASE && vtx_host_has_guest_msrs(vcpu))
			rdmsrq(MSR_KERNEL_GS_BASE, vcpu->msrs[m->arg]);
		*data = vcpu->msrs[m->arg];
		break;
	case KIND_CSTAR:
		*data = vcpu->msr.cstar;
		break;
	case KIND_TSC:
		*data = vtx_tsc_read(vcpu);
		break;
	case KIND_TSC_ADJUST:
		*data = vtx_tsc_adjust(vcpu);
		break;
	case KIND_APIC_BASE:
		*data = vcpu->apic_base;
		break;
	case KIND_MISC_ENABLE:
		*data = vcpu->msr.misc_enable;
		break;
	case KIND_MTRR_CAP:
		/* Fixed ranges and write-combining supported. */
		*data = 0x500 | VTX_NR_VAR_MTRRS;
		break;
	case KIND_WO_IGNORED:
		return -EINVAL;
	case KIND_MCE:
		return vtx_mce_get_msr(vcpu, index, !from_guest, data);
	case KIND_UCODE:
	case KIND_HOST_ONLY:
	case KIND_STORED:
	case KIND_VMM:
	case KIND_PLATFORM_INFO:
	case KIND_MISC_FEATURES:
	case KIND_FEAT_CTL:
	case KIND_HWCR:
	case KIND_MTRR_DEF:
	case KIND_MTRR_FIXED:
	case KIND_MTRR_BASE:
		*data = vcpu->msr.stored[sw_index(m, index)];
		break;
	case KIND_CONST:
	case KIND_RO_CONST:
		*data = vtx_msr_constants[array_index_nospec(m->arg, VTX_NR_MSR_CONSTANTS)];
		break;
	default:
		*data = 0;
	}
	return 0;
}

static bool canonical(u64 address)
{
	return (s64)(address << 16) >> 16 == (s64)address;
}

/* SDM vol. 3 "IA32_PAT MSR": UC, WC, WT, WP, WB, UC-. */
static bool pat_valid(u64 data)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = data >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool mtrr_type_valid(u8 type)
{
	return type < 7 && type != 2 && type != 3;
}

/* SDM vol. 3 "MTRRs". */
static bool mtrr_valid(struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m, u32 index,
		       u64 data)
{
	u64 address = vtx_cpuid_page_mask(vcpu);
	unsigned int i;

	switch (m->kind) {
	case KIND_MTRR_DEF:
		return !(data & ~0xcffULL) && mtrr_type_valid(data);
	case KIND_MTRR_FIXED:
		for (i = 0; i < 64; i += 8)
			if (!mtrr_type_valid(data >> i))
				return false;
		return true;
	default:
		if ((index - m->index) & 1)
			return !(data & ~(address | BIT(11)));
		return !(data & ~(address | 0xff)) && mtrr_type_valid(data);
	}
}

/**
 * vtx_apic_base_valid() - may IA32_APIC_BASE hold this?
 * @vcpu: the vCPU
 * @data: the value
 *
 * Return: false for reserved bits and x2APIC mode, which no guest has.
 */
bool vtx_apic_base_valid(const struct vtx_vcpu *vcpu, u64 data)
{
	return !(data & ~(vtx_cpuid_page_mask(vcpu) | MSR_IA32_APICBASE_BSP |
			  MSR_IA32_APICBASE_ENABLE));
}

static int set_hw(struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m, u64 data)
{
	if (m->kind == KIND_HW_ADDR && !canonical(data))
		return -EINVAL;
	if ((m->arg == VTX_MSR_FMASK || m->arg == VTX_MSR_TSC_AUX) && data >> 32)
		return -EINVAL;
	vcpu->msrs[m->arg] = data;
	if (m->arg == VTX_MSR_KERNEL_GS_BASE && vtx_host_has_guest_msrs(vcpu))
		wrmsrq(MSR_KERNEL_GS_BASE, data);
	return 0;
}

static int set_misc_enable(struct vtx_vcpu *vcpu, u64 data, bool from_guest)
{
	u64 old = vcpu->msr.misc_enable;

	if (from_guest) {
		/* SDM vol. 4: read-only; writes of the others without effect are taken. */
		if ((old ^ data) & MISC_ENABLE_NO_PMU)
			return -EINVAL;
		data &= ~MSR_IA32_MISC_ENABLE_EMON;
		data |= old & MSR_IA32_MISC_ENABLE_EMON;
	}
	vcpu->msr.misc_enable = data;
	return 0;
}

/* AMD's HWCR: bits whose writes KVM ignores, and McStatusWrEn. */
#define HWCR_IGNORED	(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))
#define HWCR_STORED	BIT_ULL(18)

/* Those of vcpu->msr.stored that are more than memory. */
static int set_stored(struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m, u64 data,
		      bool from_guest)
{
	u64 *stored = vcpu->msr.stored;
	bool faults = stored[VTX_STORED_MISC_FEATURES] & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT;
	bool can_fault = stored[VTX_STORED_PLATFORM_INFO] & MSR_PLATFORM_INFO_CPUID_FAULT;

	switch (m->kind) {
	case KIND_VMM:
		if (from_guest)
			return -EINVAL;
		break;
	case KIND_PLATFORM_INFO:
		if (from_guest || (faults && !(data & MSR_PLATFORM_INFO_CPUID_FAULT)))
			return -EINVAL;
		break;
	case KIND_MISC_FEATURES:
		if ((data & ~MSR_MISC_FEATURES_ENABLES_CPUID_FAULT) || (data && !can_fault))
			return -EINVAL;
		vtx_cpuid_set_faulting(vcpu, data);
		break;
	case KIND_FEAT_CTL:
		if ((data & ~(u64)FEAT_CTL_LOCKED) ||
		    (from_guest && stored[VTX_STORED_FEAT_CTL]))
			return -EINVAL;
		break;
	default:
		data &= ~HWCR_IGNORED;
		if (data & ~HWCR_STORED)
			return -EINVAL;
	}
	stored[m->arg] = data;
	return 0;
}

/* The writes that can be refused. */
static int set_checked(struct vtx_vcpu *vcpu, const struct vtx_guest_msr *m, u32 index,
		       u64 data, bool from_guest)
{
	switch (m->kind) {
	case KIND_RO_ZERO:
	case KIND_MTRR_CAP:
	case KIND_RO_CONST:
		return -EINVAL;
	case KIND_ZERO:
		return data ? -EINVAL : 0;
	case KIND_MISC_ENABLE:
		return set_misc_enable(vcpu, data, from_guest);
	case KIND_VMM:
	case KIND_PLATFORM_INFO:
	case KIND_MISC_FEATURES:
	case KIND_FEAT_CTL:
	case KIND_HWCR:
		return set_stored(vcpu, m, data, from_guest);
	case KIND_DEBUGCTL:
		return data & ~(u64)(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF) ? -EINVAL : 0;
	case KIND_FIELD32:
		__vmwrite(m->arg, (u32)data);
		return 0;
	case KIND_FIELDL:
		if (!canonical(data))
			return -EINVAL;
		__vmwrite(m->arg, data);
		return 0;
	case KIND_PAT:
		if (!pat_valid(data))
			return -EINVAL;
		vmcs_write64(GUEST_IA32_PAT, data);
		return 0;
	case KIND_CSTAR:
		if (!canonical(data))
			return -EINVAL;
		vcpu->msr.cstar = data;
		return 0;
	case KIND_APIC_BASE:
		if (!vtx_apic_base_valid(vcpu, data))
			return -EINVAL;
		vcpu->apic_base = data;
		return 0;
	default:
		if (!mtrr_valid(vcpu, m, index, data))
			return -EINVAL;
		vcpu->msr.stored[sw_index(m, index)] = data;
		return 0;
	}
}

/**
 * vtx_msr_is_swapped() - is the value in the CPU while the vCPU runs?
 * @vcpu:  the vCPU
 * @index: RCX
 *
 * Return: true if vtx_host_reload_msrs() has to follow a write; EFER decides
 * which of the others are swapped at all.
 */
bool vtx_msr_is_swapped(struct vtx_vcpu *vcpu, u32 index)
{
	const struct vtx_guest_msr *m = find_again(vcpu, index);

	return m && (m->kind == KIND_HW || m->kind == KIND_HW_ADDR ||
		     m->kind == KIND_EFER || m->kind == KIND_TSC_AUX);
}

/**
 * vtx_msr_set() - write an MSR
 * @vcpu:       the vCPU; VMCS current
 * @index:      RCX
 * @data:       EDX:EAX
 * @from_guest: WRMSR, else the VMM sets state
 *
 * Context: between vtx_host_enter() and vtx_host_leave(), vtx_host_reload_msrs()
 * has to follow.
 * Return: 0, or -EINVAL: #GP(0).
 */
int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool from_guest)
{
	const struct vtx_guest_msr *m = find_again(vcpu, index);

	if (is_closed(vcpu, m, from_guest))
		return -EINVAL;
	switch (m->kind) {
	case KIND_HW:
	case KIND_HW_ADDR:
	case KIND_TSC_AUX:
		return set_hw(vcpu, m, data);
	case KIND_EFER:
		if (from_guest)
			return vtx_efer_set(vcpu, data);
		if (data & ~vtx_efer_supported())
			return -EINVAL;
		vtx_efer_write(vcpu, vtx_efer_lma(data, vtx_cr0_read()));
		return 0;
	case KIND_TSC:
		vtx_tsc_set(vcpu, data, from_guest);
		return 0;
	case KIND_TSC_ADJUST:
		vtx_tsc_set_adjust(vcpu, data, from_guest);
		return 0;
	case KIND_IGNORED:
	case KIND_WO_IGNORED:
	case KIND_CONST:
		return 0;
	case KIND_UCODE:
		if (from_guest)
			return 0;
		fallthrough;
	case KIND_HOST_ONLY:
	case KIND_STORED:
		vcpu->msr.stored[sw_index(m, index)] = data;
		return 0;
	case KIND_MCE:
		return vtx_mce_set_msr(vcpu, index, !from_guest, data);
	default:
		return set_checked(vcpu, m, index, data, from_guest);
	}
}
