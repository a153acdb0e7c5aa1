/* SPDX-License-Identifier: GPL-2.0 */
/* Many pages, read and written. rbx: the first; r9: how many, less one. */
#include "guest.h"

/*
 * rcx times: pick a page by the generator in r8, and either read it or add one
 * to its first word and set its bit in the bitmap at rsi.
 */
GUEST scatter, 64
1:	movabs $6364136223846793005, %rax
	imul %rax, %r8
	movabs $1442695040888963407, %rax
	add %rax, %r8
	mov %r8, %rax
	shr $33, %rax
	and %r9, %rax
	mov %rax, %rdx
	shl $12, %rdx
	bt $60, %r8
	jc 2f
	lock incl (%rbx, %rdx)
	lock bts %rax, (%rsi)
	jmp 3f
2:	mov (%rbx, %rdx), %edi
3:	dec %rcx
	jnz 1b
	hlt
END scatter

/* Reads the first word of each page. */
GUEST sum_all, 64
	lea 1(%r9), %rcx
1:	add (%rbx), %rax
	add $0x1000, %rbx
	loop 1b
	hlt
END sum_all

/* Adds one to the first word of each page. */
GUEST touch_all, 64
	lea 1(%r9), %rcx
1:	lock incl (%rbx)
	add $0x1000, %rbx
	loop 1b
	hlt
END touch_all

/* A pass is over: count it, begin the next (1) or end well; 5: end otherwise. */
.macro NEXT_PASS
	inc %r13
	mov %r13, (%rsi, %r12)
	cmpq $0, (%rsi)
	je 1b
	xor %edi, %edi
	hlt
5:	mov $1, %edi
	hlt
.endm

/* Counts in the word at rbx, for ever. */
GUEST count, 64
1:	incq (%rbx)
	jmp 1b
END count

/*
 * Reads all pages again and again until the word at rsi is not 0: each begins
 * with r10 + r8 * its number, or with r11. If bit 0 of r14 is set, the word at
 * r12 in each page is the number of the pass, and is made one more: no write is
 * lost. If bit 4 is, the first word is written back as read.
 * rdi: 0, or 1 with page rcx and its content rax; r13: passes.
 */
GUEST verify, 64
	xor %r13, %r13
1:	xor %rcx, %rcx
2:	mov %rcx, %rdx
	shl $12, %rdx
	add %rbx, %rdx
	mov (%rdx), %rax
	mov %rcx, %rdi
	imul %r8, %rdi
	add %r10, %rdi
	cmp %rdi, %rax
	je 3f
	cmp %r11, %rax
	jne 5f
3:	test $0x10, %r14b
	jz 6f
	mov %rax, (%rdx)
6:	test $0x1, %r14b
	jz 4f
	mov (%rdx, %r12), %rax
	cmp %r13, %rax
	jne 5f
	inc %rax
	mov %rax, (%rdx, %r12)
4:	inc %rcx
	cmp %r9, %rcx
	jbe 2b
	NEXT_PASS
END verify

/*
 * As verify, of pages that can't be written: the write of r10 + the page's number,
 * inverted, to the word at r12 must leave 0 there.
 */
GUEST verify_rom, 64
	xor %r13, %r13
1:	xor %rcx, %rcx
2:	mov %rcx, %rdx
	shl $12, %rdx
	add %rbx, %rdx
	mov (%rdx), %rax
	lea (%rcx, %r10), %rdi
	cmp %rdi, %rax
	je 3f
	cmp %r11, %rax
	jne 5f
3:	not %rdi
	mov %rdi, (%rdx, %r12)
	mov (%rdx, %r12), %rax
	test %rax, %rax
	jnz 5f
	inc %rcx
	cmp %r9, %rcx
	jbe 2b
	NEXT_PASS
END verify_rom
