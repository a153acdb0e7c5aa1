/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_FETCH_H
#define _VTX_FETCH_H

#include <linux/types.h>

#include "decode.h"
#include "gwalk.h"

struct vtx_vcpu;

/**
 * struct vtx_fetch - the instruction at RIP
 * @insn:	decoded
 * @nr_bytes:	bytes fetched
 * @bytes:	they
 * @decoded:	the bytes that @insn was decoded from
 * @decoded_bits: in code of this many bits; 0: it was not
 * @walked:	the walk to it
 */
struct vtx_fetch {
	struct vtx_insn insn;
	unsigned int nr_bytes;
	u8 bytes[VTX_INSN_MAX_LEN];
	u8 decoded[VTX_INSN_MAX_LEN];
	unsigned int decoded_bits;
	struct vtx_walked walked;
};

int vtx_fetch_insn(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		   struct vtx_fetch *f);

#endif /* _VTX_FETCH_H */
