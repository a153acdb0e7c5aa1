/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest does between two RDTSC, as often as COUNT asks for, and once
 * more between two XCHG BX,BX. That is a no-operation, but Bochs' debugger can
 * stop there: scripts/bench-profile traces what lies between.
 *
 * Set by the host: R9 is EAX and R10 is EDX of the operation, RCX is free for
 * it, RSI and RBX are the payload's own. Differences go to SAMPLES.
 */
#include "../guest_code/guest.h"
#include "bench.h"

/* For the quoted instructions below, where the preprocessor does not look. */
	.set outs_len, OUTS_LEN
	.set outs_data, DATA
	.set may_trace, 1

.macro MAGIC
	.if may_trace
	xchg %bx, %bx
	.endif
.endm

.macro SETUP
	mov %r9d, %eax
	mov %r10d, %edx
.endm

/* Between both: the guest's own work, told apart by the "nothing" payload. */
.macro BEGIN name, prepare
GUEST bench_\name, 64
	mov $SAMPLES, %edi
	mov $COUNT, %ebp
1:
	\prepare
	rdtsc
	mov %eax, %r8d
	SETUP
.endm

.macro AGAIN prepare
	rdtsc
	sub %r8d, %eax
	stosl
	dec %ebp
	jnz 1b
	\prepare
	SETUP
	MAGIC
.endm

.macro FINISH name
	MAGIC
	mov $PORT_DONE, %edx
	out %al, (%dx)
	hlt
END bench_\name
.endm

.macro OPERATION name, insn:req, prepare
	BEGIN \name, "\prepare"
	\insn
	AGAIN "\prepare"
	\insn
	FINISH \name
.endm

	.set may_trace, 0
OPERATION nothing,	"nop"
	.set may_trace, 1
OPERATION cpuid,	"cpuid",	"xor %ecx, %ecx"
OPERATION vmcall,	"vmcall"
OPERATION rdmsr,	"rdmsr"
OPERATION wrmsr,	"wrmsr"
OPERATION cr0,		"mov %r10, %cr0", "xor %r9, %r10"
OPERATION xsetbv,	"xsetbv",	"xor $2, %r9d"
OPERATION out,		"out %al, (%dx)"
OPERATION in,		"in (%dx), %al"
OPERATION outs,		"rep outsb",	"mov $outs_len, %ecx; mov $outs_data, %esi"
OPERATION mmio_read,	"mov (%rbx), %eax"
OPERATION mmio_write,	"mov %eax, (%rbx)"
OPERATION hlt,		"hlt"
OPERATION interrupt,	"out %al, (%dx)", "sti"

/* Another address space, TOUCHED pages read there, and a trip to the host. */
.macro SWITCH
	mov %r10, %cr3
	.set page, 0
	.rept TOUCHED
	mov ALIAS + page * 4096, %ecx
	.set page, page + 1
	.endr
	xor %eax, %eax
	cpuid
.endm
OPERATION cr3,		"SWITCH",	"xor %r9, %r10"

/* ECX pages from RBX on, RSI bytes apart; then some more for the trace. */
GUEST bench_touch, 64
	mov $SAMPLES, %edi
	mov %ecx, %ebp
1:
	rdtsc
	mov %eax, %r8d
	movb $1, (%rbx)
	rdtsc
	sub %r8d, %eax
	stosl
	add %rsi, %rbx
	dec %ebp
	jnz 1b
	cmp $TRACED, %ecx
	jbe 3f
	mov $TRACED, %ecx
3:
	MAGIC
2:
	movb $1, (%rbx)
	add %rsi, %rbx
	dec %ecx
	jnz 2b
	FINISH touch

/* Forever out. */
GUEST bench_spin, 64
	mov $PORT_OUT, %edx
1:
	out %al, (%dx)
	jmp 1b
END bench_spin
