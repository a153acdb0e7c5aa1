/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BIOS boot sector of the proving ground: fetches the rest of the loader,
 * asks the BIOS for the memory map, enters protected mode, calls load.c and
 * enters the kernel by the 64-bit boot protocol (Documentation/x86/boot.rst).
 *
 * Memory below 1M, shared with load.c:
 *   0x04ffc  number of e820 entries, 0x05000  the entries
 *   0x07c00  this file and load.c, stack below
 *   0x10000  boot_params, 0x12000  command line
 *   0x20000  page tables, 0x30000  segment table, scratch
 */

#define SECTORS		31
#define E820_COUNT	0x4ffc
#define E820_TABLE	0x5000
#define E820_MAX	128
#define BOOT_PARAMS	0x10000
#define PGTABLE		0x20000
#define BOOT_CS		0x10	/* __BOOT_CS and __BOOT_DS of the protocol */
#define BOOT_DS		0x18
#define LOADER_CS	0x20

	.code16
	.globl _start
_start:
	cli
	ljmp	$0, $1f
1:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	sti
	mov	$dap, %si
	mov	$0x42, %ah		/* EDD extended read, drive in %dl */
	int	$0x13
	jnc	stage2
	mov	$'E', %al
	out	%al, $0xe9
2:	hlt
	jmp	2b

	.balign	4
dap:	.byte	16, 0
	.word	SECTORS
	.word	0x7e00, 0
	.quad	1

	.org	510
	.word	0xaa55

stage2:
	xor	%ebx, %ebx
	mov	$E820_TABLE, %di
	xor	%bp, %bp
1:	mov	$0xe820, %eax
	mov	$20, %ecx
	mov	$0x534d4150, %edx	/* "SMAP" */
	int	$0x15
	jc	2f
	inc	%bp
	add	$20, %di
	test	%ebx, %ebx
	jz	2f
	cmp	$E820_MAX, %bp
	jb	1b
2:	movzwl	%bp, %eax
	mov	%eax, E820_COUNT

	cli
	mov	$0xff, %al		/* no interrupt until the kernel's own IDT */
	out	%al, $0x21
	out	%al, $0xa1
	in	$0x92, %al		/* A20 */
	or	$2, %al
	out	%al, $0x92
	lgdtl	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$LOADER_CS, $protected

	.balign	8
gdt:	.quad	0, 0
	.quad	0x00af9b000000ffff	/* BOOT_CS: 64-bit code */
	.quad	0x00cf93000000ffff	/* BOOT_DS */
	.quad	0x00cf9b000000ffff	/* LOADER_CS: 32-bit code */
gdtr:	.word	. - gdt - 1
	.long	gdt

	.code32
protected:
	mov	$BOOT_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	mov	$0x7c00, %esp
	cld
	call	load_kernel		/* %eax: entry point */
	mov	%eax, %ebp

	/* Identity-map 4G: one PML4, one PDPT, four tables of 2M pages. */
	mov	$PGTABLE, %edi
	xor	%eax, %eax
	mov	$(6 * 1024), %ecx
	rep stosl
	movl	$(PGTABLE + 0x1000 + 7), PGTABLE
	mov	$(PGTABLE + 0x1000), %edi
	mov	$(PGTABLE + 0x2000 + 7), %eax
	mov	$4, %ecx
1:	mov	%eax, (%edi)
	add	$0x1000, %eax
	add	$8, %edi
	loop	1b
	mov	$(PGTABLE + 0x2000), %edi
	mov	$0xe3, %eax		/* present, writable, A, D, 2M */
	mov	$2048, %ecx
2:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	2b

	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$PGTABLE, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	ljmpl	$BOOT_CS, $long_mode

	.code64
long_mode:
	mov	%ebp, %eax
	mov	$BOOT_PARAMS, %esi
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
