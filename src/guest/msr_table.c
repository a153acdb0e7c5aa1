// SPDX-License-Identifier: GPL-2.0
/*
 * msr_table.c - which MSRs there are
 *
 * An allow-list: what is not in the table does not exist (#GP in the guest, end
 * of the list for KVM_GET_MSRS). Of each, what kind it is; what that means is
 * msr.c's.
 */
#include "guest/msr_table.h"

#include <linux/errno.h>
#include <linux/kernel.h>

#include <asm/cpufeature.h>
#include <asm/kvm_para.h>
#include <asm/mtrr.h>
#include <asm/vmx.h>

#include "vmx/caps.h"
#include "vtx.h"

/* What KVM has there for guests that can't do without, and has explained. */
const u64 vtx_msr_constants[VTX_NR_MSR_CONSTANTS] = {
	3,			/* FSB_FREQ */
	1 << 24,		/* EBC_FREQUENCY_ID: a ratio of 1; guests divide by it */
	1000 | 4ULL << 40,	/* PERF_STATUS */
	0xbe702111,		/* BBL_CR_CTL3: an L2 cache of 256 KBytes is on */
	0x20000000,		/* K7_CLK_CTL */
};

static const struct vtx_guest_msr msrs[] = {
	{ MSR_IA32_P5_MC_ADDR, 2, KIND_RO_ZERO },
	{ MSR_IA32_TSC, 1, KIND_TSC },
	/* QEMU 7.2 sets KVM's clock MSRs in every guest, offered or not. */
	{ MSR_KVM_WALL_CLOCK, 2, KIND_HOST_ONLY, 28 },
	{ MSR_IA32_PLATFORM_ID, 1, KIND_RO_ZERO },
	{ MSR_IA32_APICBASE, 1, KIND_APIC_BASE },
	{ MSR_SMI_COUNT, 1, KIND_VMM, VTX_STORED_SMI_COUNT },
	{ MSR_IA32_FEAT_CTL, 1, KIND_FEAT_CTL, VTX_STORED_FEAT_CTL },
	{ MSR_IA32_TSC_ADJUST, 1, KIND_TSC_ADJUST },
	{ MSR_IA32_UCODE_WRITE, 1, KIND_WO_IGNORED },
	{ MSR_IA32_UCODE_REV, 1, KIND_UCODE, VTX_STORED_UCODE },
	{ MSR_PLATFORM_INFO, 1, KIND_PLATFORM_INFO, VTX_STORED_PLATFORM_INFO },
	{ MSR_MTRRcap, 1, KIND_MTRR_CAP },
	{ MSR_MISC_FEATURES_ENABLES, 1, KIND_MISC_FEATURES, VTX_STORED_MISC_FEATURES },
	{ MSR_IA32_SYSENTER_CS, 1, KIND_FIELD32, GUEST_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP, 1, KIND_FIELDL, GUEST_SYSENTER_ESP },
	{ MSR_IA32_SYSENTER_EIP, 1, KIND_FIELDL, GUEST_SYSENTER_EIP },
	{ MSR_IA32_MCG_CAP, 3, KIND_MCE },
	{ MSR_IA32_MISC_ENABLE, 1, KIND_MISC_ENABLE },
	{ MSR_IA32_DEBUGCTLMSR, 1, KIND_DEBUGCTL },
	{ MSR_IA32_POWER_CTL, 1, KIND_STORED, VTX_STORED_POWER_CTL },
	{ MSR_IA32_MC0_CTL, 128, KIND_MCE },
	{ MTRRphysBase_MSR(0), 2 * VTX_NR_VAR_MTRRS, KIND_MTRR_BASE, 0 },
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
	{ MSR_TSC_AUX, 1, KIND_TSC_AUX, VTX_MSR_TSC_AUX },
	/* No local APIC in the kernel: its timer is the VMM's. */
	{ MSR_IA32_TSC_DEADLINE, 1, KIND_IGNORED },
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
	{ MSR_AMD64_SYSCFG, 1, KIND_RO_ZERO },
	{ MSR_K7_HWCR, 1, KIND_HWCR, VTX_STORED_HWCR },
	{ MSR_AMD64_NB_CFG, 1, KIND_IGNORED },
	{ MSR_AMD64_PATCH_LOADER, 1, KIND_WO_IGNORED },
	{ MSR_K8_INT_PENDING_MSG, 1, KIND_RO_ZERO },
	{ MSR_FAM10H_MMIO_CONF_BASE, 1, KIND_ZERO },
	{ MSR_K8_TSEG_ADDR, 2, KIND_RO_ZERO },	/* and TSEG_MASK */
	{ MSR_VM_HSAVE_PA, 1, KIND_IGNORED },
	{ MSR_AMD64_DC_CFG, 2, KIND_IGNORED },	/* and TW_CFG */
	{ MSR_AMD64_BU_CFG2, 1, KIND_IGNORED },
	{ MSR_F15H_EX_CFG, 1, KIND_IGNORED },
};

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

/**
 * vtx_msr_find() - the row of an MSR
 * @index: RCX
 *
 * Return: NULL: no guest has it.
 */
const struct vtx_guest_msr *vtx_msr_find(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (!vtx_msr_matches(&msrs[i], index))
			continue;
		if (msrs[i].index == MSR_TSC_AUX && !have_rdtscp())
			return NULL;
		return &msrs[i];
	}
	return NULL;
}

/* Listed is what a VMM saves and restores without knowing it. */
static bool listed(const struct vtx_guest_msr *m)
{
	switch (m->kind) {
	case KIND_MTRR_CAP:
	case KIND_RO_ZERO:
	case KIND_ZERO:
	case KIND_WO_IGNORED:
	case KIND_IGNORED:
	case KIND_CONST:
	case KIND_RO_CONST:
	case KIND_HOST_ONLY:
		return false;
	case KIND_MCE:
		return m->index == MSR_IA32_MCG_CAP;
	default:
		return vtx_msr_find(m->index);
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
	return vtx_msr_find(index);
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
