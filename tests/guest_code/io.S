/* SPDX-License-Identifier: GPL-2.0 */
/* Port I/O: single, string, and at the edges of a page. */
#include "guest.h"

GUEST out_sizes, 16
	mov $0x11223344, %eax
	mov $0x1234, %dx
	out %al, (%dx)
	out %ax, (%dx)
	out %eax, (%dx)
	out %al, $0x42
	hlt
END out_sizes

/* eax starts as all ones; 8- and 16-bit IN merge, 32-bit IN replaces (64-bit mode: zero-extends). */
GUEST in_sizes, 64
	mov $0x1234, %edx
	mov $-1, %rax
	in (%dx), %al
	mov %rax, %rbx
	mov $-1, %rax
	in (%dx), %ax
	mov %rax, %rsi
	mov $-1, %rax
	in (%dx), %eax
	mov %rax, %rdi
	mov $-1, %rax
	in $0x42, %al
	hlt
END in_sizes

/* Registers are set by the host: rsi/rdi, rcx, and the direction flag. */
GUEST rep_outsb, 64
	mov $0x3f8, %edx
	rep outsb
	hlt
END rep_outsb

GUEST rep_outsw, 64
	mov $0x3f8, %edx
	rep outsw
	hlt
END rep_outsw

GUEST rep_outsl, 64
	mov $0x3f8, %edx
	rep outsl
	hlt
END rep_outsl

GUEST rep_insb, 64
	mov $0x3f8, %edx
	rep insb
	hlt
END rep_insb

GUEST rep_insw, 64
	mov $0x3f8, %edx
	rep insw
	hlt
END rep_insw

/* In the shadow of STI, with two batches or more to do. */
GUEST sti_rep_outsb16, 16
	mov $0x3f8, %dx
	sti
	rep outsb
	cli
	hlt
END sti_rep_outsb16

GUEST sti_rep_insb16, 16
	mov $0x3f8, %dx
	sti
	rep insb
	cli
	hlt
END sti_rep_insb16

GUEST cs_outsb32, 32
	mov $0x3f8, %edx
	outsb %cs:(%esi), (%dx)
	hlt
END cs_outsb32

GUEST outsb_once, 64
	mov $0x3f8, %edx
	outsb
	hlt
END outsb_once

/* Address size 32 in 64-bit mode: only the low half of rsi and rcx counts. */
GUEST rep_outsb_addr32, 64
	mov $0x3f8, %edx
	rep addr32 outsb
	hlt
END rep_outsb_addr32

/* Real mode: DS base and the 16-bit wrap of SI. */
GUEST rep_outsb16, 16
	mov $0x3f8, %dx
	rep outsb
	hlt
END rep_outsb16

GUEST outsb_fs16, 16
	mov $0x3f8, %dx
	fs outsb
	hlt
END outsb_fs16

GUEST rep_insb16, 16
	mov $0x3f8, %dx
	rep insb
	hlt
END rep_insb16

GUEST rep_insb32, 32
	mov $0x3f8, %edx
	rep insb
	hlt
END rep_insb32

GUEST out_all_ports, 16
	xor %dx, %dx
1:	out %al, (%dx)
	inc %dx
	jnz 1b
	hlt
END out_all_ports
