/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MEMSLOT_H
#define _VTX_MEMSLOT_H

#include <linux/types.h>

#define VTX_NR_MEMSLOTS		512

/**
 * struct vtx_memslot - guest-physical pages backed by process memory
 * @gfn:	first guest page
 * @npages:	how many
 * @hva:	address of the first in the process
 * @dirty:	bit per page: written since it was last asked; NULL: not logged
 * @id:		the user's slot number
 * @flags:	KVM_MEM_*
 * @leaving:	being taken out of the map: gives no more pages
 */
struct vtx_memslot {
	u64 gfn;
	u64 npages;
	unsigned long hva;
	unsigned long *dirty;
	u32 id;
	u32 flags;
	bool leaving;
};

/**
 * struct vtx_memmap - a VM's slots, sorted by @gfn, never overlapping
 * @n:		how many
 * @place:	by slot number: index in @slot plus 1; 0: no such slot
 * @slot:	the slots
 *
 * A change of which slots there are makes a new map.
 */
struct vtx_memmap {
	unsigned int n;
	u16 place[VTX_NR_MEMSLOTS];
	struct vtx_memslot slot[];
};

struct vtx_memslot *vtx_memmap_find(struct vtx_memmap *map, u64 gfn);
struct vtx_memslot *vtx_memmap_find_id(struct vtx_memmap *map, u32 id);
bool vtx_memmap_overlaps(const struct vtx_memmap *map, const struct vtx_memslot *slot);
void vtx_memmap_replace(struct vtx_memmap *to, const struct vtx_memmap *from,
			u32 id, const struct vtx_memslot *slot);

static inline unsigned long vtx_memslot_hva(const struct vtx_memslot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->gfn) << 12);
}

#endif /* _VTX_MEMSLOT_H */
