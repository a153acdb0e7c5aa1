/* SPDX-License-Identifier: GPL-2.0 */
/* Exceptions that beget exceptions. */
#include "guest.h"

/* CPL 3: #AC whose handler, at CPL 3 too, pushes to the same misaligned stack. */
GUEST ac_storm, 32
	pushf
	orl $0x40000, (%esp)
	popf
	mov $USER_STACK + 1, %esp
	push %eax
	hlt
END ac_storm

/* A data breakpoint on the stack slot that delivering #DB writes. */
GUEST db_storm, 64
	mov $STACK - 0x20, %eax
	mov %rax, %dr0
	mov $0x000d0702, %eax
	mov %rax, %dr7
	mov $STACK, %esp
	movl $1, STACK - 0x20
1:	jmp 1b
END db_storm

/* Delivering #UD faults: rax tells what the stub at PORT_TRAP finds in rax. */
GUEST ud64, 64
	ud2
END ud64

GUEST ud32, 32
	ud2
END ud32

/* TF at CPL 0: #DB after one instruction. */
GUEST single_step64, 64
	pushq $0x102
	popfq
	nop
	nop
	hlt
END single_step64

/* MOV SS holds interrupts and #DB back for one instruction. */
GUEST mov_ss64, 64
	mov %ss, %eax
	pushq $0x102
	popfq
	mov %eax, %ss
	nop
	nop
	hlt
END mov_ss64

/* x87 and SSE divide by zero with their exceptions unmasked. */
GUEST fpu_error64, 64
	fninit
	movw $0x037b, DATA
	fldcw DATA
	fld1
	fldz
	fdivrp
	fwait
	hlt
END fpu_error64

GUEST sse_error64, 64
	movl $0x1d80, DATA
	ldmxcsr DATA
	mov $1, %eax
	cvtsi2ss %eax, %xmm0
	xorps %xmm1, %xmm1
	divss %xmm1, %xmm0
	hlt
END sse_error64
