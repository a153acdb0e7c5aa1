// SPDX-License-Identifier: GPL-2.0
/*
 * memslot.c - the guest-physical memory map
 *
 * Three trees of the same slots: by guest page, which EPT violations ask for; by
 * number, which ioctls name; by address in the process, which the mmu notifier
 * names. So that whatever is asked, the cost is that of the slots in the answer.
 *
 * Pure: no locks, no allocation, compiles in userspace. memory.c owns the map
 * of a VM and who may look at it when.
 */
#include "mem/memslot.h"

#define by_id(node)	rb_entry(node, struct vtx_memslot, by_id)
#define by_hva(node)	container_of(node, struct vtx_memslot, by_hva)

/**
 * vtx_memmap_init() - begin with no slot
 * @map: the map
 */
void vtx_memmap_init(struct vtx_memmap *map)
{
	*map = (struct vtx_memmap){
		.by_gfn = RB_ROOT, .by_id = RB_ROOT, .by_hva = RB_ROOT_CACHED,
	};
}

/**
 * vtx_memmap_find() - the slot that has a guest page
 * @map: the map
 * @gfn: guest page number
 *
 * Return: the slot, or NULL.
 */
struct vtx_memslot *vtx_memmap_find(const struct vtx_memmap *map, u64 gfn)
{
	struct rb_node *node = map->by_gfn.rb_node;

	while (node) {
		struct vtx_memslot *s = rb_entry(node, struct vtx_memslot, by_gfn);

		if (gfn < s->gfn)
			node = node->rb_left;
		else if (gfn - s->gfn >= s->npages)
			node = node->rb_right;
		else
			return s;
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
struct vtx_memslot *vtx_memmap_find_id(const struct vtx_memmap *map, u32 id)
{
	struct rb_node *node = map->by_id.rb_node;

	while (node) {
		struct vtx_memslot *s = by_id(node);

		if (id == s->id)
			return s;
		node = id < s->id ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/* The first slot that ends behind @gfn. */
static struct vtx_memslot *first_behind(const struct vtx_memmap *map, u64 gfn)
{
	struct rb_node *node = map->by_gfn.rb_node;
	struct vtx_memslot *first = NULL;

	while (node) {
		struct vtx_memslot *s = rb_entry(node, struct vtx_memslot, by_gfn);

		if (s->gfn + s->npages > gfn) {
			first = s;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return first;
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
	const struct vtx_memslot *s;

	for (s = first_behind(map, slot->gfn); s; s = vtx_memmap_next(s)) {
		if (s->gfn >= slot->gfn + slot->npages)
			return false;
		if (s->id != slot->id)
			return true;
	}
	return false;
}

static bool gfn_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct vtx_memslot, by_gfn)->gfn <
	       rb_entry(b, struct vtx_memslot, by_gfn)->gfn;
}

static bool id_less(struct rb_node *a, const struct rb_node *b)
{
	return by_id(a)->id < by_id(b)->id;
}

/**
 * vtx_memmap_add() - put a slot into a map
 * @map:  the map
 * @slot: overlaps none, and none has its number
 */
void vtx_memmap_add(struct vtx_memmap *map, struct vtx_memslot *slot)
{
	slot->by_hva.start = slot->hva;
	slot->by_hva.last = slot->hva + (slot->npages << 12) - 1;
	rb_add(&slot->by_gfn, &map->by_gfn, gfn_less);
	rb_add(&slot->by_id, &map->by_id, id_less);
	interval_tree_insert(&slot->by_hva, &map->by_hva);
	map->n++;
	map->npages += slot->npages;
}

/**
 * vtx_memmap_remove() - take a slot out of a map
 * @map:  the map
 * @slot: is in it
 */
void vtx_memmap_remove(struct vtx_memmap *map, struct vtx_memslot *slot)
{
	rb_erase(&slot->by_gfn, &map->by_gfn);
	rb_erase(&slot->by_id, &map->by_id);
	interval_tree_remove(&slot->by_hva, &map->by_hva);
	map->n--;
	map->npages -= slot->npages;
}

/**
 * vtx_memmap_first_hva() - the first slot with memory of a range of the process
 * @map:   the map
 * @start: address
 * @end:   the one behind the range
 *
 * Return: the slot whose memory begins lowest, or NULL.
 */
struct vtx_memslot *vtx_memmap_first_hva(struct vtx_memmap *map, unsigned long start,
					 unsigned long end)
{
	struct interval_tree_node *node =
		start < end ? interval_tree_iter_first(&map->by_hva, start, end - 1) : NULL;

	return node ? by_hva(node) : NULL;
}

/**
 * vtx_memmap_next_hva() - the next one
 * @slot:  from vtx_memmap_first_hva(), or from here
 * @start: as there
 * @end:   as there
 *
 * Return: the slot, or NULL.
 */
struct vtx_memslot *vtx_memmap_next_hva(struct vtx_memslot *slot, unsigned long start,
					unsigned long end)
{
	struct interval_tree_node *node = interval_tree_iter_next(&slot->by_hva, start, end - 1);

	return node ? by_hva(node) : NULL;
}
