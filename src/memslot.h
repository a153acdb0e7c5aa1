/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MEMSLOT_H
#define _VTX_MEMSLOT_H

#include <linux/types.h>

/**
 * struct vtx_memslot - guest-physical pages backed by process memory
 * @gfn:	first guest page
 * @npages:	how many
 * @hva:	address of the first in the process
 * @id:		the user's slot number
 * @flags:	KVM_MEM_*
 */
struct vtx_memslot {
	u64 gfn;
	u64 npages;
	unsigned long hva;
	u32 id;
	u32 flags;
};

/**
 * struct vtx_memmap - a VM's slots, sorted by @gfn, never overlapping
 * @n:		how many
 * @slot:	the slots
 *
 * Immutable: a change makes a new map.
 */
struct vtx_memmap {
	unsigned int n;
	struct vtx_memslot slot[];
};

const struct vtx_memslot *vtx_memmap_find(const struct vtx_memmap *map, u64 gfn);
const struct vtx_memslot *vtx_memmap_find_id(const struct vtx_memmap *map, u32 id);
bool vtx_memmap_overlaps(const struct vtx_memmap *map, const struct vtx_memslot *slot);
void vtx_memmap_replace(struct vtx_memmap *to, const struct vtx_memmap *from,
			u32 id, const struct vtx_memslot *slot);

static inline unsigned long vtx_memslot_hva(const struct vtx_memslot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->gfn) << 12);
}

#endif /* _VTX_MEMSLOT_H */
