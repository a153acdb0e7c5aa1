// SPDX-License-Identifier: GPL-2.0
/*
 * memslot.c - the guest-physical memory map, as a sorted array
 *
 * Pure: no locks, no allocation, compiles in userspace. memory.c owns the map
 * of a VM and who may look at it when.
 */
#include "mem/memslot.h"

/* Index of the first slot that ends behind @gfn. */
static unsigned int first_behind(const struct vtx_memmap *map, u64 gfn)
{
	unsigned int low = 0, high = map->n;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct vtx_memslot *slot = &map->slot[mid];

		if (slot->gfn + slot->npages > gfn)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/**
 * vtx_memmap_find() - the slot that has a guest page
 * @map: the map
 * @gfn: guest page number
 *
 * Return: the slot, or NULL.
 */
struct vtx_memslot *vtx_memmap_find(struct vtx_memmap *map, u64 gfn)
{
	unsigned int i = first_behind(map, gfn);

	return i < map->n && map->slot[i].gfn <= gfn ? &map->slot[i] : NULL;
}

/**
 * vtx_memmap_find_id() - the slot with a number
 * @map: the map
 * @id:  the user's slot number, below VTX_NR_MEMSLOTS
 *
 * Return: the slot, or NULL.
 */
struct vtx_memslot *vtx_memmap_find_id(struct vtx_memmap *map, u32 id)
{
	unsigned int place = map->place[id];

	return place ? &map->slot[place - 1] : NULL;
}

/**
 * vtx_memmap_overlaps() - does a slot overlap one with another number?
 * @map:  the map
 * @slot: the candidate
 *
 * Return: true if so.
 */
bool vtx_memmap_overlaps(const struct vtx_memmap *map, const struct vtx_memslot *slot)
{
	unsigned int i;

	for (i = first_behind(map, slot->gfn); i < map->n; i++) {
		const struct vtx_memslot *s = &map->slot[i];

		if (s->gfn >= slot->gfn + slot->npages)
			return false;
		if (s->id != slot->id)
			return true;
	}
	return false;
}

static void append(struct vtx_memmap *map, const struct vtx_memslot *slot)
{
	map->slot[map->n++] = *slot;
	map->place[slot->id] = map->n;
}

/**
 * vtx_memmap_replace() - build a changed copy of a map
 * @to:   zeroed, with room for one slot more than @from has
 * @from: the old map
 * @id:   the slot number that goes
 * @slot: the slot that comes, NULL: none
 */
void vtx_memmap_replace(struct vtx_memmap *to, const struct vtx_memmap *from,
			u32 id, const struct vtx_memslot *slot)
{
	unsigned int i;

	for (i = 0; i < from->n; i++) {
		const struct vtx_memslot *s = &from->slot[i];

		if (s->id == id)
			continue;
		if (slot && slot->gfn < s->gfn) {
			append(to, slot);
			slot = NULL;
		}
		append(to, s);
	}
	if (slot)
		append(to, slot);
}
