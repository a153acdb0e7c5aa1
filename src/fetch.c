// SPDX-License-Identifier: GPL-2.0
/*
 * fetch.c - the bytes of the instruction at RIP, and what they are
 *
 * Guest memory by the guest's own page tables (gwalk.c), bytes to instruction
 * by the decoder (decode.c). Owns neither.
 */
#include "fetch.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "cr.h"
#include "event.h"
#include "gwalk.h"
#include "vmcs_init.h"
#include "vtx.h"

/* To the end of the page, when called again to the end of the next. */
static int fetch(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		 struct vtx_fetch *f)
{
	gva_t gva;
	int r;

	while (f->nr_bytes < VTX_INSN_MAX_LEN) {
		unsigned int n;
		bool ok;

		vtx_vcpu_load(vcpu);
		ok = vtx_linear(w, VTX_SEG_CS, rip + f->nr_bytes, 1, false, &gva);
		if (!ok)
			vtx_queue_gp(vcpu);
		vtx_vcpu_put(vcpu);
		if (!ok)
			return -EFAULT;
		n = min_t(unsigned int, VTX_INSN_MAX_LEN - f->nr_bytes,
			  PAGE_SIZE - offset_in_page(gva));
		r = vtx_gva_fetch(vcpu, w, gva, f->bytes + f->nr_bytes, n, &f->walked);
		if (r)
			return r;
		f->nr_bytes += n;
		if (!offset_in_page(gva + n))
			break;
	}
	return 0;
}

/* Loops that poll a device are common: the last instruction is still decoded. */
static bool is_decoded(const struct vtx_fetch *f, unsigned int bits)
{
	return f->decoded_bits == bits && f->nr_bytes >= f->insn.len &&
	       !memcmp(f->bytes, f->decoded, f->insn.len);
}

static int decode(struct vtx_fetch *f, unsigned int bits)
{
	int r = vtx_decode(f->bytes, f->nr_bytes, bits, &f->insn);

	f->decoded_bits = r ? 0 : bits;
	memcpy(f->decoded, f->bytes, sizeof(f->decoded));
	return r;
}

/**
 * vtx_fetch_insn() - fetch and decode the instruction at RIP
 * @vcpu: the vCPU
 * @w:    from vtx_gwalk_init()
 * @rip:  RIP
 * @f:    result; what it holds from last time is used if it still holds
 *
 * Context: may sleep; VMCS need not be current.
 * Return: 0; -EFAULT: an exception was queued; -ENXIO: there is no memory, or the
 * decoder knows no such instruction.
 */
int vtx_fetch_insn(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		   struct vtx_fetch *f)
{
	int r;

	f->nr_bytes = 0;
	r = fetch(vcpu, w, rip, f);
	if (r || is_decoded(f, w->bits))
		return r;
	r = decode(f, w->bits);
	if (r == -ENODATA) {
		r = fetch(vcpu, w, rip, f);
		if (r)
			return r;
		r = decode(f, w->bits);
	}
	return r ? -ENXIO : 0;
}
