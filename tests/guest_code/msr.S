/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSR sweeps in 32-bit protected mode: ecx counts up from the host's start for
 * 0x2000 MSRs. A table of the values lies at SCRATCH, a table of bytes (1: no
 * #GP) at SCRATCH + 0x10000. #GP is handled here, without leaving the guest.
 */
#include "guest.h"

#define VALUES	SCRATCH
#define READY	(SCRATCH + 0x10000)

.macro SWEEP insn:vararg
	movl $AT(9f), IDT + 13 * 8	/* the gate's offset, low half; CODE < 64K */
	movw $SEL_CODE32, IDT + 13 * 8 + 2
	xor %edi, %edi
1:	xor %ebp, %ebp
	\insn
	jmp 2f
9:	inc %ebp			/* #GP: drop the error code, go on at 2f */
	add $4, %esp
	movl $AT(2f), (%esp)
	iretl
2:	xor $1, %ebp
	mov %ebp, %esi
	push %eax
	mov %esi, %eax
	mov %al, READY(%edi)
	pop %eax
	mov %eax, VALUES(,%edi,8)
	mov %edx, VALUES + 4(,%edi,8)
	inc %ecx
	inc %edi
	cmp $0x2000, %edi
	jb 1b
	hlt
.endm

GUEST msr_read_sweep, 32
	SWEEP rdmsr
END msr_read_sweep

/* Writes what the host put into edx:eax. */
GUEST msr_write_sweep, 32
	SWEEP wrmsr
END msr_write_sweep

/* One RDMSR and one WRMSR for the host to arrange. */
GUEST rdmsr64, 64
	rdmsr
	hlt
END rdmsr64

GUEST wrmsr64, 64
	wrmsr
	hlt
END wrmsr64

GUEST cpuid64, 64
	cpuid
	hlt
END cpuid64

/* CPUID.1:ECX.OSXSAVE with CR4.OSXSAVE set, then clear. */
GUEST osxsave64, 64
	mov %cr4, %rsi
	mov %rsi, %rax
	or $0x40000, %eax
	mov %rax, %cr4
	mov $1, %eax
	cpuid
	mov %ecx, %edi
	mov %rsi, %cr4
	mov $1, %eax
	cpuid
	mov %ecx, %esi
	hlt
END osxsave64
