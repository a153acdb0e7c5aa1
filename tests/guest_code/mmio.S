/* SPDX-License-Identifier: GPL-2.0 */
/* Memory-mapped I/O: one instruction per exit the decoder must understand. */
#include "guest.h"

.macro write_ops64 base
	mov %al, (\base)
	mov %ax, 0x2(\base)
	mov %eax, 0x4(\base)
	mov %rax, 0x8(\base)
	mov %ah, 0x10(\base)
	movb $0xa5, 0x11(\base)
	movw $0xa55a, 0x12(\base)
	movl $0xdeadbeef, 0x14(\base)
	movq $-2, 0x18(\base)
	mov %r9d, 0x20(\base,%rcx,4)
	movnti %eax, 0x30(\base)
	movabs %eax, MMIO + 0x34
.endm

/* rax, r9 and rcx are set by the host. */
GUEST mmio_write64, 64
	mov $MMIO, %ebx
	write_ops64 %rbx
	hlt
END mmio_write64

.macro load insn:vararg
	mov $-1, %rax
	\insn
	mov %rax, (%rdi)
	add $8, %rdi
.endm

/* Every result goes to DATA. */
GUEST mmio_read64, 64
	mov $MMIO, %ebx
	mov $DATA, %edi
	load mov (%rbx), %al
	load mov (%rbx), %ax
	load mov (%rbx), %eax
	load mov (%rbx), %rax
	load mov (%rbx), %ah
	load movzbw (%rbx), %ax
	load movzbl (%rbx), %eax
	load movzwq (%rbx), %rax
	load movsbw (%rbx), %ax
	load movsbq (%rbx), %rax
	load movswl (%rbx), %eax
	load movslq (%rbx), %rax
	load movabs MMIO, %eax
	load mov -8(%rbx,%rcx,8), %eax
	hlt
END mmio_read64

/* Read-modify-write; the value is 0x0f in every read. */
GUEST mmio_rmw64, 64
	mov $MMIO, %ebx
	mov $0x11, %eax
	add %eax, (%rbx)
	or $0x70, %eax
	orb $0x80, (%rbx)
	andl $0x3, (%rbx)
	xor %ax, (%rbx)
	incl (%rbx)
	negl (%rbx)
	notb (%rbx)
	lock btsl $8, (%rbx)
	mov $0x55, %ecx
	xchg %ecx, (%rbx)
	mov $0x1, %edx
	lock xadd %edx, (%rbx)
	hlt
END mmio_rmw64

/* Memory as source of arithmetic: result and flags. */
GUEST mmio_alu_read64, 64
	mov $MMIO, %ebx
	mov $0x10, %esi
	sub (%rbx), %esi
	cmpl $0x0f, (%rbx)
	sete %al
	testb $0xf0, (%rbx)
	setz %ah
	btl $3, (%rbx)
	setc %cl
	hlt
END mmio_alu_read64

/* String instructions; DATA and DATA + 0x100 are the memory sides. */
GUEST mmio_string64, 64
	mov $0x8877665544332211, %rax
	mov $MMIO, %edi
	mov $3, %ecx
	rep stosl
	mov $DATA, %esi
	mov $4, %ecx
	rep movsb
	mov $MMIO + 0x100, %esi
	mov $DATA + 0x100, %edi
	mov $2, %ecx
	rep movsq
	mov $MMIO + 0x200, %esi
	mov $MMIO + 0x300, %edi
	movsw
	std
	mov $MMIO + 0x404, %edi
	mov $2, %ecx
	rep stosl
	cld
	mov $MMIO + 0x500, %esi
	lodsw
	hlt
END mmio_string64

/* Comparisons: a scan, then against memory, then of two devices. */
GUEST mmio_compare64, 64
	mov $MMIO, %edi
	mov $3, %ecx
	mov $0x42, %al
	repne scasb
	sete DATA + 0x100
	mov %ecx, %r8d
	mov %edi, %r9d
	mov $MMIO + 0x100, %esi
	mov $DATA, %edi
	mov $4, %ecx
	repe cmpsl
	setb DATA + 0x101
	mov %ecx, %r10d
	mov %esi, %r11d
	mov %edi, %r12d
	mov $MMIO + 0x200, %esi
	mov $MMIO + 0x300, %edi
	cmpsw
	seta DATA + 0x102
	hlt
END mmio_compare64

/* DS and ES have base MMIO_LOW: offsets are 16 bits of a sum. */
GUEST mmio_wrap16, 16
	mov $0xfff0, %bx
	mov $0x30, %si
	mov %al, (%bx,%si)
	mov 0x7fff(%bx,%si), %cl
	mov $0xfffe, %di
	mov $2, %cx
	rep stosw
	mov %di, %dx
	hlt
END mmio_wrap16

GUEST mmio_movs32, 32
	movsl
	hlt
END mmio_movs32

GUEST mmio_stack64, 64
	mov $MMIO, %ebx
	push (%rbx)
	pop %rdx
	push $0x7b
	pop 8(%rbx)
	hlt
END mmio_stack64

GUEST mmio32, 32
	mov $MMIO, %ebx
	mov %eax, MMIO
	mov %al, MMIO + 0x4
	mov %ax, 0x6(%ebx)
	movl $0x89abcdef, 0x8(%ebx,%ecx,2)
	mov MMIO + 0x10, %eax
	mov %eax, %esi
	movzbl 0x14(%ebx), %edi
	mov $0xffffffff, %edx
	movw 0x16(%ebx), %dx
	hlt
END mmio32

/* DS has base MMIO_LOW, ES too. */
GUEST mmio16, 16
	mov %al, 0x10
	mov $0x20, %bx
	mov $0x2, %si
	mov %ax, 0x4(%bx,%si)
	mov %eax, 0x30
	movw $0x1234, 0x38
	xor %ebx, %ebx
	addr32 mov %al, 0x40(%ebx)
	mov 0x50, %cl
	mov 0x52, %dx
	mov $0x60, %di
	mov $2, %cx
	rep stosw
	hlt
END mmio16

/* 4 bytes of which the first 2 are the last of RAM. */
GUEST mmio_split, 64
	mov $RAM_SIZE - 2, %ebx
	movl $0x44332211, (%rbx)
	mov (%rbx), %eax
	mov $MMIO + 0xffc, %ebx
	mov %rdx, (%rbx)
	mov (%rbx), %rsi
	hlt
END mmio_split

/*
 * Calls the page in rbp, to which the PTE at rsi gives another frame, rdx, and
 * whose first byte at rdi becomes an opcode that writes.
 */
GUEST mmio_remapped, 64
	mov $MMIO, %ebx
	call *%rbp
	mov %rdx, (%rsi)
	invlpg (%rbp)
	call *%rbp
	movb $0x89, (%rdi)
	call *%rbp
	call *%rbp
	hlt
END mmio_remapped

/* No MMIO decoder need know POPCNT. */
GUEST mmio_popcnt, 64
	mov $MMIO, %ebx
	popcnt (%rbx), %eax
	hlt
END mmio_popcnt

GUEST mmio_jump, 64
	mov $MMIO, %ebx
	jmp *%rbx
END mmio_jump
