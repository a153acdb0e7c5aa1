// SPDX-License-Identifier: GPL-2.0
/*
 * fetch.c - the bytes of the instruction at RIP, and what they are
 *
 * Guest memory by the guest's own page tables (gwalk.c), bytes to instruction
 * by the decoder (decode.c). Owns neither.
 */
#include "emulate/fetch.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "emulate/gwalk.h"
#include "guest/cr.h"
#include "guest/event.h"
#include "vmx/vmcs_init.h"
#include "vtx.h"

/* To the end of the page, when called again to the end of the next. */
static int fetch(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		 struct vtx_fetch *f)
{
	unsigned int n;
	int r;

	if (!vtx_linear_code(vcpu, w, rip + f->nr_bytes, &f->gva)) {
		vtx_vcpu_load(vcpu);
		vtx_queue_gp(vcpu);
		vtx_vcpu_put(vcpu);
		return -EFAULT;
	}
	n = min_t(unsigned int, VTX_INSN_MAX_LEN - f->nr_bytes,
		  PAGE_SIZE - offset_in_page(f->gva));
	r = vtx_gva_fetch(vcpu, w, f->gva, f->bytes + f->nr_bytes, n, &f->walked);
	if (!r)
		f->nr_bytes += n;
	return r;
}

/* Loops that poll a device are common: the last instruction is still decoded. */
static bool is_decoded(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
		       struct vtx_fetch *f)
{
	return f->decoded_bits == w->bits &&
	       vtx_linear_code(vcpu, w, rip, &f->gva) &&
	       vtx_gva_same_code(vcpu, w, f->gva, f->bytes, f->insn.len, &f->walked);
}

static int decode(struct vtx_fetch *f, unsigned int bits)
{
	int r = vtx_decode(f->bytes, f->nr_bytes, bits, &f->insn);

	f->decoded_bits = r ? 0 : bits;
	return r;
}

static noinline int fetch_and_decode(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w,
				     u64 rip, struct vtx_fetch *f)
{
	int r;

	f->nr_bytes = 0;
	f->decoded_bits = 0;
	do {
		r = fetch(vcpu, w, rip, f);
		if (r)
			return r;
		r = decode(f, w->bits);
	} while (r == -ENODATA && f->nr_bytes < VTX_INSN_MAX_LEN);
	return r ? -ENXIO : 0;
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
	if (!is_decoded(vcpu, w, rip, f))
		return fetch_and_decode(vcpu, w, rip, f);
	/* What follows it may have changed. */
	f->nr_bytes = f->insn.len;
	return 0;
}
