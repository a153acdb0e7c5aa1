// SPDX-License-Identifier: GPL-2.0
/*
 * memslot.c - the guest-physical memory map, as a sorted array
 *
 * Pure: no locks, no allocation, compiles in userspace. vm.c owns the map of a
 * VM and who may look at it when.
 */
#include "memslot.h"

/**
 * vtx_memmap_find() - the slot that has a guest page
 * @map: the map
 * @gfn: guest page number
 *
 * Return: the slot, or NULL.
 */
const struct vtx_memslot *vtx_memmap_find(const struct vtx_memmap *map, u64 gfn)
{
	unsigned int low = 0, high = map->n;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct vtx_memslot *slot = &map->slot[mid];

		if (gfn < slot->gfn)
			high = mid;
		else if (gfn - slot->gfn >= slot->npages)
			low = mid + 1;
		else
			return slot;
	}
	return NULL;
}

/**
 * vtx_memmap_find_id() - the slot with a number
 * @map: the map
 * @id:  the user's slot number
 *
 * Return: the slot, or NULL.
 */
const struct vtx_memslot *vtx_memmap_find_id(const struct vtx_memmap *map, u32 id)
{
	unsigned int i;

	for (i = 0; i < map->n; i++)
		if (map->slot[i].id == id)
			return &map->slot[i];
	return NULL;
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

	for (i = 0; i < map->n; i++) {
		const struct vtx_memslot *s = &map->slot[i];

		if (s->id != slot->id && s->gfn < slot->gfn + slot->npages &&
		    slot->gfn < s->gfn + s->npages)
			return true;
	}
	return false;
}

/**
 * vtx_memmap_replace() - build a changed copy of a map
 * @to:   room for one slot more than @from has
 * @from: the old map
 * @id:   the slot number that goes
 * @slot: the slot that comes, NULL: none
 */
void vtx_memmap_replace(struct vtx_memmap *to, const struct vtx_memmap *from,
			u32 id, const struct vtx_memslot *slot)
{
	unsigned int i;

	to->n = 0;
	for (i = 0; i < from->n; i++) {
		const struct vtx_memslot *s = &from->slot[i];

		if (s->id == id)
			continue;
		if (slot && slot->gfn < s->gfn) {
			to->slot[to->n++] = *slot;
			slot = NULL;
		}
		to->slot[to->n++] = *s;
	}
	if (slot)
		to->slot[to->n++] = *slot;
}
