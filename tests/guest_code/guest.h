/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guest.h - where things lie in a test machine, for guest code and host code.
 *
 * Guest code is assembled into the test program's read-only data and copied to
 * CODE before it runs, so it must be position independent or use AT(label).
 */
#ifndef _GUEST_H
#define _GUEST_H

#define RAM_SIZE	0x80000		/* slot 0: [0, 512K); all above is a hole */
#define GDT		0x1000
#define TSS		0x1400
#define DATA		0x2000		/* a page the payloads may use as they like */
#define IDT		0x3000
#define STUBS		0x4000		/* 256 exception stubs, then their common tail */
#define STACK		0x7000
#define CODE		0x8000
#define PAGE_TABLES	0x10000
#define SCRATCH		0x20000		/* pages of one test's own layout */
#define USER_STACK	0x30000
#define ALIAS		0x40000000	/* paged modes: second mapping of [0, 2M) */
#define MMIO		0xd0000000	/* mapped in paged modes, never backed */
#define MMIO_LOW	0xa0000		/* the hole that real mode can reach */

/* Selectors; SYSCALL and SYSRET fix the order of the first six. */
#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_UCODE32	0x23
#define SEL_UDATA	0x2b
#define SEL_UCODE64	0x33
#define SEL_TSS		0x38		/* 16 bytes in long mode */
#define SEL_CODE16	0x48
#define SEL_DATA16	0x50

#define PORT_TRAP	0xe7		/* written by the exception stubs */
#define PORT_SYNC	0xe8		/* payload has reached a point of interest */

#ifdef __ASSEMBLER__

.macro GUEST name, bits
	.section .rodata.guest, "a"
	.balign 64
	.code\bits
	.globl guest_\name, guest_\name\()_end
guest_\name:
88:
.endm

.macro END name
guest_\name\()_end:
	.byte 0xcc
	.code64
.endm

/* Address that a label of the payload has in the guest. */
#define AT(label)	((label) - 88b + CODE)

#endif
#endif
