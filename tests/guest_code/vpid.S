/* SPDX-License-Identifier: GPL-2.0 */
/* A guest that keeps its own TLB right, as far as a guest can. */
#include "guest.h"

/*
 * RDI: a page-table entry, RSI: the page that it maps. Each round tells what
 * the page reads as, lets the entry point to the other one of two pages,
 * flushes that translation as an operating system does, and tells again.
 */
GUEST vpid_flip64, 64
1:	mov (%rsi), %al
	out %al, $PORT_SYNC
	xorl $0x1000, (%rdi)
	invlpg (%rsi)
	mov (%rsi), %al
	out %al, $PORT_SYNC
	jmp 1b
END vpid_flip64

/* RSI: a page; each round writes to it and tells what it read. */
GUEST vpid_touch64, 64
1:	incb (%rsi)
	mov (%rsi), %al
	out %al, $PORT_SYNC
	jmp 1b
END vpid_touch64

/* Each round changes EFER.NXE. */
GUEST vpid_efer64, 64
	mov $0xc0000080, %ecx
1:	rdmsr
	xor $0x800, %eax
	wrmsr
	out %al, $PORT_SYNC
	jmp 1b
END vpid_efer64

/* Each round but the first changes a bit of a control register, which exits. */
.macro TOGGLE name, cr, bit
GUEST \name, 64
1:	out %al, $PORT_SYNC
	mov %\cr, %rax
	xor $1 << \bit, %eax
	mov %rax, %\cr
	jmp 1b
END \name
.endm

	TOGGLE vpid_cr0_64, cr0, 30	/* CD */
	TOGGLE vpid_cr4_64, cr4, 6	/* MCE */

/* 32 CPUIDs between one OUT and the next. */
GUEST vpid_cpuid64, 64
1:	mov $32, %esi
2:	xor %eax, %eax
	cpuid
	dec %esi
	jnz 2b
	out %al, $PORT_SYNC
	jmp 1b
END vpid_cpuid64
