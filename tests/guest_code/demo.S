/* SPDX-License-Identifier: GPL-2.0 */
/* The guests of the demo: each draws lines of text and sends them by REP OUTSB. */
#include "guest.h"

#define PORT_TEXT	0x3f8
#define LINE		(DATA + 0x800)

/* Primes below 500, by sieve, in 16-bit real mode. */
#define LIMIT		500

GUEST demo_primes, 16
	mov $DATA, %bx			/* one byte per number, 1: composite */
	mov $2, %si
1:	cmpb $0, (%bx,%si)
	jne 3f
	mov %si, %di
2:	add %si, %di
	cmp $LIMIT, %di
	jae 3f
	movb $1, (%bx,%di)
	jmp 2b
3:	inc %si
	cmp $LIMIT, %si
	jb 1b

	mov $LINE, %di
	mov $2, %si
4:	cmpb $0, (%bx,%si)
	jne 6f
	movl $0x20202020, (%di)		/* the number, right-aligned in 4 columns */
	add $4, %di
	mov %di, %bp
	mov %si, %ax
	mov $10, %cx
5:	xor %dx, %dx
	div %cx
	add $'0', %dl
	dec %bp
	mov %dl, %ds:(%bp)
	test %ax, %ax
	jnz 5b
	cmp $LINE + 19 * 4, %di
	jb 6f
	call 7f
6:	inc %si
	cmp $LIMIT, %si
	jb 4b
	hlt

7:	movb $'\n', (%di)
	lea 1 - LINE(%di), %cx
	push %si
	mov $LINE, %si
	mov $PORT_TEXT, %dx
	rep outsb
	pop %si
	mov $LINE, %di
	ret
END demo_primes

/* The Mandelbrot set in 7.25 fixed point, 32-bit protected mode with paging. */
#define COLUMNS		76
#define ROWS		19
#define FIXED(n, d)	((n) * (1 << 25) / (d))

GUEST demo_mandelbrot, 32
	xor %ebx, %ebx			/* row */
1:	mov $LINE, %edi
2:	push %edi
	lea -LINE(%edi), %eax
	imul $FIXED(265, 7500), %eax, %eax
	sub $FIXED(205, 100), %eax
	mov %eax, DATA			/* real part of c */
	imul $FIXED(22, 180), %ebx, %eax
	sub $FIXED(11, 10), %eax
	mov %eax, DATA + 4		/* imaginary part */
	xor %esi, %esi			/* z = esi + i edi */
	xor %edi, %edi
	mov $64, %ecx
3:	mov %esi, %eax
	imul %esi
	shrd $25, %edx, %eax
	mov %eax, %ebp			/* real squared */
	mov %edi, %eax
	imul %edi
	shrd $25, %edx, %eax		/* imaginary squared */
	lea (%ebp,%eax), %edx
	cmp $FIXED(4, 1), %edx
	ja 4f
	sub %eax, %ebp
	add DATA, %ebp
	mov %esi, %eax
	imul %edi
	shrd $24, %edx, %eax
	add DATA + 4, %eax
	mov %eax, %edi
	mov %ebp, %esi
	loop 3b
	mov $' ', %al
	jmp 6f
4:	mov $65, %eax			/* the earlier it escapes, the lighter */
	sub %ecx, %eax
	cmp $15, %eax
	jb 5f
	mov $15, %eax
5:	mov AT(7f)(%eax), %al
6:	pop %edi
	stosb
	cmp $LINE + COLUMNS, %edi
	jb 2b
	movb $'\n', (%edi)
	mov $LINE, %esi
	mov $COLUMNS + 1, %ecx
	mov $PORT_TEXT, %edx
	rep outsb
	inc %ebx
	cmp $ROWS, %ebx
	jb 1b
	hlt
7:	.ascii "  .,:;-~+=*ox%#@"
END demo_mandelbrot

/*
 * A torus lit from the upper left, in 64-bit long mode: each ray walks forward by
 * its distance to the surface until it hits, four floats at a time.
 */
GUEST demo_torus, 64
	mov %cr4, %rax
	or $0x600, %eax			/* OSFXSR, OSXMMEXCPT: SSE on */
	mov %rax, %cr4
	xor %ebx, %ebx			/* row */
1:	mov $LINE, %edi
2:	lea -LINE(%edi), %eax
	cvtsi2ss %eax, %xmm2
	subss AT(.Lmiddle), %xmm2
	mulss AT(.Lscale), %xmm2
	shufps $0, %xmm2, %xmm2
	mulps AT(.Lright), %xmm2
	cvtsi2ss %ebx, %xmm0
	subss AT(.Lmiddle) + 4, %xmm0
	mulss AT(.Lscale) + 4, %xmm0
	shufps $0, %xmm0, %xmm0
	mulps AT(.Lup), %xmm0
	addps %xmm2, %xmm0
	addps AT(.Lorigin), %xmm0	/* where the ray is: x, y, z, 0 */
	mov $' ', %al
	mov $48, %ecx
3:	movaps %xmm0, %xmm4
	mulps %xmm4, %xmm4
	movhlps %xmm4, %xmm5
	addss %xmm4, %xmm5
	sqrtss %xmm5, %xmm5		/* distance to the axis */
	movaps %xmm5, %xmm6
	subss AT(.Lradii), %xmm6	/* to the ring, in its plane */
	movaps %xmm6, %xmm7
	mulss %xmm7, %xmm7
	shufps $1, %xmm4, %xmm4
	addss %xmm4, %xmm7
	sqrtss %xmm7, %xmm7
	subss AT(.Lradii) + 4, %xmm7	/* to the surface */
	comiss AT(.Lradii) + 8, %xmm7
	jb 4f
	shufps $0, %xmm7, %xmm7
	mulps AT(.Lforward), %xmm7
	addps %xmm7, %xmm0
	loop 3b
	jmp 6f
4:	divss %xmm5, %xmm6		/* brightness: normal times light */
	shufps $0, %xmm6, %xmm6
	mulps AT(.Llight_xz), %xmm6
	addps AT(.Llight_y), %xmm6
	mulps %xmm0, %xmm6
	movhlps %xmm6, %xmm7
	addps %xmm6, %xmm7
	shufps $1, %xmm6, %xmm6
	addss %xmm7, %xmm6
	cvttss2si %xmm6, %eax
	test %eax, %eax
	jns 5f
	xor %eax, %eax
5:	mov AT(.Lramp)(%eax), %al
6:	stosb
	cmp $LINE + COLUMNS, %edi
	jb 2b
	movb $'\n', (%rdi)
	mov $LINE, %esi
	mov $COLUMNS + 1, %ecx
	mov $PORT_TEXT, %edx
	rep outsb
	inc %ebx
	cmp $ROWS, %ebx
	jb 1b
	hlt
	.balign 16
.Lright:	.float 1, 0, 0, 0
.Lup:		.float 0, 0.58168, 0.81342, 0
.Lforward:	.float 0, -0.81342, 0.58168, 0
.Lorigin:	.float 0, 2.44025, -1.74505, 0
.Llight_xz:	.float -9.1304, 0, -18.7826, 0	/* light by 12 shades by 1 / 0.46 */
.Llight_y:	.float 0, 15.6522, 0, 0
.Lradii:	.float 1, 0.46, 0.01, 0
.Lmiddle:	.float 37.5, 9
.Lscale:	.float 0.054, -0.108
.Lramp:		.ascii ".,-~:;=!*#$@@"
END demo_torus
