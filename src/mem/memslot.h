/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MEMSLOT_H
#define _VTX_MEMSLOT_H

#include <linux/interval_tree.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "types/mem.h"

#define VTX_NR_MEMSLOTS		32764	/* KVM's */

/**
 * struct vtx_memslot - guest-physical pages backed by process memory
 * @by_gfn:	in vtx_memmap.by_gfn
 * @by_id:	in vtx_memmap.by_id
 * @by_hva:	in vtx_memmap.by_hva: first and last address in the process
 * @gfn:	first guest page
 * @npages:	how many
 * @hva:	address of the first in the process
 * @dirty:	bit per page: written since it was last asked; NULL: not logged
 * @id:		the user's slot number
 * @flags:	KVM_MEM_*
 * @leaving:	being taken out of the map: gives no more pages
 *
 * Where it is does not change while it is in a map: a slot that moves is replaced.
 */
struct vtx_memslot {
	struct rb_node by_gfn;
	struct rb_node by_id;
	struct interval_tree_node by_hva;
	u64 gfn;
	u64 npages;
	unsigned long hva;
	unsigned long *dirty;
	u32 id;
	u32 flags;
	bool leaving;
};

void vtx_memmap_init(struct vtx_memmap *map);
struct vtx_memslot *vtx_memmap_find(const struct vtx_memmap *map, u64 gfn);
struct vtx_memslot *vtx_memmap_find_id(const struct vtx_memmap *map, u32 id);
bool vtx_memmap_overlaps(const struct vtx_memmap *map, const struct vtx_memslot *slot);
void vtx_memmap_add(struct vtx_memmap *map, struct vtx_memslot *slot);
void vtx_memmap_remove(struct vtx_memmap *map, struct vtx_memslot *slot);
struct vtx_memslot *vtx_memmap_first_hva(struct vtx_memmap *map, unsigned long start,
					 unsigned long end);
struct vtx_memslot *vtx_memmap_next_hva(struct vtx_memslot *slot, unsigned long start,
					unsigned long end);

static inline unsigned long vtx_memslot_hva(const struct vtx_memslot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->gfn) << 12);
}

/* In the order of guest pages. */
static inline struct vtx_memslot *vtx_memmap_next(const struct vtx_memslot *slot)
{
	return rb_entry_safe(rb_next(&slot->by_gfn), struct vtx_memslot, by_gfn);
}

#define vtx_for_each_memslot(slot, map)						\
	for (slot = rb_entry_safe(rb_first(&(map)->by_gfn), struct vtx_memslot, by_gfn); \
	     slot; slot = vtx_memmap_next(slot))

/* Those with memory of the process in [start, end). */
#define vtx_for_each_memslot_hva(slot, map, start, end)				\
	for (slot = vtx_memmap_first_hva(map, start, end);			\
	     slot; slot = vtx_memmap_next_hva(slot, start, end))

#endif /* _VTX_MEMSLOT_H */
