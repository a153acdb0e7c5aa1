// SPDX-License-Identifier: GPL-2.0
/*
 * caps.c - capability MSRs in, control words out
 *
 * Owns the tables of the VMX controls that vtx requires and those it uses if
 * present. Does not own the decision which INVVPID and INVEPT types are used
 * (tlb.c). Entered from main.c at load and from root.c for each CPU that comes
 * online.
 *
 * SDM vol. 3 "VMX Capability Reporting Facility" (appendix A).
 */
#include "vmx/caps.h"

#include <linux/cpufeature.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/cpu_device_id.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#include "vmx/compat.h"

struct vtx_caps vtx_caps __ro_after_init;
bool vtx_ept_ad __ro_after_init;

struct control {
	u32 bit;
	const char *name;
};

/*
 * One control word: the plain capability MSR, the "true" one that IA32_VMX_BASIC
 * bit 55 announces, and the controls by name. Rows before @required_end must
 * be available, the others are used where they are.
 */
struct control_word {
	u32 msr;
	u32 true_msr;
	const struct control *required;
	const struct control *optional;
};

#define CONTROLS (const struct control[])

static const struct control_word pin_word = {
	.msr = MSR_IA32_VMX_PINBASED_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
	.required = CONTROLS {
		{ PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting" },
		{ PIN_BASED_NMI_EXITING, "NMI exiting" },
		{ PIN_BASED_VIRTUAL_NMIS, "virtual NMIs" },
		{ }
	},
	.optional = CONTROLS { { } },
};

static const struct control_word cpu_word = {
	.msr = MSR_IA32_VMX_PROCBASED_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
	.required = CONTROLS {
		{ CPU_BASED_USE_TSC_OFFSETTING, "use TSC offsetting" },
		{ CPU_BASED_HLT_EXITING, "HLT exiting" },
		{ CPU_BASED_MWAIT_EXITING, "MWAIT exiting" },
		{ CPU_BASED_RDPMC_EXITING, "RDPMC exiting" },
		{ CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting" },
		{ CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting" },
		{ CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting" },
		{ CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting" },
		{ CPU_BASED_USE_MSR_BITMAPS, "use MSR bitmaps" },
		{ CPU_BASED_MONITOR_EXITING, "MONITOR exiting" },
		{ CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "activate secondary controls" },
		{ }
	},
	.optional = CONTROLS { { } },
};

/* Set and cleared at run time: must be available, are off in the base word. */
#define CPU_WINDOWS (CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING)

static const struct control_word cpu2_word = {
	.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
	.required = CONTROLS {
		{ SECONDARY_EXEC_ENABLE_EPT, "EPT" },
		{ SECONDARY_EXEC_UNRESTRICTED_GUEST, "unrestricted guest" },
		{ }
	},
	.optional = CONTROLS {
		{ SECONDARY_EXEC_ENABLE_VPID, "VPID" },
		{ SECONDARY_EXEC_ENABLE_RDTSCP, "RDTSCP" },
		{ SECONDARY_EXEC_ENABLE_INVPCID, "INVPCID" },
		{ SECONDARY_EXEC_WBINVD_EXITING, "WBINVD exiting" },
		{ SECONDARY_EXEC_ENCLS_EXITING, "ENCLS exiting" },
		{ SECONDARY_EXEC_RDRAND_EXITING, "RDRAND exiting" },
		{ SECONDARY_EXEC_RDSEED_EXITING, "RDSEED exiting" },
		{ }
	},
};

static const struct control_word exit_word = {
	.msr = MSR_IA32_VMX_EXIT_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
	.required = CONTROLS {
		{ VM_EXIT_SAVE_DEBUG_CONTROLS, "save debug controls" },
		{ VM_EXIT_HOST_ADDR_SPACE_SIZE, "host address-space size" },
		{ VM_EXIT_SAVE_IA32_PAT, "save IA32_PAT" },
		{ VM_EXIT_LOAD_IA32_PAT, "load IA32_PAT at exit" },
		{ VM_EXIT_SAVE_IA32_EFER, "save IA32_EFER" },
		{ VM_EXIT_LOAD_IA32_EFER, "load IA32_EFER at exit" },
		{ }
	},
	.optional = CONTROLS {
		{ VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL, "load IA32_PERF_GLOBAL_CTRL at exit" },
		{ }
	},
};

static const struct control_word entry_word = {
	.msr = MSR_IA32_VMX_ENTRY_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
	.required = CONTROLS {
		{ VM_ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls" },
		{ VM_ENTRY_LOAD_IA32_PAT, "load IA32_PAT at entry" },
		{ VM_ENTRY_LOAD_IA32_EFER, "load IA32_EFER at entry" },
		{ }
	},
	.optional = CONTROLS {
		{ VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, "load IA32_PERF_GLOBAL_CTRL at entry" },
		{ }
	},
};

static int refuse(const char *name)
{
	pr_err("refused: this CPU's VMX lacks the required control \"%s\"; run on a CPU (or expose one to this VM) that has it\n",
	       name);
	return -EOPNOTSUPP;
}

/*
 * SDM vol. 3 "Algorithms for Determining VMX Capabilities": the low half of a
 * capability MSR has the bits that must be 1, the high half those that may be.
 */
static int choose(const struct control_word *word, u64 basic, u32 *ctl)
{
	u32 msr = basic & BIT_ULL(55) && word->true_msr ? word->true_msr : word->msr;
	const struct control *c;
	u32 must, may;

	rdmsr(msr, must, may);
	*ctl = must;
	for (c = word->required; c->bit; c++) {
		if (!(may & c->bit))
			return refuse(c->name);
		*ctl |= c->bit;
	}
	for (c = word->optional; c->bit; c++)
		*ctl |= may & c->bit;
	return 0;
}

static int choose_primary(struct vtx_caps *c)
{
	u32 must, may;
	int r = choose(&cpu_word, c->basic, &c->cpu);

	if (r)
		return r;
	rdmsr(c->basic & BIT_ULL(55) ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
	      MSR_IA32_VMX_PROCBASED_CTLS, must, may);
	if (!(may & CPU_BASED_INTR_WINDOW_EXITING))
		return refuse("interrupt-window exiting");
	if (!(may & CPU_BASED_NMI_WINDOW_EXITING))
		return refuse("NMI-window exiting");
	c->mtf = may & CPU_BASED_MONITOR_TRAP_FLAG;
	if (must & (CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
		    CPU_BASED_INVLPG_EXITING | CPU_WINDOWS))
		return refuse("true VMX controls (CR3 accesses without exits)");
	return 0;
}

static int check_ept(u64 cap)
{
	if (!(cap & VMX_EPT_PAGE_WALK_4_BIT))
		return refuse("EPT page-walk length 4");
	if (!(cap & VMX_EPTP_WB_BIT))
		return refuse("EPT paging structures in write-back memory");
	if (!(cap & VMX_EPT_INVEPT_BIT) ||
	    !(cap & (VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT)))
		return refuse("INVEPT");
	return 0;
}

/*
 * The MSR is there from version 2 of the architectural PMU on. On Nehalem and
 * Westmere the control may clear its bits 34:32 at VM exit (errata AAK155,
 * AAP115, AAT100, BC86, BD53 and siblings).
 */
static bool has_perf_global_ctrl(void)
{
	if (!boot_cpu_has(X86_FEATURE_ARCH_PERFMON) || (cpuid_eax(0xa) & 0xff) < 2)
		return false;
	if (boot_cpu_data.x86 != 6)
		return true;
	switch (boot_cpu_data.x86_model) {
	case 26: case 30: case 37: case 44: case 46:
		return false;
	default:
		return true;
	}
}

static int read_caps(struct vtx_caps *c)
{
	int r;

	memset(c, 0, sizeof(*c));
	rdmsrq(MSR_IA32_VMX_BASIC, c->basic);
	rdmsrq(MSR_IA32_VMX_MISC, c->misc);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED0, c->cr0_fixed0);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED1, c->cr0_fixed1);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED0, c->cr4_fixed0);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED1, c->cr4_fixed1);
	r = choose(&pin_word, c->basic, &c->pin);
	if (!r)
		r = choose_primary(c);
	/* MSRs 48BH and 48CH exist only if the controls that they describe do. */
	if (!r)
		r = choose(&cpu2_word, c->basic, &c->cpu2);
	if (r)
		return r;
	rdmsrq(MSR_IA32_VMX_EPT_VPID_CAP, c->ept_vpid);
	r = check_ept(c->ept_vpid);
	if (!r)
		r = choose(&exit_word, c->basic, &c->exit);
	if (!r)
		r = choose(&entry_word, c->basic, &c->entry);
	if (r)
		return r;
	/* Useful as a pair only: entry stops the host's counters, exit restarts. */
	if (!(c->exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	    !(c->entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	    !has_perf_global_ctrl()) {
		c->exit &= ~VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
		c->entry &= ~VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL;
	}
	/* The memory type of VMCSs: SDM vol. 3 "Basic VMX Information". */
	if (((c->basic >> 50) & 15) != 6)
		return refuse("write-back VMCS region");
	/* Without it the segment and address size of INS and OUTS are not told. */
	if (!(c->basic & BIT_ULL(54)))
		return refuse("VM-exit instruction information for INS and OUTS");
	return 0;
}

/**
 * vtx_caps_vmx_usable() - can this machine enter VMX operation at all?
 *
 * Looks at CPUID and IA32_FEAT_CTL of the current CPU, prints the cause and
 * the remedy if not.
 *
 * Context: any, preemption need not be off (firmware sets all CPUs alike;
 * VMXON itself is the per-CPU check).
 * Return: 0, or -EOPNOTSUPP.
 */
int vtx_caps_vmx_usable(void)
{
	u64 ctl;

	/* The kernel clears X86_FEATURE_VMX when firmware disabled VMX. */
	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err("refused: this CPU has no VMX (CPUID.1:ECX bit 5); in a VM, enable nested virtualization on its host\n");
		return -EOPNOTSUPP;
	}
	if (rdmsrq_safe(MSR_IA32_FEAT_CTL, &ctl) ||
	    !(ctl & FEAT_CTL_LOCKED) || !(ctl & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("refused: VMX is disabled by firmware in IA32_FEAT_CTL; enable virtualization (VT-x) in the firmware setup and power-cycle\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * vtx_caps_init() - read this CPU's capabilities and choose the controls
 *
 * Context: module load, current CPU has usable VMX.
 * Return: 0, or -EOPNOTSUPP with one line in the log that names the control.
 */
int __init vtx_caps_init(void)
{
	return read_caps(&vtx_caps);
}

/**
 * vtx_caps_lacks() - what guests or the host go without on this CPU
 * @buf:  for the text, each point with ", " before it
 * @size: of @buf
 *
 * Return: length of the text, 0: nothing.
 */
int __init vtx_caps_lacks(char *buf, size_t size)
{
	const struct vtx_caps *c = &vtx_caps;
	const struct {
		bool lacks;
		const char *text;
	} points[] = {
		{ boot_cpu_has(X86_FEATURE_RDTSCP) &&
		  !(c->cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP), "no RDTSCP in guests" },
		{ boot_cpu_has(X86_FEATURE_INVPCID) &&
		  !(c->cpu2 & SECONDARY_EXEC_ENABLE_INVPCID), "no INVPCID in guests" },
		{ !(c->cpu2 & SECONDARY_EXEC_WBINVD_EXITING),
		  "WBINVD in a guest empties the host's caches" },
		{ boot_cpu_has(X86_FEATURE_ARCH_PERFMON) &&
		  !(c->exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL),
		  "performance counters count in guests, too" },
		{ !c->mtf, "no monitor trap flag, single step by RFLAGS.TF" },
		{ !(c->ept_vpid & VMX_EPT_2MB_PAGE_BIT), "no 2-MByte pages in EPT" },
	};
	unsigned int i;
	int n = 0;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (points[i].lacks)
			n += scnprintf(buf + n, size - n, ", %s", points[i].text);
	return n;
}

/**
 * vtx_caps_check_cpu() - is the current CPU like the one read at load?
 *
 * Context: the CPU to check, preemption off.
 * Return: 0, or -EOPNOTSUPP.
 */
int vtx_caps_check_cpu(void)
{
	struct vtx_caps caps;

	if (read_caps(&caps))
		return -EOPNOTSUPP;
	/*
	 * The fixed CR bits and controls must agree; IA32_VMX_MISC and BASIC
	 * are part of it since VMCS regions move between CPUs.
	 */
	if (memcmp(&caps, &vtx_caps, sizeof(caps))) {
		pr_err("refused: CPU %d has other VMX capabilities than CPU 0\n",
		       smp_processor_id());
		return -EOPNOTSUPP;
	}
	return 0;
}
