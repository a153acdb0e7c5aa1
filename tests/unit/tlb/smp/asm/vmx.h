/* SPDX-License-Identifier: GPL-2.0 */
/* SDM vol 3 "VPID and EPT Capabilities": what tlb.c takes from the kernel's header. */
#ifndef _SMP_ASM_VMX_H
#define _SMP_ASM_VMX_H

#define VMX_VPID_EXTENT_SINGLE_CONTEXT		1
#define VMX_VPID_EXTENT_ALL_CONTEXT		2
#define VMX_EPT_EXTENT_CONTEXT			1
#define VMX_EPT_EXTENT_GLOBAL			2

#define VMX_EPT_INVEPT_BIT			(1ull << 20)
#define VMX_EPT_EXTENT_CONTEXT_BIT		(1ull << 25)
#define VMX_EPT_EXTENT_GLOBAL_BIT		(1ull << 26)

/* These count from bit 32 of the MSR. */
#define VMX_VPID_INVVPID_BIT			(1ull << 0)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT	(1ull << 9)
#define VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT	(1ull << 10)

#endif /* _SMP_ASM_VMX_H */
