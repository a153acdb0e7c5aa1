// SPDX-License-Identifier: GPL-2.0
/*
 * The memory map against a reference model that knows, for each page of a small
 * guest-physical space, which slot has it, and by a look at all slots. STEPS random
 * operations (10^6).
 */
#include <string.h>

#include "mem/memslot.h"
#include "tap.h"

#define PAGES	(3 * VTX_NR_MEMSLOTS)	/* of the model's guest-physical space */
#define CROWDED	2048		/* of them in use, and as many of the process's, */
#define IDS	512		/* by so many slot numbers, where slots are to collide */
#define HIGH	0x800000000ULL	/* its first page, in every other run */
#define LONGEST	64

static struct vtx_memmap map;
static unsigned int ids;	/* numbers in use are below it */
static u64 base;
static int owner[PAGES];	/* slot number of each page, -1: none */
static struct vtx_memslot model[VTX_NR_MEMSLOTS];	/* npages 0: not there */
static unsigned long failures;

static void wrong(const char *what, u64 at)
{
	if (failures++ < 10)
		printf("# %s at %#llx\n", what, (unsigned long long)at);
}

static void put(u32 id, const struct vtx_memslot *slot)
{
	struct vtx_memslot *old = vtx_memmap_find_id(&map, id), *new;

	if (old) {
		vtx_memmap_remove(&map, old);
		for (u64 i = 0; i < old->npages; i++)
			owner[old->gfn - base + i] = -1;
		free(old);
	}
	model[id].npages = 0;
	if (!slot)
		return;
	new = malloc(sizeof(*new));
	*new = *slot;
	vtx_memmap_add(&map, new);
	model[id] = *slot;
	for (u64 i = 0; i < slot->npages; i++)
		owner[slot->gfn - base + i] = id;
}

static void forget_all(void)
{
	vtx_memmap_init(&map);
	memset(owner, -1, sizeof(owner));
	memset(model, 0, sizeof(model));
}

static void remove_all(void)
{
	for (u32 id = 0; id < ids; id++)
		put(id, NULL);
	if (map.n || map.npages || map.by_gfn.rb_node || map.by_id.rb_node)
		wrong("a map without slots that is not empty", map.n);
}

static void check_page(u64 page)
{
	struct vtx_memslot *s = vtx_memmap_find(&map, base + page);
	int id = page < PAGES ? owner[page] : -1;

	if (id < 0 ? !!s : !s || s->id != id)
		wrong("another slot than the model's", base + page);
	else if (s && vtx_memslot_hva(s, base + page) !=
		 model[id].hva + ((base + page - model[id].gfn) << 12))
		wrong("another address than the model's", base + page);
}

static void check_id(u32 id)
{
	struct vtx_memslot *s = vtx_memmap_find_id(&map, id);

	if (!model[id].npages ? !!s :
	    !s || s->id != id || s->gfn != model[id].gfn || s->npages != model[id].npages)
		wrong("another slot under this number", id);
}

/* By address: each slot of the range once, in order, and no other. */
static void check_range(unsigned long start, unsigned long end)
{
	unsigned long expected = 0, seen = 0, low = 0;
	struct vtx_memslot *s;

	for (u32 id = 0; id < ids; id++)
		expected += model[id].npages && model[id].hva < end &&
			    model[id].hva + model[id].npages * 4096 > start;
	vtx_for_each_memslot_hva(s, &map, start, end) {
		if (s->hva >= end || s->hva + s->npages * 4096 <= start || s->hva < low)
			wrong("a slot that is not in the range", start);
		low = s->hva;
		seen++;
	}
	if (seen != expected)
		wrong("number of slots in the range", start);
}

static void check_order(void)
{
	unsigned int there = 0, seen = 0;
	struct vtx_memslot *s, *next;
	u64 pages = 0;

	vtx_for_each_memslot(s, &map) {
		next = vtx_memmap_next(s);
		if (next && s->gfn + s->npages > next->gfn)
			wrong("out of order", s->gfn);
		seen++;
		pages += s->npages;
	}
	for (u32 id = 0; id < ids; id++) {
		there += model[id].npages != 0;
		check_id(id);
	}
	if (there != map.n || seen != map.n || pages != map.npages)
		wrong("number of slots", map.n);
	check_range(0, ~0UL);
	if (vtx_memmap_first_hva(&map, 5, 5))
		wrong("a slot in no range", 5);
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
	u32 id = next_random(seed) % IDS;
	u64 npages = 1 + next_random(seed) % (next_random(seed) % 8 ? 4 : LONGEST);
	struct vtx_memslot slot = {
		.id = id, .npages = npages,
		.gfn = base + next_random(seed) % (CROWDED - npages + 1),
		.hva = 0x10000000 + (next_random(seed) % CROWDED) * 4096,
	};

	if (model[id].npages && next_random(seed) % 3 == 0) {
		put(id, NULL);
		removed++;
	} else {
		bool overlaps = model_overlaps(&slot);

		if (vtx_memmap_overlaps(&map, &slot) != overlaps)
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
	check_page(next_random(seed) % CROWDED);
}

static void walk(u64 from, unsigned long steps, unsigned long seed)
{
	base = from;
	ids = IDS;
	forget_all();
	placed = refused = removed = 0;
	for (unsigned long i = 0; i < steps; i++) {
		step(&seed);
		if (i % 64 == 0) {
			unsigned long start = 0x10000000 +
					      next_random(&seed) % (CROWDED * 4096);

			check_range(start, start + 1 + next_random(&seed) % (LONGEST * 4096));
		}
		if (i % 1024 == 0)
			check_order();
	}
	check_page(PAGES);
	if (vtx_memmap_find(&map, ~0ULL >> 12) || (base && vtx_memmap_find(&map, base - 1)))
		wrong("a slot outside the model's space", base);
	remove_all();
	printf("# %lu placed, %lu refused, %lu removed\n", placed, refused, removed);
	tap_ok(!failures && placed > steps / 10 && refused > steps / 10 && removed > steps / 10,
	       "memslot %lu random operations from page %#llx", steps, (unsigned long long)base);
	failures = 0;
}

static void full_map(void)
{
	base = 0;
	ids = VTX_NR_MEMSLOTS;
	forget_all();
	for (u32 id = 0; id < VTX_NR_MEMSLOTS; id++)
		put(id, &(struct vtx_memslot){ .id = id, .gfn = (VTX_NR_MEMSLOTS - 1 - id) * 3,
					       .npages = 2, .hva = id * 0x10000UL });
	for (u64 page = 0; page < PAGES; page++)
		check_page(page);
	check_order();
	tap_ok(!failures && map.n == VTX_NR_MEMSLOTS, "memslot all %d slots", VTX_NR_MEMSLOTS);
	remove_all();
	tap_ok(!failures, "memslot none of them is left");
	failures = 0;
}

int main(void)
{
	unsigned long steps = env_number("STEPS", 1000000), seed = env_number("SEED", 1);

	full_map();
	walk(0, steps / 2, seed);
	walk(HIGH, steps / 2, seed + 1);
	return tap_finish();
}
