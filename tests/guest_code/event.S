/* SPDX-License-Identifier: GPL-2.0 */
/* Payloads for interrupts, NMIs, debuggers, MSRs and devices. */
#include "guest.h"

/* A place to be interrupted at, with whatever RFLAGS the host sets. */
GUEST nops64, 64
	nop
	nop
	nop
	nop
	out %al, $PORT_SYNC
	nop
	hlt
END nops64

/* Interrupts are on from the second NOP, at CODE + 2. */
GUEST sti_nops64, 64
	sti
	nop
	nop
	nop
	out %al, $PORT_SYNC
	hlt
END sti_nops64

/* The exit comes in STI's shadow. */
GUEST sti_out64, 64
	sti
	out %al, $PORT_SYNC
	nop
	hlt
END sti_out64

/* Interrupts come on for one instruction only. */
GUEST sti_cli64, 64
	cli
	out %al, $PORT_SYNC
	sti
	nop
	cli
	out %al, $PORT_SYNC
	hlt
END sti_cli64

/* CR8 up, down, the same. */
GUEST cr8_64, 64
	mov $9, %eax
	mov %rax, %cr8
	out %al, $PORT_SYNC
	mov $3, %eax
	mov %rax, %cr8
	mov %cr8, %rbx
	mov %rbx, %cr8
	hlt
END cr8_64

/* One of everything for a debugger to step over. */
GUEST steps64, 64
	nop			/* 0 */
	inc %esi		/* 1 */
	xor %eax, %eax		/* 3 */
	cpuid			/* 5: executed by the hypervisor */
	nop			/* 7 */
	pushf			/* 8 */
	popf			/* 9 */
	out %al, $PORT_SYNC	/* 10 */
	nop			/* 12 */
	hlt			/* 13 */
END steps64

/* INT3 at CODE + 1, a store to DATA at CODE + 2. */
GUEST breaks64, 64
	nop			/* 0 */
	int3			/* 1 */
	movl $1, DATA		/* 2 */
	nop			/* 13 */
	hlt			/* 14 */
END breaks64

/* HLT, which the hypervisor executes, and then something to notice a trap by. */
GUEST hlt_nops64, 64
	hlt
	nop
	nop
	out %al, $PORT_SYNC
	hlt
END hlt_nops64

GUEST mov_dr64, 64
	mov %rax, %dr0
	mov %dr7, %rbx
	hlt
END mov_dr64

/* RDMSR of ecx, its result to rbx; WRMSR of it + 1; stops after each. */
GUEST msr64, 64
	rdmsr
	hlt
	wrmsr
	hlt
END msr64

/* Writes eax to port dx by size and to memory at rdi by size. */
GUEST bus64, 64
	out %al, %dx
	out %ax, %dx
	out %eax, %dx
	movb %al, (%rdi)
	movw %ax, (%rdi)
	movl %eax, (%rdi)
	movq %rax, (%rdi)
	hlt
END bus64

/* AVX registers 0 and 15: changed places, DATA into 0 first. XCR0 = 7. */
GUEST avx64, 64
	mov %cr4, %rax
	or $(1 << 18), %eax
	mov %rax, %cr4
	xor %ecx, %ecx
	xor %edx, %edx
	mov $7, %eax
	xsetbv
	vmovups DATA, %ymm0
	hlt
	vmovups %ymm0, DATA + 0x40
	vmovups %ymm15, DATA + 0x60
	hlt
END avx64

/* AVX-512: zmm0 and k1 from DATA; then what zmm0, zmm31, k1 and k7 are. XCR0 = 0xe7. */
GUEST zmm64, 64
	mov %cr4, %rax
	or $(1 << 18), %eax
	mov %rax, %cr4
	xor %ecx, %ecx
	xor %edx, %edx
	mov $0xe7, %eax
	xsetbv
	vmovups DATA, %zmm0
	kmovq DATA, %k1
	hlt
	vmovups %zmm0, DATA + 0x40
	vmovups %zmm31, DATA + 0x80
	kmovq %k1, DATA + 0xc0
	kmovq %k7, DATA + 0xc8
	hlt
END zmm64

/* Two CPUs take turns adding to DATA with a locked instruction, ecx times each. */
GUEST locked_add64, 64
	lock incl DATA + 4
1:	cmpl $2, DATA + 4
	jb 1b
2:	lock incl DATA
	lock xaddl %eax, DATA + 8
	loop 2b
	hlt
END locked_add64
