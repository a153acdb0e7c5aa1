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

#include <linux/types.h>

struct vtx_insn;

bool vtx_insn_reads_mem(const struct vtx_insn *insn);
bool vtx_insn_writes_mem(const struct vtx_insn *insn);

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
