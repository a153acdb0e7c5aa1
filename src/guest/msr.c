// SPDX-License-Identifier: GPL-2.0
/*
 * msr.c - the MSRs that a guest has
 *
 * An allow-list: what is not in the table does not exist (#GP in the guest, end
 * of the list for KVM_GET_MSRS). No guest ever reads or writes a host MSR: the
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
#include "vmx/caps.h"
#include "vmx/host.h"
#include "vmx/tsc.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

enum kind {
	KIND_RO_ZERO,	/* reads 0; the guest can't write, the VMM may write 0 */
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
	KIND_HOST_ONLY,	/* stored for the VMM, does not exist for the guest */
};

#define NR_VAR_MTRRS	8

struct guest_msr {
	u32 index;
	u8 count;	/* consecutive MSRs of the same kind */
	u8 kind;
	u16 arg;	/* VMCS field, or index into vcpu->msrs, ->sw_msrs or constants */
};

/* What KVM has there for guests that can't do without, and has explained. */
static const u64 constants[] = {
	3,			/* FSB_FREQ */
	1 << 24,		/* EBC_FREQUENCY_ID: a ratio of 1; guests divide by it */
	1000 | 4ULL << 40,	/* PERF_STATUS */
	0xbe702111,		/* BBL_CR_CTL3: an L2 cache of 256 KBytes is on */
	0x20000000,		/* K7_CLK_CTL */
};

static const struct guest_msr msrs[] = {
	{ MSR_IA32_P5_MC_ADDR, 2, KIND_IGNORED },
	{ MSR_IA32_TSC, 1, KIND_TSC },
	/* QEMU 7.2 sets KVM's clock MSRs in every guest, offered or not. */
	{ MSR_KVM_WALL_CLOCK, 2, KIND_HOST_ONLY, 28 },
	{ MSR_IA32_PLATFORM_ID, 1, KIND_RO_ZERO },
	{ MSR_IA32_APICBASE, 1, KIND_APIC_BASE },
	{ MSR_IA32_TSC_ADJUST, 1, KIND_TSC_ADJUST },
	{ MSR_IA32_UCODE_REV, 1, KIND_UCODE, 30 },
	{ MSR_MTRRcap, 1, KIND_MTRR_CAP },
	{ MSR_IA32_SYSENTER_CS, 1, KIND_FIELD32, GUEST_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP, 1, KIND_FIELDL, GUEST_SYSENTER_ESP },
	{ MSR_IA32_SYSENTER_EIP, 1, KIND_FIELDL, GUEST_SYSENTER_EIP },
	{ MSR_IA32_MCG_CAP, 3, KIND_MCE },
	{ MSR_IA32_MISC_ENABLE, 1, KIND_MISC_ENABLE },
	{ MSR_IA32_DEBUGCTLMSR, 1, KIND_DEBUGCTL },
	{ MSR_IA32_MC0_CTL, 128, KIND_MCE },
	{ MTRRphysBase_MSR(0), 2 * NR_VAR_MTRRS, KIND_MTRR_BASE, 0 },
	{ MSR_MTRRfix64K_00000, 1, KIND_MTRR_FIXED, 16 },
	{ MSR_MTRRfix16K_80000, 2, KIND_MTRR_FIXED, 17 },
	{ MSR_MTRRfix4K_C0000, 8, KIND_MTRR_FIXED, 19 },
	{ MSR_IA32_CR_PAT, 1, KIND_PAT },
	{ MSR_MTRRdefType, 1, KIND_MTRR_DEF, 27 },
	{ MSR_EFER, 1, KIND_EFER },
	{ MSR_STAR, 1, KIND_HW, VTX_MSR_STAR },
	{ MSR_LSTAR, 1, KIND_HW_ADDR, VTX_MSR_LSTAR },
	{ MSR_CSTAR, 1, KIND_CSTAR },
	{ MSR_SYSCALL_MASK, 1, KIND_HW, VTX_MSR_FMASK },
	{ MSR_FS_BASE, 1, KIND_FIELDL, GUEST_FS_BASE },
	{ MSR_GS_BASE, 1, KIND_FIELDL, GUEST_GS_BASE },
	{ MSR_KERNEL_GS_BASE, 1, KIND_HW_ADDR, VTX_MSR_KERNEL_GS_BASE },
	{ MSR_TSC_AUX, 1, KIND_HW, VTX_MSR_TSC_AUX },
	/* What old guests look at without asking. */
	{ MSR_IA32_EBL_CR_POWERON, 1, KIND_RO_ZERO },
	{ MSR_EBC_FREQUENCY_ID, 1, KIND_RO_CONST, 1 },
	{ MSR_P6_PERFCTR0, 2, KIND_IGNORED },
	{ MSR_FSB_FREQ, 1, KIND_RO_CONST, 0 },
	{ MSR_IA32_BBL_CR_CTL3, 1, KIND_CONST, 3 },
	{ MSR_P6_EVNTSEL0, 2, KIND_IGNORED },
	{ MSR_IA32_PERF_STATUS, 1, KIND_RO_CONST, 2 },
	{ MSR_IA32_PERF_CTL, 1, KIND_RO_ZERO },
	{ MSR_IA32_LASTBRANCHFROMIP, 4, KIND_RO_ZERO },	/* to LASTINTTOIP */
	{ MSR_RAPL_POWER_UNIT, 1, KIND_RO_ZERO },
	{ MSR_PKG_ENERGY_STATUS, 1, KIND_RO_ZERO },
	{ MSR_DRAM_ENERGY_STATUS, 1, KIND_RO_ZERO },
	{ MSR_PP0_ENERGY_STATUS, 1, KIND_RO_ZERO },
	{ MSR_PP1_ENERGY_STATUS, 1, KIND_RO_ZERO },
	/* What a guest with AMD's CPUID looks at likewise. */
	{ MSR_K7_EVNTSEL0, 8, KIND_IGNORED },	/* and PERFCTR0 to 3 */
	{ MSR_K7_CLK_CTL, 1, KIND_CONST, 4 },
	{ MSR_AMD64_SYSCFG, 1, KIND_IGNORED },
	{ MSR_K7_HWCR, 1, KIND_IGNORED },
	{ MSR_AMD64_NB_CFG, 2, KIND_IGNORED },	/* and PATCH_LOADER */
	{ MSR_K8_INT_PENDING_MSG, 1, KIND_IGNORED },
	{ MSR_FAM10H_MMIO_CONF_BASE, 1, KIND_RO_ZERO },
	{ MSR_K8_TSEG_ADDR, 2, KIND_RO_ZERO },	/* and TSEG_MASK */
	{ MSR_VM_HSAVE_PA, 1, KIND_IGNORED },
	{ MSR_AMD64_DC_CFG, 2, KIND_IGNORED },	/* and TW_CFG */
	{ MSR_AMD64_BU_CFG2, 1, KIND_IGNORED },
	{ MSR_F15H_EX_CFG, 1, KIND_IGNORED },
};

#define NR_SW_MSRS	31

/*
 * Accessed by the guest without an exit, unless the VMM's filter says otherwise:
 * VMCS fields, and KERNEL_GS_BASE, which host.c swaps. A write of EFER means
 * more than the register.
 */
const struct vtx_msr_direct vtx_msrs_direct[VTX_NR_MSRS_DIRECT] = {
	{ MSR_FS_BASE, true },
	{ MSR_GS_BASE, true },
	{ MSR_KERNEL_GS_BASE, true },
	{ MSR_IA32_SYSENTER_CS, true },
	{ MSR_IA32_SYSENTER_ESP, true },
	{ MSR_IA32_SYSENTER_EIP, true },
	{ MSR_EFER, false },
};

static bool have_rdtscp(void)
{
	return vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP;
}

static bool matches(const struct guest_msr *m, u32 index)
{
	return index - m->index < m->count;
}

static const struct guest_msr *find(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (!matches(&msrs[i], index))
			continue;
		if (msrs[i].index == MSR_TSC_AUX && !have_rdtscp())
			return NULL;
		return &msrs[i];
	}
	return NULL;
}

/* Guests ask for the same MSR over and over. */
static const struct guest_msr *find_again(struct vtx_vcpu *vcpu, u32 index)
{
	const struct guest_msr *m = vcpu->msr.last;

	if (unlikely(!m || !matches(m, index))) {
		m = find(index);
		vcpu->msr.last = m;
	}
	return m;
}

/* Listed is what a VMM saves and restores without knowing it. */
static bool listed(const struct guest_msr *m)
{
	switch (m->kind) {
	case KIND_MTRR_CAP:
	case KIND_RO_ZERO:
	case KIND_IGNORED:
	case KIND_CONST:
	case KIND_RO_CONST:
	case KIND_HOST_ONLY:
		return false;
	case KIND_MCE:
		return m->index == MSR_IA32_MCG_CAP;
	default:
		return find(m->index);
	}
}

/**
 * vtx_msr_feature_list() - for KVM_GET_MSR_FEATURE_INDEX_LIST
 * @indices: where to
 * @max:     room there
 *
 * Return: as vtx_msr_list().
 */
unsigned int vtx_msr_feature_list(u32 *indices, unsigned int max)
{
	if (max)
		indices[0] = MSR_IA32_UCODE_REV;
	return 1;
}

/**
 * vtx_msr_feature() - what the host has of what guests can be given
 * @index: one of vtx_msr_feature_list()
 * @data:  result
 *
 * Return: 0, -EINVAL: not one of them.
 */
int vtx_msr_feature(u32 index, u64 *data)
{
	if (index != MSR_IA32_UCODE_REV)
		return -EINVAL;
	*data = (u64)boot_cpu_data.microcode << 32;
	return 0;
}

/**
 * vtx_msr_exists() - is there such an MSR?
 * @index: RCX
 *
 * Return: false: no guest has it.
 */
bool vtx_msr_exists(u32 index)
{
	return find(index);
}

/**
 * vtx_msr_list() - for KVM_GET_MSR_INDEX_LIST: all MSRs that can be got and set
 * @indices: where to
 * @max:     room there
 *
 * Return: how many there are, also if that is more than @max.
 */
unsigned int vtx_msr_list(u32 *indices, unsigned int max)
{
	unsigned int i, j, n = 0;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (!listed(&msrs[i]))
			continue;
		for (j = 0; j < msrs[i].count; j++, n++)
			if (n < max)
				indices[n] = msrs[i].index + j;
	}
	return n;
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
	vcpu->msr.stored = kcalloc(NR_SW_MSRS, sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!vcpu->msr_bitmap || !vcpu->msr.stored)
		return -ENOMEM;
	memset(vcpu->msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < VTX_NR_MSRS_DIRECT; i++)
		vtx_msr_intercept(vcpu, vtx_msrs_direct[i].index, false,
				  !vtx_msrs_direct[i].write);
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
			  (vcpu->id == vcpu->vm->boot_id ? MSR_IA32_APICBASE_BSP : 0);
	vcpu->msr.misc_enable = MSR_IA32_MISC_ENABLE_FAST_STRING |
			    MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |
			    MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL;
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

static unsigned int sw_index(const struct guest_msr *m, u32 index)
{
	return array_index_nospec(m->arg + (index - m->index), NR_SW_MSRS);
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
	const struct guest_msr *m = find_again(vcpu, index);

	if (!m || (from_guest && m->kind == KIND_HOST_ONLY))
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
		/* SWAPGS may have changed it since it was loaded. */
		if (m->arg == VTX_MSR_KERNEL_GS_BASE && vtx_host_has_guest_msrs(vcpu))
			rdmsrl(MSR_KERNEL_GS_BASE, vcpu->msrs[m->arg]);
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
		*data = 0x500 | NR_VAR_MTRRS;
		break;
	case KIND_MCE:
		return vtx_mce_get_msr(vcpu, index, !from_guest, data);
	case KIND_UCODE:
	case KIND_HOST_ONLY:
	case KIND_MTRR_DEF:
	case KIND_MTRR_FIXED:
	case KIND_MTRR_BASE:
		*data = vcpu->msr.stored[sw_index(m, index)];
		break;
	case KIND_CONST:
	case KIND_RO_CONST:
		*data = constants[array_index_nospec(m->arg, ARRAY_SIZE(constants))];
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
static bool mtrr_valid(struct vtx_vcpu *vcpu, const struct guest_msr *m, u32 index,
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

static int set_hw(struct vtx_vcpu *vcpu, const struct guest_msr *m, u64 data)
{
	if (m->kind == KIND_HW_ADDR && !canonical(data))
		return -EINVAL;
	if ((m->arg == VTX_MSR_FMASK || m->arg == VTX_MSR_TSC_AUX) && data >> 32)
		return -EINVAL;
	vcpu->msrs[m->arg] = data;
	if (m->arg == VTX_MSR_KERNEL_GS_BASE && vtx_host_has_guest_msrs(vcpu))
		wrmsrl(MSR_KERNEL_GS_BASE, data);
	return 0;
}

/* The writes that can be refused. */
static int set_checked(struct vtx_vcpu *vcpu, const struct guest_msr *m, u32 index,
		       u64 data, bool from_guest)
{
	switch (m->kind) {
	case KIND_RO_ZERO:
	case KIND_MTRR_CAP:
		return data || from_guest ? -EINVAL : 0;
	case KIND_RO_CONST:
		return -EINVAL;
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
	const struct guest_msr *m = find_again(vcpu, index);

	return m && (m->kind == KIND_HW || m->kind == KIND_HW_ADDR ||
		     m->kind == KIND_EFER);
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
	const struct guest_msr *m = find_again(vcpu, index);

	if (!m || (from_guest && m->kind == KIND_HOST_ONLY))
		return -EINVAL;
	switch (m->kind) {
	case KIND_HW:
	case KIND_HW_ADDR:
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
	case KIND_MISC_ENABLE:
		vcpu->msr.misc_enable = data;
		return 0;
	case KIND_IGNORED:
	case KIND_CONST:
		return 0;
	case KIND_UCODE:
		if (from_guest)
			return 0;
		fallthrough;
	case KIND_HOST_ONLY:
		vcpu->msr.stored[sw_index(m, index)] = data;
		return 0;
	case KIND_MCE:
		return vtx_mce_set_msr(vcpu, index, !from_guest, data);
	default:
		return set_checked(vcpu, m, index, data, from_guest);
	}
}
