/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmx_insn.h - the VMX instructions, one inline function each
 *
 * Owns nothing. Every function needs the CPU in VMX root operation, and the
 * VMREAD/VMWRITE ones a current VMCS, so: preemption off. VMfail is returned
 * (or recorded for VMREAD/VMWRITE, see vtx_vmcs_error()), never ignored.
 *
 * SDM vol. 3 "VMX Instruction Reference", "Conventions": VMsucceed clears CF
 * and ZF, VMfailInvalid sets CF, VMfailValid sets ZF.
 */
#ifndef _VTX_VMX_INSN_H
#define _VTX_VMX_INSN_H

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <asm/asm.h>
#include <asm/vmx.h>

void vtx_vmcs_error(unsigned long field);
void vtx_vmcs_error_thunk(void);

/*
 * Out of line and all registers kept: what reads a field needs no callee-saved
 * registers for the sake of a failure that does not happen.
 */
static __always_inline void vmcs_field_failed(unsigned long field)
{
	asm volatile("call vtx_vmcs_error_thunk"
		     : ASM_CALL_CONSTRAINT : "D" (field) : "memory");
}

static inline int vmxon(u64 phys)
{
	asm goto("1: vmxon %[a]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [a] "m"(phys) : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

static inline int vmxoff(void)
{
	asm goto("1: vmxoff\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

static inline int vmclear(u64 phys)
{
	asm goto("1: vmclear %[a]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [a] "m"(phys) : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

static inline int vmptrld(u64 phys)
{
	asm goto("1: vmptrld %[a]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [a] "m"(phys) : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

/*
 * The type operand is a 64-bit register: with a 32-bit one its upper half
 * would be whatever the register held, and the type invalid.
 * SDM vol. 3 "INVVPID - Invalidate Translations Based on VPID".
 */
static inline int invvpid(unsigned long type, u16 vpid, u64 gla)
{
	struct { u64 vpid, gla; } desc = { vpid, gla };

	asm goto("1: invvpid %[d], %[t]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [t] "r"(type), [d] "m"(desc) : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

static inline int invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, zero; } desc = { eptp, 0 };

	asm goto("1: invept %[d], %[t]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [t] "r"(type), [d] "m"(desc) : "cc", "memory" : failed);
	return 0;
failed:
	return -EIO;
}

/*
 * The fault path is for a CPU that was taken out of VMX operation between two
 * instructions (reboot): nothing that is read or written matters then.
 */
static __always_inline unsigned long __vmread(unsigned long field)
{
	unsigned long value;

	asm_goto_output("1: vmread %[f], %[v]\n\t"
			  "jbe %l[failed]\n\t"
			  _ASM_EXTABLE(1b, %l[failed])
			  : [v] "=r"(value) : [f] "r"(field) : "cc" : failed);
	return value;
failed:
	vmcs_field_failed(field);
	return 0;
}

static __always_inline void __vmwrite(unsigned long field, unsigned long value)
{
	asm goto("1: vmwrite %[v], %[f]\n\t"
			  "jbe %l[failed]\n\t"
			  _ASM_EXTABLE(1b, %l[failed])
			  : : [f] "r"(field), [v] "rm"(value)
			  : "cc", "memory" : failed);
	return;
failed:
	vmcs_field_failed(field);
}

/*
 * Width checks. SDM vol. 3 "Field Encoding in VMCS": bits 14:13 are the width
 * (0: 16-bit, 1: 64-bit, 2: 32-bit, 3: natural), bit 0 the high half.
 */
static __always_inline void vmcs_check_width(unsigned long field, unsigned int width)
{
	BUILD_BUG_ON_MSG(__builtin_constant_p(field) &&
			 (((field >> 13) & 3) != width || (field & 1)),
			 "VMCS field accessed with the wrong width");
}

static __always_inline u16 vmcs_read16(unsigned long field)
{
	vmcs_check_width(field, 0);
	return __vmread(field);
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	vmcs_check_width(field, 2);
	return __vmread(field);
}

static __always_inline u64 vmcs_read64(unsigned long field)
{
	vmcs_check_width(field, 1);
	return __vmread(field);
}

static __always_inline unsigned long vmcs_readl(unsigned long field)
{
	vmcs_check_width(field, 3);
	return __vmread(field);
}

static __always_inline void vmcs_write16(unsigned long field, u16 value)
{
	vmcs_check_width(field, 0);
	__vmwrite(field, value);
}

static __always_inline void vmcs_write32(unsigned long field, u32 value)
{
	vmcs_check_width(field, 2);
	__vmwrite(field, value);
}

static __always_inline void vmcs_write64(unsigned long field, u64 value)
{
	vmcs_check_width(field, 1);
	__vmwrite(field, value);
}

static __always_inline void vmcs_writel(unsigned long field, unsigned long value)
{
	vmcs_check_width(field, 3);
	__vmwrite(field, value);
}

#endif /* _VTX_VMX_INSN_H */
