/* SPDX-License-Identifier: GPL-2.0 */
/* Guests that change the processor's mode themselves, as a boot loader does. */
#include "guest.h"

/*
 * Real mode up to 64-bit mode and back, a mark in DATA for each stage. GDT and
 * page tables are those that vm_enter(MODE_LONG) left; the host restarts in real mode.
 */
GUEST mode_tour, 16
	movl $0x16, DATA
	lgdtl AT(8f)
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmp $SEL_CODE32, $AT(1f)
	.code32
1:	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $STACK, %esp
	movl $0x32, DATA + 4
	mov %cr4, %eax
	or $0x20, %eax
	mov %eax, %cr4
	mov $PAGE_TABLES, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
	movl $0xc32, ALIAS + DATA + 8	/* compatibility mode, paging on */
	ljmp $SEL_CODE64, $AT(2f)
	.code64
2:	mov $0x1122334455667788, %rax
	mov %rax, ALIAS + DATA + 16
	mov $0xc0000080, %ecx
	rdmsr
	mov %eax, DATA + 12		/* LMA must be seen */
	or $0x801, %eax
	wrmsr				/* SCE, NXE; LMA stays */
	mov $MMIO, %eax
	mov (%rax), %r15		/* the decoder knows the mode, too */
	mov %r15, ALIAS + DATA + 40
	mov $~0, %eax
	vmcall
	mov %rax, ALIAS + DATA + 32
	pushq $SEL_CODE32
	pushq $AT(3f)
	lretq
	.code32
3:	mov %cr0, %eax
	and $0x7fffffff, %eax
	mov %eax, %cr0			/* long mode ends here */
	mov $0xc0000080, %ecx
	rdmsr
	mov %eax, DATA + 24		/* LMA must be gone */
	xor %eax, %eax
	wrmsr
	ljmp $SEL_CODE16, $AT(4f)
	.code16
4:	mov $SEL_DATA16, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov %cr0, %eax
	and $0xfe, %al
	mov %eax, %cr0
	ljmp $0, $AT(5f)
5:	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	movl $0x61, DATA + 28
	hlt
	.balign 8
8:	.word SEL_DATA16 + 7
	.long GDT
END mode_tour

/* Real mode with a CS base of 0xf0000 and more: where are we? */
GUEST where16, 16
	call 1f
1:	pop %ax
	mov %cs, %bx
	hlt
END where16

/* Reads ALIAS + DATA, has the host's other page table in rbx, reads again. */
GUEST switch_cr3, 64
	mov ALIAS + DATA, %esi
	mov %rbx, %cr3
	mov ALIAS + DATA, %edi
	hlt
END switch_cr3

/* Changes the page-table entry at rbx to rcx under its own feet, INVLPG, reads again. */
GUEST change_pte, 64
	mov ALIAS + DATA, %esi
	mov %rcx, (%rbx)
	invlpg ALIAS + DATA
	mov ALIAS + DATA, %edi
	hlt
END change_pte

/* Reads, then writes, one byte at rbx. */
GUEST touch_read, 64
	mov (%rbx), %al
	hlt
END touch_read

GUEST touch_write, 64
	mov %al, (%rbx)
	hlt
END touch_write

GUEST jump_rbx, 64
	jmp *%rbx
END jump_rbx

/* PAE: loads CR3 (rbx), which loads the four PDPTEs. */
GUEST load_cr3_32, 32
	mov %ebx, %cr3
	mov ALIAS + DATA, %eax
	hlt
END load_cr3_32

GUEST read_alias32, 32
	mov ALIAS + DATA, %eax
	hlt
END read_alias32

/* CPL 3: a system call and back, by SYSCALL and SYSRET; STAR and LSTAR by the host. */
GUEST syscall64, 64
	mov $7, %edi
	syscall
	add $1, %edi
	mov %cs, %eax
	ud2
	.balign 64
	mov %cs, %esi			/* LSTAR: CODE + 64 */
	add $100, %edi
	sysretq
END syscall64
