// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns a VPID.
 *
 * Owns the pool: one bit per id, one spinlock. Id 0 is what the processor uses
 * for itself and for guests without a VPID, so it is never handed out (V1).
 * An id has one owner from vtx_vpid_alloc() to its one vtx_vpid_free() (V2).
 *
 * Does not own what the TLBs hold for an id: whoever frees one has made sure
 * that no CPU has a translation tagged with it (V3, tlb.c). The search goes on
 * from the id handed out last, so that a freed id rests as long as possible
 * and a mistake there takes long to hurt.
 *
 * Compiles in userspace too; tests/unit runs it against a model of a TLB.
 */
#include "tlb/vpid.h"

#include <linux/bitmap.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>

#include "vmx/trace.h"

static DEFINE_SPINLOCK(vpid_lock);	/* a leaf; guards all below */
static DECLARE_BITMAP(vpid_taken, VTX_VPID_MAX + 1);
static unsigned int vpid_next;		/* where the next search starts */
static struct vtx_vpid_stats pool;

/**
 * vtx_vpid_setup() - size the pool
 * @nr_ids: hand out ids 1 to @nr_ids; 0 turns VPIDs off
 *
 * Context: at load, before the first vCPU.
 * Return: 0, -EINVAL if the VMCS field can't hold @nr_ids, -EBUSY if ids are
 * in use.
 */
int vtx_vpid_setup(unsigned int nr_ids)
{
	int err = 0;

	if (nr_ids > VTX_VPID_MAX)
		return -EINVAL;

	spin_lock(&vpid_lock);
	if (pool.in_use) {
		err = -EBUSY;
	} else {
		pool = (struct vtx_vpid_stats){ .nr_ids = nr_ids };
		vpid_next = 1;
	}
	spin_unlock(&vpid_lock);
	return err;
}

/* The first free id from vpid_next on, wrapping; 0 if there is none. */
static unsigned int find_free(void)
{
	unsigned int end = pool.nr_ids + 1;
	unsigned int id = find_next_zero_bit(vpid_taken, end, vpid_next);

	if (id >= end)
		id = find_next_zero_bit(vpid_taken, end, 1);
	return id < end ? id : 0;
}

/**
 * vtx_vpid_alloc() - take an id
 *
 * Return: the id, or 0 if all are taken or VPIDs are off. The vCPU then runs
 * with "enable VPID" off, which is right everywhere and slower.
 */
u16 vtx_vpid_alloc(void)
{
	unsigned int id;

	spin_lock(&vpid_lock);
	id = find_free();
	if (id) {
		__set_bit(id, vpid_taken);
		vpid_next = id + 1;
		pool.peak = max(pool.peak, ++pool.in_use);
		trace_vtx_vpid_alloc(id, pool.in_use);
	} else if (pool.nr_ids) {
		pool.exhausted++;
	}
	spin_unlock(&vpid_lock);
	return id;
}

/**
 * vtx_vpid_free() - give an id back
 * @vpid: what vtx_vpid_alloc() returned; nothing is done for 0
 *
 * The caller has seen to V3: no CPU holds a translation tagged with @vpid.
 */
void vtx_vpid_free(u16 vpid)
{
	if (!vpid)
		return;

	spin_lock(&vpid_lock);
	if (!WARN_ON_ONCE(!__test_and_clear_bit(vpid, vpid_taken))) {
		pool.in_use--;
		trace_vtx_vpid_free(vpid, pool.in_use);
	}
	spin_unlock(&vpid_lock);
}

/**
 * vtx_vpid_retire() - keep an id from ever being handed out again
 * @vpid: an id that the caller owns and could not flush
 */
void vtx_vpid_retire(u16 vpid)
{
	spin_lock(&vpid_lock);
	WARN_ON_ONCE(!test_bit(vpid, vpid_taken));
	pool.retired++;
	spin_unlock(&vpid_lock);
}

/**
 * vtx_vpid_stats() - look at the pool
 * @stats: filled in
 */
void vtx_vpid_stats(struct vtx_vpid_stats *stats)
{
	spin_lock(&vpid_lock);
	*stats = pool;
	spin_unlock(&vpid_lock);
}
