/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a decoded instruction does, as arithmetic on values: the caller moves
 * them from and to the guest. gprs is always the 16 registers in the order of
 * enum vtx_insn_gpr.
 *
 * An MMIO read is vtx_insn_execute() on the value read; if the instruction
 * also writes, what that returns goes to memory. An instruction that only
 * writes stores vtx_insn_store_value(). MOVS copies; string instructions end
 * each round with vtx_insn_string_step(); PUSH and POP need the stack, which
 * is the caller's.
 */
#ifndef _VTX_INSN_H
#define _VTX_INSN_H

#include <linux/bits.h>
#include <linux/types.h>

#include "emulate/decode.h"

/**
 * vtx_insn_reads_mem - does the instruction need the memory operand's value?
 * @insn: decoded instruction
 *
 * Return: true for all but plain stores and POP.
 */
static inline bool vtx_insn_reads_mem(const struct vtx_insn *insn)
{
	const u64 store = BIT_ULL(VTX_INSN_MOV_STORE) | BIT_ULL(VTX_INSN_STORE_IMM) |
			  BIT_ULL(VTX_INSN_STOS) | BIT_ULL(VTX_INSN_POP);

	return !(store & BIT_ULL(insn->op));
}

/**
 * vtx_insn_writes_mem - does the instruction write a memory operand?
 * @insn: decoded instruction
 *
 * CMPXCHG writes in any case, the old value if it compared unequal: SDM vol 2
 * "CMPXCHG". MOVS writes ES:rDI.
 *
 * Return: true for stores and read-modify-write instructions.
 */
static inline bool vtx_insn_writes_mem(const struct vtx_insn *insn)
{
	const u64 always = BIT_ULL(VTX_INSN_MOV_STORE) | BIT_ULL(VTX_INSN_STORE_IMM) |
			   BIT_ULL(VTX_INSN_MOVS) | BIT_ULL(VTX_INSN_STOS) |
			   BIT_ULL(VTX_INSN_INC) | BIT_ULL(VTX_INSN_DEC) |
			   BIT_ULL(VTX_INSN_NEG) | BIT_ULL(VTX_INSN_NOT) |
			   BIT_ULL(VTX_INSN_BTS) | BIT_ULL(VTX_INSN_BTR) |
			   BIT_ULL(VTX_INSN_BTC) | BIT_ULL(VTX_INSN_XCHG) |
			   BIT_ULL(VTX_INSN_XADD) | BIT_ULL(VTX_INSN_CMPXCHG) |
			   BIT_ULL(VTX_INSN_POP);
	const u64 to_mem = BIT_ULL(VTX_INSN_ADD) | BIT_ULL(VTX_INSN_OR) |
			   BIT_ULL(VTX_INSN_ADC) | BIT_ULL(VTX_INSN_SBB) |
			   BIT_ULL(VTX_INSN_AND) | BIT_ULL(VTX_INSN_SUB) |
			   BIT_ULL(VTX_INSN_XOR);

	return (insn->to_reg ? always : always | to_mem) & BIT_ULL(insn->op);
}

u64 vtx_insn_effective_offset(const struct vtx_insn *insn, const u64 *gprs,
			      u64 rip_next);
u64 vtx_insn_string_dest(const struct vtx_insn *insn, const u64 *gprs);

u64 vtx_insn_store_value(const struct vtx_insn *insn, const u64 *gprs);
void vtx_insn_load_result(const struct vtx_insn *insn, u64 *gprs, u64 value);
u64 vtx_insn_alu(const struct vtx_insn *insn, u64 mem, u64 regval, u64 *rflags);
u64 vtx_insn_execute(const struct vtx_insn *insn, u64 mem, u64 *gprs, u64 *rflags);

u64 vtx_insn_string_count(const struct vtx_insn *insn, const u64 *gprs);
void vtx_insn_string_step(const struct vtx_insn *insn, u64 *gprs, u64 rflags,
			  u64 count);
bool vtx_insn_string_done(const struct vtx_insn *insn, const u64 *gprs, u64 rflags);

#endif /* _VTX_INSN_H */
