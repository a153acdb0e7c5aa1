/* SPDX-License-Identifier: GPL-2.0 */
/* Reads and writes of memory; rbx is the address. */
#include "guest.h"

GUEST peek, 32
	mov (%ebx), %eax
	hlt
END peek

GUEST peek64, 64
	mov (%rbx), %eax
	hlt
END peek64

GUEST poke, 32
	mov %eax, (%ebx)
	hlt
END poke

GUEST poke64, 64
	mov %rax, (%rbx)
	hlt
END poke64

/* Adds up the first words of ecx pages, two pages apart. */
GUEST sum_pages, 32
	xor %eax, %eax
1:	add (%ebx), %eax
	add $0x2000, %ebx
	loop 1b
	hlt
END sum_pages
