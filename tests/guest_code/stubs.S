/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exception stubs: put vector and error code on the stack, tell the host by an
 * exit on PORT_TRAP, and return to wherever the host left the frame pointing.
 */
#include "guest.h"

.macro stub_table bits, width, ret
	vector = 0
	.rept 256
	.balign 16
	.if \bits == 16 || !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	push\width $0
	.endif
	push\width $vector
	jmp 1f
	vector = vector + 1
	.endr
	.balign 16
1:	out %al, $PORT_TRAP
	add $(2 * \bits / 8), %\ret\()sp
	iret\width
.endm

GUEST stubs16, 16
	stub_table 16, w,
END stubs16

GUEST stubs32, 32
	stub_table 32, l, e
END stubs32

GUEST stubs64, 64
	stub_table 64, q, r
END stubs64
