// SPDX-License-Identifier: GPL-2.0
/*
 * asm-offsets.c - compiled to assembly only; Kbuild makes asm-offsets.h of it
 */
#define COMPILE_OFFSETS
#include <linux/kbuild.h>

#include "vtx.h"

static void __used common(void)
{
	DEFINE(VTX_GPR_RAX, VTX_RAX * 8);
	DEFINE(VTX_GPR_RCX, VTX_RCX * 8);
	DEFINE(VTX_GPR_RDX, VTX_RDX * 8);
	DEFINE(VTX_GPR_RBX, VTX_RBX * 8);
	DEFINE(VTX_GPR_RBP, VTX_RBP * 8);
	DEFINE(VTX_GPR_RSI, VTX_RSI * 8);
	DEFINE(VTX_GPR_RDI, VTX_RDI * 8);
	DEFINE(VTX_GPR_R8, VTX_R8 * 8);
	DEFINE(VTX_GPR_R9, VTX_R9 * 8);
	DEFINE(VTX_GPR_R10, VTX_R10 * 8);
	DEFINE(VTX_GPR_R11, VTX_R11 * 8);
	DEFINE(VTX_GPR_R12, VTX_R12 * 8);
	DEFINE(VTX_GPR_R13, VTX_R13 * 8);
	DEFINE(VTX_GPR_R14, VTX_R14 * 8);
	DEFINE(VTX_GPR_R15, VTX_R15 * 8);
	DEFINE(VTX_HOST_STACK, offsetof(struct vtx_vcpu, host_stack) -
			       offsetof(struct vtx_vcpu, regs));
}
