/* SPDX-License-Identifier: GPL-2.0 */
/* Payloads of a few instructions: how a vCPU starts, halts, spins and dies. */
#include "guest.h"

GUEST hlt16, 16
	hlt
	hlt
END hlt16

GUEST hlt32, 32
	hlt
	hlt
END hlt32

GUEST hlt64, 64
	hlt
	hlt
END hlt64

/* Never leaves by itself; counts in eax so that progress shows. */
GUEST spin16, 16
1:	inc %eax
	jmp 1b
END spin16

/* One sync exit per round, the round in eax. */
GUEST sync16, 16
1:	inc %eax
	out %al, $PORT_SYNC
	jmp 1b
END sync16

/* No IDT worth the name: #UD, #GP, #DF, shutdown. */
GUEST triple_fault16, 16
	lidtl %cs:AT(2f)
	ud2
2:	.word 0
	.long 0
END triple_fault16

GUEST sti_hlt16, 16
	sti
	nop
	hlt
END sti_hlt16
