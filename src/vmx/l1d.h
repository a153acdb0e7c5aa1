/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_L1D_H
#define _VTX_L1D_H

#include <linux/types.h>

struct vtx_vcpu;

/* The CPU has L1TF, and nobody has turned its mitigation off. */
extern bool vtx_l1d_leaks;

/* At every VM entry, see vtx_l1d_flush(). */
extern bool vtx_l1d_flush_always;

/**
 * vtx_l1d_straight() - may VM entries follow one another without vtx_l1d_flush()
 * in between, as long as IRQs are off?
 *
 * Return: false if the L1D has to be flushed at every one.
 */
static inline bool vtx_l1d_straight(void)
{
	return !vtx_l1d_flush_always;
}

int vtx_l1d_setup(void);
void vtx_l1d_cleanup(void);
void vtx_l1d_flush(struct vtx_vcpu *vcpu);

#endif /* _VTX_L1D_H */
