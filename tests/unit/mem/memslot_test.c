// SPDX-License-Identifier: GPL-2.0
/*
 * The memory map against a reference model that knows, for each page of a small
 * guest-physical space, which slot has it. STEPS random operations (10^6).
 */
#include <string.h>

#include "mem/memslot.h"
#include "tap.h"

#define PAGES	2048		/* of the model's guest-physical space */
#define HIGH	0x800000000ULL	/* its first page, in every other run */
#define LONGEST	64

static struct vtx_memmap *map;
static u64 base;
static int owner[PAGES];	/* slot number of each page, -1: none */
static struct vtx_memslot model[VTX_NR_MEMSLOTS];	/* npages 0: not there */
static unsigned long failures;

static void wrong(const char *what, u64 at)
{
	if (failures++ < 10)
		printf("# %s at %#llx\n", what, (unsigned long long)at);
}

static struct vtx_memmap *new_map(unsigned int slots)
{
	return calloc(1, sizeof(struct vtx_memmap) + slots * sizeof(struct vtx_memslot));
}

static void put(u32 id, const struct vtx_memslot *slot)
{
	struct vtx_memmap *to = new_map(map->n + 1);

	vtx_memmap_replace(to, map, id, slot);
	free(map);
	map = to;
	for (int i = 0; i < PAGES; i++)
		if (owner[i] == id)
			owner[i] = -1;
	model[id].npages = 0;
	if (!slot)
		return;
	model[id] = *slot;
	for (u64 i = 0; i < slot->npages; i++)
		owner[slot->gfn - base + i] = id;
}

static void check_page(u64 page)
{
	struct vtx_memslot *s = vtx_memmap_find(map, base + page);
	int id = page < PAGES ? owner[page] : -1;

	if (id < 0 ? !!s : !s || s->id != id)
		wrong("another slot than the model's", base + page);
	else if (s && vtx_memslot_hva(s, base + page) !=
		 model[id].hva + ((base + page - model[id].gfn) << 12))
		wrong("another address than the model's", base + page);
}

static void check_id(u32 id)
{
	struct vtx_memslot *s = vtx_memmap_find_id(map, id);

	if (!model[id].npages ? !!s :
	    !s || s->id != id || s->gfn != model[id].gfn || s->npages != model[id].npages)
		wrong("another slot under this number", id);
}

static void check_order(void)
{
	unsigned int there = 0;

	for (unsigned int i = 0; i + 1 < map->n; i++)
		if (map->slot[i].gfn + map->slot[i].npages > map->slot[i + 1].gfn)
			wrong("out of order", i);
	for (u32 id = 0; id < VTX_NR_MEMSLOTS; id++) {
		there += model[id].npages != 0;
		check_id(id);
	}
	if (there != map->n)
		wrong("number of slots", map->n);
}

static bool model_overlaps(const struct vtx_memslot *slot)
{
	for (u64 i = 0; i < slot->npages; i++) {
		int id = owner[slot->gfn - base + i];

		if (id >= 0 && id != slot->id)
			return true;
	}
	return false;
}

/* Counts of what happened: a walk that never collides would show little. */
static unsigned long placed, refused, removed;

static void step(unsigned long *seed)
{
	u32 id = next_random(seed) % VTX_NR_MEMSLOTS;
	u64 npages = 1 + next_random(seed) % (next_random(seed) % 8 ? 4 : LONGEST);
	struct vtx_memslot slot = {
		.id = id, .npages = npages,
		.gfn = base + next_random(seed) % (PAGES - npages + 1),
		.hva = 0x10000000 + (next_random(seed) % 0x100000) * 4096,
	};

	if (model[id].npages && next_random(seed) % 3 == 0) {
		put(id, NULL);
		removed++;
	} else {
		bool overlaps = model_overlaps(&slot);

		if (vtx_memmap_overlaps(map, &slot) != overlaps)
			wrong("overlap", slot.gfn);
		if (overlaps)
			refused++;
		else
			put(id, &slot);
		placed += !overlaps;
	}
	check_id(id);
	check_page(slot.gfn - base);
	check_page(slot.gfn - base + npages - 1);
	check_page(next_random(seed) % PAGES);
}

static void walk(u64 from, unsigned long steps, unsigned long seed)
{
	base = from;
	map = new_map(0);
	memset(owner, -1, sizeof(owner));
	memset(model, 0, sizeof(model));
	placed = refused = removed = 0;
	for (unsigned long i = 0; i < steps; i++) {
		step(&seed);
		if (i % 1024 == 0)
			check_order();
	}
	check_page(PAGES);
	if (vtx_memmap_find(map, ~0ULL >> 12) || (base && vtx_memmap_find(map, base - 1)))
		wrong("a slot outside the model's space", base);
	printf("# %lu placed, %lu refused, %lu removed\n", placed, refused, removed);
	tap_ok(!failures && placed > steps / 10 && refused > steps / 10 && removed > steps / 10,
	       "memslot %lu random operations from page %#llx", steps, (unsigned long long)base);
	free(map);
	failures = 0;
}

static void full_map(void)
{
	map = new_map(0);
	base = 0;
	memset(owner, -1, sizeof(owner));
	memset(model, 0, sizeof(model));
	for (u32 id = 0; id < VTX_NR_MEMSLOTS; id++)
		put(id, &(struct vtx_memslot){ .id = id, .gfn = (VTX_NR_MEMSLOTS - 1 - id) * 3,
					       .npages = 2, .hva = id * 0x10000UL });
	for (u64 page = 0; page < PAGES; page++)
		check_page(page);
	check_order();
	tap_ok(!failures && map->n == VTX_NR_MEMSLOTS, "memslot all %d slots", VTX_NR_MEMSLOTS);
	free(map);
}

int main(void)
{
	unsigned long steps = env_number("STEPS", 1000000), seed = env_number("SEED", 1);

	full_map();
	walk(0, steps / 2, seed);
	walk(HIGH, steps / 2, seed + 1);
	return tap_finish();
}
