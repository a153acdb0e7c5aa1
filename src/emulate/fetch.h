/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_FETCH_H
#define _VTX_FETCH_H

#include <linux/types.h>

#include "emulate/decode.h"
#include "emulate/gwalk.h"

struct vtx_vcpu;

/**
 * struct vtx_fetch - the instruction at RIP
 * @insn:	decoded
 * @nr_bytes:	bytes fetched
 * @bytes:	they
 * @decoded_bits: @insn is what they mean in code of this many bits; 0: it is nothing
 * @gva:	where they are, or the last page's worth of them
 * @walked:	the walk to it
 */
struct vtx_fetch {
	struct vtx_insn insn;
	unsigned int nr_bytes;
	u8 bytes[VTX_INSN_MAX_LEN];
	unsigned int decoded_bits;
	gva_t gva;
	struct vtx_walked walked;
};

int vtx_fetch_insn(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		   struct vtx_fetch *f);

#endif /* _VTX_FETCH_H */
