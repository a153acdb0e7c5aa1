/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Single instructions: each in a 32-byte cell that ends by an exit on PORT_SYNC.
 * The host runs a cell and learns whether it trapped, or what it left in rax.
 * The order is that of the tables in guest_test.c.
 */
#include "guest.h"

#define CELL	.balign 32, 0xcc;
#define SYNC	out %al, $PORT_SYNC

#define SPOT	(DATA + 0x800)

/* Exceptions of the processor's own, in 64-bit mode at CPL 0. */
GUEST faults64, 64
	CELL xor %ecx, %ecx; div %ecx; SYNC
	CELL int3; SYNC
	CELL ud2; SYNC
	CELL mov $0x100, %eax; mov %eax, %ds; SYNC
	CELL mov $0x8000000000000000, %rax; mov (%rax), %al; SYNC
	CELL mov $0x8000000000000000, %rbp; mov (%rbp), %al; SYNC
	CELL mov $0x8000000000, %rax; movl $0, (%rax); SYNC
	CELL mov $0x8000000000, %rax; mov (%rax), %al; SYNC
	CELL mov $0x8000000000, %rax; jmp *%rax; SYNC
	CELL int $0x80; SYNC
	CELL mov $SEL_TSS, %eax; ltr %ax; SYNC
	CELL movaps SPOT + 1, %xmm0; SYNC
END faults64

/* Exceptions that only 16- and 32-bit code can raise, or raises differently. */
GUEST faults32, 32
	CELL xor %ecx, %ecx; div %ecx; SYNC
	CELL int3; SYNC
	CELL mov $0x7fffffff, %eax; add $1, %eax; into; SYNC
	CELL mov $5, %eax; bound %eax, SPOT; SYNC
	CELL ud2; SYNC
	CELL mov $0x100, %eax; mov %eax, %ds; SYNC
	CELL syscall; SYNC
END faults32

GUEST faults16, 16
	CELL xor %cx, %cx; div %cx; SYNC
	CELL int3; SYNC
	CELL mov $0x7fff, %ax; add $1, %ax; into; SYNC
	CELL ud2; SYNC
	CELL int $0x21; SYNC
	CELL mov $0xffff, %bx; mov (%bx), %ax; SYNC
END faults16

/* The thirteen VMX instructions; VMCALL is first and the only one KVM serves. */
GUEST vmx64, 64
	CELL vmcall; SYNC
	CELL vmclear SPOT; SYNC
	CELL vmlaunch; SYNC
	CELL vmptrld SPOT; SYNC
	CELL vmptrst SPOT; SYNC
	CELL vmread %rax, %rcx; SYNC
	CELL vmresume; SYNC
	CELL vmwrite %rax, %rcx; SYNC
	CELL vmxoff; SYNC
	CELL vmxon SPOT; SYNC
	CELL invept SPOT, %rax; SYNC
	CELL invvpid SPOT, %rax; SYNC
	CELL vmfunc; SYNC
END vmx64

/* Privileged instructions: all of them fault at CPL 3. */
GUEST privileged64, 64
	CELL hlt; SYNC
	CELL cli; SYNC
	CELL sti; SYNC
	CELL in $0x60, %al; SYNC
	CELL out %al, $0x60; SYNC
	CELL mov %cr0, %rax; SYNC
	CELL mov %rax, %cr3; SYNC
	CELL mov %cr8, %rax; SYNC
	CELL mov %dr7, %rax; SYNC
	CELL mov $0xc0000080, %ecx; rdmsr; SYNC
	CELL mov $0xc0000080, %ecx; wrmsr; SYNC
	CELL lgdt SPOT; SYNC
	CELL lidt SPOT; SYNC
	CELL lldt %ax; SYNC
	CELL ltr %ax; SYNC
	CELL clts; SYNC
	CELL lmsw %ax; SYNC
	CELL invlpg SPOT; SYNC
	CELL wbinvd; SYNC
	CELL invd; SYNC
	CELL swapgs; SYNC
	CELL sysretq; SYNC
	CELL mov $0, %ecx; rdpmc; SYNC
	CELL xor %ecx, %ecx; xsetbv; SYNC
END privileged64

/* CPL 0: what a hypervisor may have to think about. */
GUEST system64, 64
	CELL wbinvd; SYNC
	CELL invd; SYNC
	CELL invlpg SPOT; SYNC
	CELL xor %ecx, %ecx; rdpmc; SYNC
	CELL mov $SPOT, %eax; xor %ecx, %ecx; xor %edx, %edx; monitor; SYNC
	CELL xor %eax, %eax; xor %ecx, %ecx; mwait; SYNC
	CELL rdtscp; SYNC
	CELL mov $2, %eax; invpcid SPOT, %rax; SYNC
	CELL rdpid %rax; SYNC
	CELL rdrand %rax; SYNC
	CELL rdseed %rax; SYNC
	CELL xor %eax, %eax; xor %edx, %edx; xsaves SPOT; SYNC
	CELL xor %eax, %eax; xor %edx, %edx; .byte 0xf2, 0x0f, 0xae, 0xf1; SYNC	/* UMWAIT ECX */
	CELL xor %eax, %eax; xor %edx, %edx; .byte 0x66, 0x0f, 0xae, 0xf1; SYNC	/* TPAUSE ECX */
	CELL mov $0xc0000103, %ecx; rdmsr; SYNC
	CELL xor %ecx, %ecx; xor %edx, %edx; mov $1, %eax; xsetbv; SYNC
	CELL pause; SYNC
	CELL rdtsc; SYNC
	CELL getsec; SYNC
	CELL rsm; SYNC
	CELL clts; SYNC
	CELL sgdt SPOT; SYNC
	CELL str %eax; SYNC
	CELL xor %eax, %eax; lldt %ax; SYNC
	CELL encls; SYNC
END system64

/* Control registers, 64-bit mode: value from rbx, read back to rax. */
GUEST control64, 64
	CELL mov %rbx, %cr0; mov %cr0, %rax; SYNC
	CELL mov %rbx, %cr3; mov %cr3, %rax; SYNC
	CELL mov %rbx, %cr4; mov %cr4, %rax; SYNC
	CELL mov %rbx, %cr8; mov %cr8, %rax; SYNC
	CELL mov %rbx, %cr2; mov %cr2, %rax; SYNC
	CELL mov $0xc0000080, %ecx; mov %rbx, %rdx; mov %ebx, %eax; shr $32, %rdx; wrmsr; rdmsr; SYNC
	CELL smsw %rax; SYNC
	CELL mov %ebx, %eax; lmsw %ax; mov %cr0, %rax; SYNC
	CELL xor %ecx, %ecx; xor %edx, %edx; mov %ebx, %eax; xsetbv; xgetbv; SYNC
	CELL mov %rbx, %dr7; mov %dr7, %rax; SYNC
	CELL mov %rbx, %dr4; mov %dr4, %rax; SYNC
	CELL mov %rbx, %dr6; mov %dr6, %rax; SYNC
END control64
