// SPDX-License-Identifier: GPL-2.0
/*
 * Ends the machine by kexec (a lane of scripts/check-vm). The next kernel tells on
 * the first serial port whether its CPU has left VMX operation, and stops with a
 * triple fault, at which the emulator shows the other CPUs' registers, too.
 */
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/vtx_test.h"

#define WHERE	0x2000000UL	/* RAM in every machine of run-vm */

extern const char next_kernel[], next_kernel_end[];

/* 64-bit mode, all memory mapped as it is, an IDT without entries. */
asm(".pushsection .rodata\n"
    "next_kernel:\n"
    "	lea	off(%rip), %rsi\n"
    "	mov	%cr4, %rax\n"
    "	bt	$13, %rax\n"		/* VMXE */
    "	jnc	1f\n"
    "	lea	on(%rip), %rsi\n"
    "1:	mov	$0x3fd, %edx\n"		/* the line's status */
    "2:	in	%dx, %al\n"
    "	test	$0x20, %al\n"		/* ready for a byte */
    "	jz	2b\n"
    "	lodsb\n"
    "	test	%al, %al\n"
    "	jz	3f\n"
    "	mov	$0x3f8, %edx\n"
    "	out	%al, %dx\n"
    "	jmp	1b\n"
    "3:	int3\n"
    "off: .asciz \"\\r\\nkexec: next kernel, VMX off\\r\\n\"\n"
    "on: .asciz \"\\r\\nkexec: next kernel, VMX on\\r\\n\"\n"
    "next_kernel_end:\n"
    "	.popsection\n");

int main(void)
{
	struct kexec_segment segment = {
		.buf = next_kernel, .bufsz = next_kernel_end - next_kernel,
		.mem = (void *)WHERE, .memsz = PAGE,
	};

	if (syscall(SYS_kexec_load, WHERE, 1UL, &segment, KEXEC_ARCH_DEFAULT))
		die("kexec_load");
	sync();
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	die("reboot");
}
