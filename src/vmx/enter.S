/* SPDX-License-Identifier: GPL-2.0 */
/*
 * enter.S - into the guest and back, the only assembly of vtx
 *
 * Owns the GPRs and the instructions that must stand next to VM entry and VM
 * exit; and a way to C that costs its callers no register. No policy.
 */
#include <linux/linkage.h>

#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include "vmx/asm-offsets.h"

	.section .noinstr.text, "ax"

/**
 * vtx_enter() - run the guest until the next VM exit
 * @regs:	u64[16] (RDI): GPRs by encoding; RSP is in the VMCS
 * @launched:	bool (ESI): VMRESUME, else VMLAUNCH
 *
 * VM exit loads RSP with @regs, which never moves: HOST_RSP is written once, and
 * the GPRs are stored without one to spare. Behind them is where the stack is.
 * Until it is loaded nothing may push: IRQs are off, and NMI, #MC and #DB have
 * stacks of their own (IST). With FRED there is no IST, and INT 2 (run.c) is no NMI:
 * root.c refuses CPUs on which it is active.
 *
 * IRQs off, VMCS current, host FS base and everything else that VM exit does
 * not restore is the caller's.
 *
 * Returns 0 after a VM exit, 1 if VM entry failed with VMfail or faulted.
 */
SYM_FUNC_START(vtx_enter)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx

	mov	%rsp, VTX_HOST_STACK(%rdi)
	mov	%rdi, %rax
	/* CF lives until the choice between VMRESUME and VMLAUNCH. */
	bt	$0, %esi

	mov	VTX_GPR_RCX(%rax), %rcx
	mov	VTX_GPR_RDX(%rax), %rdx
	mov	VTX_GPR_RBX(%rax), %rbx
	mov	VTX_GPR_RBP(%rax), %rbp
	mov	VTX_GPR_RSI(%rax), %rsi
	mov	VTX_GPR_RDI(%rax), %rdi
	mov	VTX_GPR_R8(%rax), %r8
	mov	VTX_GPR_R9(%rax), %r9
	mov	VTX_GPR_R10(%rax), %r10
	mov	VTX_GPR_R11(%rax), %r11
	mov	VTX_GPR_R12(%rax), %r12
	mov	VTX_GPR_R13(%rax), %r13
	mov	VTX_GPR_R14(%rax), %r14
	mov	VTX_GPR_R15(%rax), %r15
	mov	VTX_GPR_RAX(%rax), %rax

	/* MDS, TAA, RFDS: VERW last. It writes ZF only, CF survives. */
	CLEAR_CPU_BUFFERS

	jnc	.Lvmlaunch
	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp	.Lvmfail
.Lvmlaunch:
	vmlaunch
	jmp	.Lvmfail

	/* Not in VMX operation any more: reboot or crash on another CPU. */
	_ASM_EXTABLE(.Lvmresume, .Lvmfail)
	_ASM_EXTABLE(.Lvmlaunch, .Lvmfail)

/* HOST_RIP. RSP is HOST_RSP: @regs. */
SYM_INNER_LABEL(vtx_exit_label, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	mov	%rax, VTX_GPR_RAX(%rsp)
	mov	%rcx, VTX_GPR_RCX(%rsp)
	mov	%rdx, VTX_GPR_RDX(%rsp)
	mov	%rbx, VTX_GPR_RBX(%rsp)
	mov	%rbp, VTX_GPR_RBP(%rsp)
	mov	%rsi, VTX_GPR_RSI(%rsp)
	mov	%rdi, VTX_GPR_RDI(%rsp)
	mov	%r8, VTX_GPR_R8(%rsp)
	mov	%r9, VTX_GPR_R9(%rsp)
	mov	%r10, VTX_GPR_R10(%rsp)
	mov	%r11, VTX_GPR_R11(%rsp)
	mov	%r12, VTX_GPR_R12(%rsp)
	mov	%r13, VTX_GPR_R13(%rsp)
	mov	%r14, VTX_GPR_R14(%rsp)
	mov	%r15, VTX_GPR_R15(%rsp)
	mov	VTX_HOST_STACK(%rsp), %rsp
	xor	%ebx, %ebx

.Lclear_regs:
	/*
	 * No guest value may reach speculation in the host, not even in
	 * registers that are popped below. RBX has the return value.
	 */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	/* Spectre v2, PBRSB: before the first RET that the guest could steer. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE

	/*
	 * Retbleed on CPUs with legacy IBRS: the bit counts only if written
	 * after the transition, even if its value never changed. The guest has
	 * no access to SPEC_CTRL and ran with the host's value.
	 */
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %rdx
	mov	%edx, %eax
	shr	$32, %rdx
	wrmsr
	lfence
.Librs_done:

	CLEAR_BRANCH_HISTORY_VMEXIT

	mov	%ebx, %eax
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lvmfail:
	mov	$1, %ebx
	jmp	.Lclear_regs
SYM_FUNC_END(vtx_enter)

/**
 * vtx_vmcs_error_thunk() - vtx_vmcs_error() that keeps all registers
 * @field:	unsigned long (RDI)
 */
SYM_FUNC_START(vtx_vmcs_error_thunk)
	push	%rbp
	mov	%rsp, %rbp
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	call	vtx_vmcs_error
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	pop	%rbp
	RET
SYM_FUNC_END(vtx_vmcs_error_thunk)
