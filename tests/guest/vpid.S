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
