// SPDX-License-Identifier: GPL-2.0
/*
 * ept.c - EPT paging structures: find an entry, change it, take it away
 *
 * Owns the pages of the structures. Does not own the pages of guest memory,
 * nor the decision to flush: functions that take a permission away say so and
 * the caller calls vtx_mm_flush() before anything is reused.
 *
 * Locking: vm->ept_lock around everything but init, destroy and the spares.
 */
#include "mem/ept.h"

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "mem/ept_entry.h"

static_assert(PAGE_SHIFT + VTX_EPT_LEVELS * VTX_EPT_BITS == VTX_EPT_GPA_BITS);
static_assert(VTX_EPT_ENTRIES * sizeof(u64) == PAGE_SIZE);
static_assert(VTX_EPT_LEVELS == 1 + VTX_EPT_SPARE);

struct vtx_ept_counters vtx_ept_count;

static u64 *table_of(u64 entry)
{
	return __va(vtx_ept_addr(entry));
}

/*
 * The only writer of entries: takes bits away and adds some. The CPU walks the
 * tables while they change, and sets accessed and dirty flags: what it sets
 * meanwhile is kept, or is in the old entry. A present entry is cleared and
 * flushed before it points elsewhere.
 *
 * Return: the old entry.
 */
static __always_inline u64 change_entry(u64 *entry, u64 clear, u64 add)
{
	u64 old = READ_ONCE(*entry), new;

	do {
		new = (old & ~clear) | add;
	} while (new != old && !try_cmpxchg(entry, &old, new));

	WARN_ON_ONCE(vtx_ept_present(old) && vtx_ept_present(new) &&
		     ((old ^ new) & (VTX_EPT_ADDR | VTX_EPT_LARGE)));
	if (unlikely((old ^ new) & VTX_EPT_LARGE))
		atomic64_add(new & VTX_EPT_LARGE ? 1 : -1, &vtx_ept_count.large);
	return old;
}

static u64 clear_entry(u64 *entry)
{
	return change_entry(entry, ~0ULL, 0);
}

/*
 * The only walk to one page: to the entry of level @to that covers it, or to the
 * entry above where there is no table for that. @level: of what was found.
 */
static u64 *find_entry(const struct vtx_ept *ept, gfn_t gfn, unsigned int to,
		       unsigned int *level)
{
	u64 *table = ept->root, *entry;
	unsigned int l;

	for (l = VTX_EPT_LEVELS; ; l--) {
		entry = &table[vtx_ept_index(gfn, l)];
		if (l == to || !vtx_ept_present(*entry) || vtx_ept_is_leaf(*entry, l))
			break;
		table = table_of(*entry);
	}
	*level = l;
	return entry;
}

static u64 *alloc_table(void)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		atomic64_inc(&vtx_ept_count.tables);
	return table;
}

static void free_table(u64 *table)
{
	atomic64_dec(&vtx_ept_count.tables);
	free_page((unsigned long)table);
}

/**
 * vtx_ept_init() - make an empty set of tables
 * @ept: zeroed structure
 * @ad:  the CPU is to set accessed and dirty flags
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_ept_init(struct vtx_ept *ept, bool ad)
{
	INIT_LIST_HEAD(&ept->gone);
	ept->root = alloc_table();
	if (!ept->root)
		return -ENOMEM;
	ept->eptp = vtx_eptp(__pa(ept->root), ad);
	return 0;
}

static void free_tree(u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level > 1 && i < VTX_EPT_ENTRIES; i++) {
		if (!vtx_ept_present(table[i]))
			continue;
		if (vtx_ept_is_leaf(table[i], level))
			clear_entry(&table[i]);
		else
			free_tree(table_of(table[i]), level - 1);
	}
	free_table(table);
	if (level == 2)
		cond_resched();
}

/**
 * vtx_ept_destroy() - free all tables
 * @ept: the tables; no vCPU will enter with them again
 *
 * CPUs may still hold translations of this root. They can't be used before a
 * root in the same page is entered, and tlb.c flushes before a first entry.
 *
 * Context: may sleep.
 */
void vtx_ept_destroy(struct vtx_ept *ept)
{
	if (ept->root)
		free_tree(ept->root, VTX_EPT_LEVELS);
	ept->root = NULL;
}

/**
 * vtx_ept_free_gone() - free the tables that were taken out
 * @ept: the tables; CPUs were flushed since, and walk those no more
 */
void vtx_ept_free_gone(struct vtx_ept *ept)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &ept->gone, lru)
		free_table(page_address(page));
	INIT_LIST_HEAD(&ept->gone);
}

/**
 * vtx_ept_spare_fill() - have pages in reserve for one vtx_ept_map() and more
 * @spare: the reserve
 *
 * Context: may sleep, before ept_lock is taken.
 * Return: 0, -ENOMEM.
 */
int vtx_ept_spare_fill(struct vtx_ept_spare *spare)
{
	while (spare->n < VTX_EPT_RESERVE) {
		u64 *table = alloc_table();

		if (!table)
			return -ENOMEM;
		spare->table[spare->n++] = table;
	}
	return 0;
}

/**
 * vtx_ept_spare_free() - give the reserve back
 * @spare: the reserve
 */
void vtx_ept_spare_free(struct vtx_ept_spare *spare)
{
	while (spare->n)
		free_table(spare->table[--spare->n]);
}

/* Make a leaf, or an entry that is empty, give what is asked for. */
static enum vtx_ept_result set_leaf(u64 *entry, u64 new)
{
	if (vtx_ept_present(*entry) && vtx_ept_addr(*entry) != vtx_ept_addr(new)) {
		clear_entry(entry);
		return VTX_EPT_FLUSH;
	}
	/* Another vCPU may have got more rights meanwhile: they stay. */
	change_entry(entry, 0, new);
	return VTX_EPT_MAPPED;
}

/* A large page stands where a table is needed. */
static enum vtx_ept_result split(u64 *entry, gfn_t gfn, hpa_t phys, u64 rights)
{
	u64 offset = (gfn & (vtx_ept_span(2) - 1)) << PAGE_SHIFT;

	if (vtx_ept_addr(*entry) + offset == phys && !(rights & ~*entry))
		return VTX_EPT_MAPPED;
	clear_entry(entry);
	atomic64_inc(&vtx_ept_count.splits);
	return VTX_EPT_FLUSH;
}

/**
 * vtx_ept_map() - let the guest reach a page
 * @ept:	the tables
 * @gfn:	guest page, below 2^36; of a large page, any
 * @phys:	host page; of a large page, its first
 * @rights:	VTX_EPT_W, VTX_EPT_X; it can always be read
 * @level:	1: 4 KBytes, 2: 2 MBytes
 * @spare:	pages for missing tables
 *
 * SDM vol. 3 "Operations that Invalidate Cached Mappings": an EPT violation
 * drops what the CPU holds for the address, so adding permissions needs no
 * INVEPT.
 *
 * Return: see enum vtx_ept_result.
 */
enum vtx_ept_result vtx_ept_map(struct vtx_ept *ept, gfn_t gfn, hpa_t phys, u64 rights,
				unsigned int level, struct vtx_ept_spare *spare)
{
	unsigned int found;
	u64 *entry, *table;

	entry = find_entry(ept, gfn, level, &found);
	if (found > level && vtx_ept_present(*entry))
		return split(entry, gfn, phys, rights);
	while (found > level) {
		if (!spare->n)
			return VTX_EPT_NO_SPARE;
		table = spare->table[--spare->n];
		change_entry(entry, 0, vtx_ept_table(__pa(table)));
		entry = &table[vtx_ept_index(gfn, --found)];
	}
	if (vtx_ept_present(*entry) && !vtx_ept_is_leaf(*entry, level))
		return VTX_EPT_NO_LARGE;
	return set_leaf(entry, vtx_ept_leaf(phys, rights, level));
}

/**
 * vtx_ept_fill() - map small pages where nothing is mapped
 * @ept:	the tables, with the one that covers @gfn in place
 * @gfn:	guest page of the first
 * @pages:	host page and rights of each
 * @n:		how many, all within the same table
 *
 * Return: how many were mapped.
 */
unsigned int vtx_ept_fill(struct vtx_ept *ept, gfn_t gfn, const u64 *pages,
			  unsigned int n)
{
	unsigned int level, i, mapped = 0;
	u64 *entry = find_entry(ept, gfn, 1, &level);

	for (i = 0; level == 1 && i < n; i++) {
		if (vtx_ept_present(entry[i]))
			continue;
		change_entry(&entry[i], 0, vtx_ept_leaf(vtx_ept_addr(pages[i]), pages[i], 1));
		mapped++;
	}
	return mapped;
}

/**
 * vtx_ept_lookup() - where is a guest page?
 * @ept: the tables
 * @gfn: guest page
 *
 * Return: the host page, as long as ept_lock is held; 0: not mapped.
 */
hpa_t vtx_ept_lookup(const struct vtx_ept *ept, gfn_t gfn)
{
	unsigned int level;
	u64 entry = *find_entry(ept, gfn, 1, &level);

	if (!vtx_ept_present(entry))
		return 0;
	return vtx_ept_addr(entry) + ((gfn & (vtx_ept_span(level) - 1)) << PAGE_SHIFT);
}

/**
 * vtx_ept_young() - vtx_ept_age() of one page that takes note of nothing
 * @ept: the tables, with accessed and dirty flags
 * @gfn: guest page
 *
 * Return: true if the guest has used it.
 */
bool vtx_ept_young(const struct vtx_ept *ept, gfn_t gfn)
{
	unsigned int level;

	return *find_entry(ept, gfn, 1, &level) & VTX_EPT_A;
}

/* What take_table() does to the leaves in a range. */
enum take { ZAP, PROTECT, HARVEST, AGE };

/* A log is of small pages: of a large one that can be written nothing stays. */
static bool take_large(u64 *entry, enum take what, bool whole)
{
	if (what == AGE)
		return change_entry(entry, VTX_EPT_A, 0) & VTX_EPT_A;
	if (what != ZAP && !(*entry & VTX_EPT_W))
		return false;
	if (what != ZAP || !whole)
		atomic64_inc(&vtx_ept_count.splits);
	clear_entry(entry);
	return true;
}

static bool take_small(u64 *entry, gfn_t gfn, enum take what,
		       const struct vtx_ept_log *log)
{
	/* What goes, and what must have been there for that to be a change. */
	static const struct { u64 clear, is; } bits[] = {
		[ZAP] = { ~0ULL, VTX_EPT_RWX },
		[PROTECT] = { VTX_EPT_W | VTX_EPT_D, VTX_EPT_W },
		[HARVEST] = { VTX_EPT_D, VTX_EPT_D },
		[AGE] = { VTX_EPT_A, VTX_EPT_A },
	};
	u64 old = change_entry(entry, bits[what].clear, 0);

	if ((old & bits[what].clear & VTX_EPT_D) && log->dirty)
		__set_bit(gfn - log->base, log->dirty);
	return old & bits[what].is;
}

static bool table_empty(const u64 *table)
{
	unsigned int i;

	for (i = 0; i < VTX_EPT_ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

/* CPUs may walk the table until the flush: it stays as it is, empty. */
static void take_out(struct vtx_ept *ept, u64 *entry)
{
	u64 *table = table_of(clear_entry(entry));

	list_add(&virt_to_page(table)->lru, &ept->gone);
}

/**
 * struct job - a range of guest pages, and what happens to it
 * @ept: the tables
 * @first: guest page
 * @end: the one after the last
 * @what: see above
 * @log: where dirty flags go
 */
struct job {
	struct vtx_ept *ept;
	gfn_t first;
	gfn_t end;
	enum take what;
	const struct vtx_ept_log *log;
};

/* The part of a range that @table covers from guest page @base on. */
static bool take_table(const struct job *r, u64 *table, unsigned int level, gfn_t base)
{
	u64 span = vtx_ept_span(level);
	gfn_t gfn = max(r->first, base), start;
	gfn_t stop = min(r->end, base + span * VTX_EPT_ENTRIES);
	bool changed = false;
	u64 *entry;

	for (; gfn < stop; gfn = start + span) {
		start = gfn & ~(span - 1);
		entry = &table[vtx_ept_index(gfn, level)];
		if (!vtx_ept_present(*entry))
			continue;
		if (level == 1) {
			changed |= take_small(entry, gfn, r->what, r->log);
		} else if (vtx_ept_is_leaf(*entry, level)) {
			changed |= take_large(entry, r->what,
					      r->first <= start && r->end >= start + span);
		} else {
			changed |= take_table(r, table_of(*entry), level - 1, start);
			if (r->what == ZAP && table_empty(table_of(*entry))) {
				take_out(r->ept, entry);
				changed = true;
			}
		}
	}
	return changed;
}

static bool take(struct vtx_ept *ept, gfn_t first, gfn_t end, enum take what,
		 const struct vtx_ept_log *log)
{
	const struct job r = { ept, first, end, what, log };

	return take_table(&r, ept->root, VTX_EPT_LEVELS, 0);
}

/**
 * vtx_ept_zap() - take a range of pages away from the guest
 * @ept:	the tables
 * @first:	first guest page
 * @end:	the page after the last
 * @log:	gets the bits of those whose dirty flag is set
 *
 * A large page goes whole. Tables that this leaves empty go, too, until
 * vtx_ept_free_gone().
 *
 * Return: true if something was there: the caller flushes before any of those
 * pages is reused.
 */
bool vtx_ept_zap(struct vtx_ept *ept, gfn_t first, gfn_t end,
		 const struct vtx_ept_log *log)
{
	return take(ept, first, end, ZAP, log);
}

/**
 * vtx_ept_protect() - let the guest's next write to a range of pages exit
 * @ept:	the tables
 * @first:	first guest page
 * @end:	the page after the last
 * @log:	gets the bits of those whose dirty flag is set
 *
 * A large page that can be written goes, to come back in small pages.
 *
 * Return: true if something could be written: the caller flushes before it
 * takes those pages for clean.
 */
bool vtx_ept_protect(struct vtx_ept *ept, gfn_t first, gfn_t end,
		     const struct vtx_ept_log *log)
{
	return take(ept, first, end, PROTECT, log);
}

/**
 * vtx_ept_harvest() - which small pages has the guest written to?
 * @ept:	the tables, with accessed and dirty flags
 * @first:	first guest page
 * @end:	the page after the last
 * @log:	gets their bits; others stay
 *
 * A large page that can be written goes, to come back in small pages.
 *
 * SDM vol. 3 "Accessed and Dirty Flags for EPT": the CPU may keep in its TLB
 * that a page is dirty, and then does not say so again.
 *
 * Return: true if anything changed: the caller flushes before it tells the user.
 */
bool vtx_ept_harvest(struct vtx_ept *ept, gfn_t first, gfn_t end,
		     const struct vtx_ept_log *log)
{
	return take(ept, first, end, HARVEST, log);
}

/**
 * vtx_ept_age() - has the guest used a range of pages since this was asked last?
 * @ept:	the tables, with accessed and dirty flags
 * @first:	first guest page
 * @end:	the page after the last
 *
 * As vtx_ept_harvest(), but without a flush the answer is only late.
 *
 * Return: true if any.
 */
bool vtx_ept_age(struct vtx_ept *ept, gfn_t first, gfn_t end)
{
	return take(ept, first, end, AGE, NULL);
}
