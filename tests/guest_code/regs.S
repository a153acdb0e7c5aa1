/* SPDX-License-Identifier: GPL-2.0 */
/* Register state: what the guest has must be what the host set, and back. */
#include "guest.h"

/* Adds 1 to every register that the host can set. */
GUEST inc_all, 64
	inc %rax
	inc %rbx
	inc %rcx
	inc %rdx
	inc %rsi
	inc %rdi
	inc %rbp
	inc %rsp
	inc %r8
	inc %r9
	inc %r10
	inc %r11
	inc %r12
	inc %r13
	inc %r14
	inc %r15
	hlt
END inc_all

/* xmm0 and xmm15 change places; SSE must be on. */
GUEST swap_xmm, 64
	movaps %xmm0, %xmm1
	movaps %xmm15, %xmm0
	movaps %xmm1, %xmm15
	hlt
END swap_xmm

/* Fills all of the FPU with the byte at DATA; a pattern of its own control words. */
GUEST fill_fpu, 64
	movdqu DATA, %xmm0
	movdqa %xmm0, %xmm1
	movdqa %xmm0, %xmm2
	movdqa %xmm0, %xmm7
	movdqa %xmm0, %xmm8
	movdqa %xmm0, %xmm14
	movdqa %xmm0, %xmm15
	movl $0x7f80, DATA + 0x20
	ldmxcsr DATA + 0x20
	movw $0x077f, DATA + 0x28
	fldcw DATA + 0x28
	fldpi
	hlt
	hlt
END fill_fpu

GUEST read_xmm, 64
	movdqu %xmm15, DATA
	stmxcsr DATA + 0x20
	fnstcw DATA + 0x28
	fnstsw DATA + 0x2a
	hlt
END read_xmm

/* Debug registers from rax; DR7 last, local and global enable. */
GUEST set_dr, 64
	mov %rax, %dr0
	mov %rax, %dr1
	mov %rax, %dr2
	mov %rax, %dr3
	mov %rbx, %dr7
	hlt
END set_dr

GUEST get_dr, 64
	mov %dr0, %rax
	mov %dr3, %rbx
	mov %dr6, %rcx
	mov %dr7, %rdx
	hlt
END get_dr

/* Every MSR the system call path uses, and a GS swap, then HLT. */
GUEST set_syscall_msrs, 64
	mov $AT(3f), %esi
1:	mov (%rsi), %ecx
	test %ecx, %ecx
	jz 2f
	mov %ecx, %eax
	mov $0x1234, %edx
	cmp $0x174, %ecx
	cmove %ebp, %edx
	cmp $0xc0000084, %ecx		/* FMASK has 32 bits, too */
	cmove %ebp, %edx
	wrmsr
	add $4, %esi
	jmp 1b
2:	swapgs
	hlt
3:	.long 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102
	.long 0x174, 0x175, 0x176, 0
END set_syscall_msrs

GUEST rdtsc_often, 64
	mov $1000, %ecx
	xor %esi, %esi
1:	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	cmp %rsi, %rax
	jbe 2f
	mov %rax, %rsi
	loop 1b
	hlt
2:	ud2
END rdtsc_often
