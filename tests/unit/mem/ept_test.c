// SPDX-License-Identifier: GPL-2.0
/*
 * ept.c, unchanged, against a flat map of a small guest-physical space: after
 * each operation the tables give what the map says, no more and no less. Every
 * store into a table is watched: a present entry changes its address by way of
 * 0 only. The guest's writes race with changes of their entries. No table is freed
 * before the flush, and none stays when nothing is mapped. STEPS random operations
 * (400,000).
 */
#include <string.h>

#include "mem/ept.h"
#include "mem/ept_entry.h"
#include "tap.h"

#include <linux/mm.h>

/* Pages of the model, over 2 GBytes and over a 512-GByte boundary. */
#define BLOCK		512
#define NR_BLOCKS	6
#define PAGES		(BLOCK * NR_BLOCKS)
#define FIRST		((1ULL << 27) - 3 * BLOCK)

#define HOST		0x100000000ULL	/* no memory is behind these */

struct want {
	u64 phys;
	u64 rights;
};

/* What the guest has written to and nobody has asked for; and what ept.c says. */
static bool written[PAGES];
static unsigned long bitmap[PAGES / 64];
static const struct vtx_ept_log log = { bitmap, FIRST };

static struct want flat[PAGES];
static struct vtx_ept ept;
static struct vtx_ept_spare spare;
static long pages_out;
static bool unflushed;		/* CPUs may walk what was taken out */
static unsigned long failures, refused, harvests, ages;

static void wrong(const char *what, u64 at)
{
	if (failures++ < 10)
		printf("# %s at %#llx\n", what, (unsigned long long)at);
}

unsigned long get_zeroed_page(unsigned int flags)
{
	void *page = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);

	memset(page, 0, PAGE_SIZE);
	pages_out++;
	return (unsigned long)page;
}

void free_page(unsigned long address)
{
	pages_out--;
	if (unflushed)
		wrong("a table is freed before the flush", address);
	free((void *)address);
}

void unit_warn(const char *what)
{
	wrong(what, 0);
}

void unit_store(u64 *at, u64 value)
{
	u64 old = *at;

	if ((old & VTX_EPT_RWX) && (value & VTX_EPT_RWX) &&
	    ((old ^ value) & (VTX_EPT_ADDR | VTX_EPT_LARGE)))
		wrong("a present entry points elsewhere", old);
	if (value && !(value & VTX_EPT_RWX))
		wrong("an entry that is not present is not 0", value);
	if ((value & VTX_EPT_RWX) == VTX_EPT_W)
		wrong("writable but not readable", value);
	*at = value;
}

/* What the CPU would find: SDM vol. 3 "EPT Translation Mechanism". */
static struct want translate(gfn_t gfn)
{
	u64 *table = ept.root, entry, rights = VTX_EPT_RWX;
	struct want none = { 0 };

	for (unsigned int shift = 27; ; shift -= 9) {
		entry = table[gfn >> shift & 511];
		if (!(entry & VTX_EPT_RWX))
			return none;
		rights &= entry;
		if (!shift || (entry & VTX_EPT_LARGE)) {
			u64 below = gfn & ((1ULL << shift) - 1);

			if ((entry >> 3 & 0xf) != (6 | 1 << 3))
				wrong("memory type", entry);
			if (shift && (entry & ((1ULL << (shift + 12)) - 1) & VTX_EPT_ADDR))
				wrong("reserved bits of a large page", entry);
			return (struct want){ (entry & VTX_EPT_ADDR) + (below << 12), rights };
		}
		table = (u64 *)(entry & VTX_EPT_ADDR);
	}
}

static bool large_at(unsigned int block)
{
	u64 *table = ept.root, entry = 0;
	gfn_t gfn = FIRST + block * BLOCK;

	for (int shift = 27; shift >= 9; shift -= 9) {
		entry = table[gfn >> shift & 511];
		if (!(entry & VTX_EPT_RWX))
			return false;
		table = (u64 *)(entry & VTX_EPT_ADDR);
	}
	return entry & VTX_EPT_LARGE;
}

static void compare(void)
{
	unsigned long large = 0;

	for (unsigned int i = 0; i < PAGES; i++) {
		struct want is = translate(FIRST + i);

		if (is.phys != flat[i].phys || is.rights != flat[i].rights)
			wrong("another translation than the map's", FIRST + i);
	}
	for (unsigned int block = 0; block < NR_BLOCKS; block++)
		large += large_at(block);
	if (large != atomic64_read(&vtx_ept_count.large))
		wrong("count of large pages", large);
}

static u64 *leaf(gfn_t gfn)
{
	u64 *table = ept.root;

	for (int shift = 27; ; shift -= 9) {
		u64 *entry = &table[gfn >> shift & 511];

		if (!(*entry & VTX_EPT_RWX))
			return NULL;
		if (!shift || (*entry & VTX_EPT_LARGE))
			return entry;
		table = (u64 *)(*entry & VTX_EPT_ADDR);
	}
}

/* The guest uses a page: the CPU sets the flags of its leaf. */
static void use(unsigned int i, bool write)
{
	u64 *entry = leaf(FIRST + i);

	if (!entry || (write && !(*entry & VTX_EPT_W)))
		return;
	*entry |= VTX_EPT_A | (write ? VTX_EPT_D : 0);
	if (write && !(*entry & VTX_EPT_LARGE))
		written[i] = true;
}

/* A page that the guest writes to just when ept.c changes its entry. */
static unsigned int racer;
static unsigned long races;

void unit_race(u64 *at)
{
	u64 before = *at;

	if (leaf(FIRST + racer) != at)
		return;
	use(racer, true);
	races += *at != before;
}

/* Forget the whole block, as ept.c does with a large page. */
static void forget(unsigned int block)
{
	memset(&flat[block * BLOCK], 0, BLOCK * sizeof(flat[0]));
}

static unsigned long maps, larges, fills, flushes, zaps, protects, gone;

static void model_map(unsigned int i, u64 phys, u64 rights, unsigned int level)
{
	unsigned int n = level == 2 ? BLOCK : 1;

	i &= ~(n - 1);
	for (unsigned int k = 0; k < n; k++) {
		flat[i + k].phys = phys + k * PAGE_SIZE;
		flat[i + k].rights |= rights | VTX_EPT_R;
	}
}

static bool block_empty(unsigned int block)
{
	for (unsigned int k = 0; k < BLOCK; k++)
		if (flat[block * BLOCK + k].rights)
			return false;
	return true;
}

static void map(unsigned int i, u64 phys, u64 rights, unsigned int level)
{
	unsigned int block = i / BLOCK;

	for (int tries = 0; tries < 4; tries++) {
		bool large = large_at(block);
		enum vtx_ept_result r;

		r = vtx_ept_map(&ept, FIRST + i, phys, rights, level, &spare);
		switch (r) {
		case VTX_EPT_MAPPED:
			/* A large page that gives this already may stay. */
			if (!(level == 1 && large))
				model_map(i, phys, rights, level);
			maps++;
			larges += level == 2;
			return;
		case VTX_EPT_FLUSH:
			flushes++;
			if (large)
				forget(block);
			else if (level == 1)
				memset(&flat[i], 0, sizeof(flat[i]));
			else
				wrong("nothing was there to flush", FIRST + i);
			/* fault.c notes the page in place of looking what it held. */
			if (level == 1 && !large && written[i])
				bitmap[i / 64] |= 1UL << i % 64;
			compare();
			break;
		case VTX_EPT_NO_SPARE:
			if (spare.n)
				wrong("refused with a table left", spare.n);
			vtx_ept_spare_fill(&spare);
			break;
		case VTX_EPT_NO_LARGE:
			if (level != 2 || large || block_empty(block))
				wrong("refused a large page", FIRST + i);
			refused++;
			return;
		}
	}
	wrong("comes again and again", FIRST + i);
}

/* As fault.c does around a page that it has just mapped. */
static void fill(unsigned int i, u64 phys, u64 rights)
{
	unsigned int first = i & ~31U, expect = 0, mapped;
	u64 pages[32];

	map(i, phys + i * PAGE_SIZE, rights, 1);
	for (unsigned int k = 0; k < 32; k++) {
		pages[k] = (phys + (first + k) * PAGE_SIZE) | rights;
		if (large_at(i / BLOCK) || flat[first + k].rights)
			continue;
		model_map(first + k, vtx_ept_addr(pages[k]), rights, 1);
		expect++;
	}
	mapped = vtx_ept_fill(&ept, FIRST + first, pages, 32);
	if (mapped != expect)
		wrong("another number of neighbours", mapped);
	fills += mapped;
}

/* Large pages in a range go. Return: there were any. */
static bool forget_large(unsigned int first, unsigned int end, bool writable_only)
{
	bool any = false;

	for (unsigned int block = 0; block < NR_BLOCKS; block++) {
		unsigned int from = max(first, block * BLOCK), to = min(end, (block + 1) * BLOCK);

		if (from >= to || !large_at(block))
			continue;
		if (writable_only && !(flat[block * BLOCK].rights & VTX_EPT_W))
			continue;
		forget(block);
		any = true;
	}
	return any;
}

/* Each small page that was written to has its bit when nothing is left to ask. */
static void harvest(unsigned int first, unsigned int end)
{
	forget_large(first, end, true);
	vtx_ept_harvest(&ept, FIRST + first, FIRST + end, &log);
	for (unsigned int i = first; i < end; i++) {
		bool bit = bitmap[i / 64] >> i % 64 & 1;
		u64 *entry = leaf(FIRST + i);

		if (bit != written[i])
			wrong(bit ? "dirty without a write" : "a write is lost", FIRST + i);
		written[i] = false;
		bitmap[i / 64] &= ~(1UL << i % 64);
		if (entry && !(*entry & VTX_EPT_LARGE) && (*entry & VTX_EPT_D))
			wrong("still dirty", FIRST + i);
	}
	harvests++;
}

/* The flush: nothing was stored meanwhile into tables that CPUs may walk. */
static void flush(void)
{
	struct page *page;

	list_for_each_entry(page, &ept.gone, lru) {
		const u64 *table = page_address(page);

		for (unsigned int i = 0; i < VTX_EPT_ENTRIES; i++)
			if (table[i])
				wrong("a table that was taken out is not empty", table[i]);
		gone++;
	}
	unflushed = false;
	vtx_ept_free_gone(&ept);
}

static void take(unsigned int first, unsigned int end, bool protect)
{
	bool expect = forget_large(first, end, protect), changed;

	for (unsigned int i = first; i < end; i++) {
		u64 old = flat[i].rights;

		flat[i].rights = protect ? old & ~VTX_EPT_W : 0;
		if (!flat[i].rights)
			flat[i].phys = 0;
		expect |= flat[i].rights != old;
	}
	unflushed = true;
	if (protect)
		changed = vtx_ept_protect(&ept, FIRST + first, FIRST + end, &log);
	else
		changed = vtx_ept_zap(&ept, FIRST + first, FIRST + end, &log);
	if (changed != (expect || !list_empty(&ept.gone)))
		wrong("says something else of what it changed", FIRST + first);
	flush();
	if (!protect && first == 0 && end == PAGES && pages_out != 1 + spare.n)
		wrong("tables are left where nothing is mapped", pages_out);
	zaps += !protect;
	protects += protect;
}

/* Used once: young once, and young for who only looks until then. */
static void age(unsigned int i)
{
	bool mapped = leaf(FIRST + i);

	use(i, false);
	if (vtx_ept_young(&ept, FIRST + i) != mapped || vtx_ept_young(&ept, FIRST + i) != mapped)
		wrong("looking is wrong", FIRST + i);
	if (vtx_ept_age(&ept, FIRST + i, FIRST + i + 1) != mapped)
		wrong("used, and not young", FIRST + i);
	if (vtx_ept_young(&ept, FIRST + i) || vtx_ept_age(&ept, FIRST + i, FIRST + i + 1))
		wrong("young twice", FIRST + i);
	ages++;
}

static void step(unsigned long *seed)
{
	unsigned int i = next_random(seed) % PAGES, n = 1, end;
	unsigned int block = next_random(seed) % 3;	/* two or three pages compete */
	u64 rights = next_random(seed) & (VTX_EPT_W | VTX_EPT_X);
	u64 phys = HOST + block * 0x40000000ULL;

	if (next_random(seed) % 4 == 0)
		n += next_random(seed) % (2 * BLOCK);
	end = min(PAGES, i + n);
	racer = i + next_random(seed) % (end - i);
	switch (next_random(seed) % 16) {
	case 0 ... 1:
		fill(i, phys, rights);
		break;
	case 2 ... 8:
		map(i, phys + i * PAGE_SIZE, rights, 1);
		break;
	case 9 ... 11:
		map(i, phys + (i & ~(BLOCK - 1U)) * PAGE_SIZE, rights, 2);
		break;
	case 12:
		take(i, end, true);
		break;
	case 13:
		for (unsigned int k = 0; k < 64; k++)
			use(next_random(seed) % PAGES, next_random(seed) % 2);
		if (next_random(seed) % 8 == 0)
			harvest(i, end);
		else if (next_random(seed) % 8 == 0)
			age(i);
		break;
	case 14:
		take(i, end, false);
		break;
	default:
		take(0, PAGES, next_random(seed) % 2);
	}
}

static void walk(unsigned long steps, unsigned long seed)
{
	unsigned long splits;

	if (vtx_ept_init(&ept, true) || vtx_ept_spare_fill(&spare))
		wrong("out of memory", 0);
	for (unsigned long i = 0; i < steps && !failures; i++) {
		step(&seed);
		if (i % 16 == 0)
			compare();
		if (next_random(&seed) % 4 == 0)
			vtx_ept_spare_fill(&spare);
	}
	harvest(0, PAGES);
	compare();
	splits = atomic64_read(&vtx_ept_count.splits);
	vtx_ept_destroy(&ept);
	vtx_ept_spare_free(&spare);
	if (atomic64_read(&vtx_ept_count.large))
		wrong("large pages are left", atomic64_read(&vtx_ept_count.large));
	printf("# %lu maps (%lu large, %lu not possible) and %lu around, %lu by way of a flush, %lu splits, "
	       "%lu zaps, %lu protects, %lu harvests, %lu ages, %lu races, %lu tables gone\n",
	       maps, larges, refused, fills, flushes, splits, zaps, protects, harvests, ages,
	       races, gone);
	tap_ok(!failures && gone > steps / 100 && races > steps / 100 && larges > steps / 100 && flushes > steps / 100 &&
	       splits > steps / 100, "ept %lu random operations against a flat map", steps);
	tap_ok(!pages_out && !atomic64_read(&vtx_ept_count.tables), "ept gives all tables back");
}

/* An address of each kind lands in the entries that the SDM's figure says. */
static void geometry(void)
{
	static const gfn_t gfns[] = { 0, 1, 511, 512, 513, 1ULL << 18, (1ULL << 27) - 1,
				      1ULL << 27, (1ULL << 36) - 1, 0x123456789ULL };

	vtx_ept_init(&ept, true);
	for (int i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++) {
		u64 *table = ept.root;

		vtx_ept_spare_fill(&spare);
		if (vtx_ept_map(&ept, gfns[i], HOST + i * PAGE_SIZE, VTX_EPT_W, 1, &spare))
			wrong("not mapped", gfns[i]);
		for (int bit = 39; bit > 12; bit -= 9)
			table = (u64 *)(table[(gfns[i] << 12) >> bit & 0x1ff] & VTX_EPT_ADDR);
		if (table[gfns[i] & 0x1ff] != ((HOST + i * PAGE_SIZE) | 0x73))
			wrong("another entry", gfns[i]);
	}
	if (ept.eptp != ((u64)ept.root | 0x5e))
		wrong("EPTP", ept.eptp);
	vtx_ept_destroy(&ept);
	vtx_ept_spare_free(&spare);
	tap_ok(!failures, "ept geometry");
}

int main(void)
{
	geometry();
	walk(env_number("STEPS", 400000), env_number("SEED", 1));
	return tap_finish();
}
