/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_CAPS_H
#define _VTX_CAPS_H

#include <linux/types.h>

/**
 * struct vtx_caps - what this machine's VMX can do and what vtx uses of it
 * @basic:	IA32_VMX_BASIC
 * @misc:	IA32_VMX_MISC
 * @ept_vpid:	IA32_VMX_EPT_VPID_CAP
 * @cr0_fixed0:	CR0 bits that must be 1 in VMX operation
 * @cr0_fixed1:	CR0 bits that may be 1 in VMX operation
 * @cr4_fixed0:	CR4 bits that must be 1 in VMX operation
 * @cr4_fixed1:	CR4 bits that may be 1 in VMX operation
 * @pin:	pin-based VM-execution controls in use
 * @cpu:	primary processor-based VM-execution controls in use
 * @cpu2:	secondary processor-based VM-execution controls in use
 * @exit:	VM-exit controls in use
 * @entry:	VM-entry controls in use, without the IA-32e mode bit
 * @mtf:	the monitor trap flag can be set: stepping works
 *
 * Read on one CPU by vtx_caps_init(), constant afterwards; the others must
 * be equal (vtx_caps_check_cpu()).
 */
struct vtx_caps {
	u64 basic;
	u64 misc;
	u64 ept_vpid;
	u64 cr0_fixed0;
	u64 cr0_fixed1;
	u64 cr4_fixed0;
	u64 cr4_fixed1;
	u32 pin;
	u32 cpu;
	u32 cpu2;
	u32 exit;
	u32 entry;
	u32 mtf;
};

/* They take an instruction away, if on: from guests whose CPUID lacks it. */
#define VTX_HIDING_EXITS (SECONDARY_EXEC_RDRAND_EXITING | SECONDARY_EXEC_RDSEED_EXITING)

extern struct vtx_caps vtx_caps;
extern bool vtx_ept_ad;	/* accessed and dirty flags for EPT are in use */

int vtx_caps_init(void);
int vtx_caps_check_cpu(void);
int vtx_caps_lacks(char *buf, size_t size);
int vtx_caps_vmx_usable(void);

#endif /* _VTX_CAPS_H */
