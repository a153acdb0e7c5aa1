// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any bytes through vtx_decode() and the execution helpers.
 * Beyond what the sanitizers see, a decoded instruction must be well-formed,
 * not depend on the bytes behind it and need every byte it has.
 */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "emulate/decode.h"
#include "emulate/insn.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_power_of_2_up_to_8(unsigned int n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

static void check_fields(const struct vtx_insn *v, unsigned int n)
{
	require(v->op > VTX_INSN_NONE && v->op <= VTX_INSN_POP);
	require(v->len >= 1 && v->len <= n && v->len <= VTX_INSN_MAX_LEN);
	require(is_power_of_2_up_to_8(v->op_size));
	require(is_power_of_2_up_to_8(v->mem_size) && v->mem_size <= v->op_size);
	require(is_power_of_2_up_to_8(v->addr_size) && v->addr_size > 1);
	require(is_power_of_2_up_to_8(v->scale));
	require(v->reg < VTX_INSN_GPRS && (!v->high8 || (v->reg < 4 && v->op_size == 1)));
	require(v->base < VTX_INSN_GPRS || v->base == VTX_INSN_NO_REG);
	require(v->index < VTX_INSN_GPRS || v->index == VTX_INSN_NO_REG);
	require(v->seg <= VTX_INSN_GS);
	require(!v->rip_relative || v->base == VTX_INSN_NO_REG);
	require(v->op_size == 8 || !(v->imm >> (8 * v->op_size)));
}

static void execute(const struct vtx_insn *v, const u8 *data, size_t size)
{
	u64 gprs[VTX_INSN_GPRS] = { 0 }, rflags = 0, offset, result;
	unsigned int i;

	for (i = 0; i < sizeof(gprs); i++)
		((u8 *)gprs)[i] = size ? data[i % size] ^ i : i;
	rflags = gprs[0];

	offset = vtx_insn_effective_offset(v, gprs, gprs[1]);
	require(v->addr_size == 8 || !(offset >> (8 * v->addr_size)));
	require(v->op_size == 8 || !(vtx_insn_store_value(v, gprs) >> (8 * v->op_size)));
	require(vtx_insn_reads_mem(v) || vtx_insn_writes_mem(v));
	if (v->op >= VTX_INSN_MOVS && v->op <= VTX_INSN_SCAS) {
		vtx_insn_string_step(v, gprs, rflags, vtx_insn_string_count(v, gprs));
		require(vtx_insn_string_done(v, gprs, rflags));
	}
	result = vtx_insn_execute(v, gprs[2], gprs, &rflags);
	/* What is stored fits. */
	require(!vtx_insn_writes_mem(v) || v->op_size == 8 || !(result >> (8 * v->op_size)));
}

static void decode(const u8 *data, size_t size, unsigned int mode)
{
	unsigned int n = size < 20 ? size : 20;
	/* A copy of its own, so that reading past n is reading past it. */
	u8 *bytes = malloc(n ? n : 1);
	struct vtx_insn v, again;
	unsigned int i;

	memcpy(bytes, data, n);
	if (!vtx_decode(bytes, n, mode, &v)) {
		check_fields(&v, n);
		for (i = v.len; i < n; i++)
			bytes[i] ^= 0xff;
		require(!vtx_decode(bytes, n, mode, &again));
		require(!memcmp(&v, &again, sizeof(v)));
		for (i = 0; i < v.len; i++)
			require(vtx_decode(bytes, i, mode, &again) == -ENODATA);
		execute(&v, data + n, size - n);
	}
	free(bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const unsigned int modes[] = {
		VTX_INSN_MODE_16, VTX_INSN_MODE_32, VTX_INSN_MODE_64,
	};

	if (size)
		decode(data + 1, size - 1, modes[data[0] % 3]);
	return 0;
}
