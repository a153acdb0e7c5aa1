// SPDX-License-Identifier: GPL-2.0
/*
 * ept.c - EPT paging structures: find an entry, change it, take it away
 *
 * Owns the pages of the structures. Does not own the pages of guest memory,
 * nor the decision to flush: functions that take a permission away say so and
 * the caller calls vtx_tlb_ept_flush() before anything is reused.
 *
 * Locking: vm->ept_lock around everything but init, destroy and the spares.
 */
#include "ept.h"

#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "ept_entry.h"

static_assert(PAGE_SHIFT + VTX_EPT_LEVELS * VTX_EPT_BITS == VTX_EPT_GPA_BITS);
static_assert(VTX_EPT_ENTRIES * sizeof(u64) == PAGE_SIZE);
static_assert(VTX_EPT_LEVELS == 1 + VTX_EPT_SPARE);

static u64 *table_of(u64 entry)
{
	return __va(vtx_ept_addr(entry));
}

/*
 * The only writer. The CPU walks the tables while they change: one 64-bit
 * store, and a present entry is cleared and flushed before it points elsewhere.
 */
static void set_entry(u64 *entry, u64 value)
{
	WARN_ON_ONCE(vtx_ept_present(*entry) && vtx_ept_present(value) &&
		     vtx_ept_addr(*entry) != vtx_ept_addr(value));
	WRITE_ONCE(*entry, value);
}

/**
 * vtx_ept_init() - make an empty set of tables
 * @ept: zeroed structure
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_ept_init(struct vtx_ept *ept)
{
	ept->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!ept->root)
		return -ENOMEM;
	ept->eptp = vtx_eptp(__pa(ept->root));
	return 0;
}

static void free_table(u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level > 1 && i < VTX_EPT_ENTRIES; i++)
		if (vtx_ept_present(table[i]))
			free_table(table_of(table[i]), level - 1);
	free_page((unsigned long)table);
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
		free_table(ept->root, VTX_EPT_LEVELS);
	ept->root = NULL;
}

/**
 * vtx_ept_spare_fill() - have enough pages in reserve for one vtx_ept_map()
 * @spare: the reserve
 *
 * Context: may sleep, before ept_lock is taken.
 * Return: 0, -ENOMEM.
 */
int vtx_ept_spare_fill(struct vtx_ept_spare *spare)
{
	while (spare->n < VTX_EPT_SPARE) {
		u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

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
		free_page((unsigned long)spare->table[--spare->n]);
}

/* The level-1 entry of @gfn; NULL if a table is missing and no spare is left. */
static u64 *walk_alloc(struct vtx_ept *ept, gfn_t gfn, struct vtx_ept_spare *spare)
{
	u64 *table = ept->root;
	unsigned int level;

	for (level = VTX_EPT_LEVELS; level > 1; level--) {
		u64 *entry = &table[vtx_ept_index(gfn, level)];

		if (!vtx_ept_present(*entry)) {
			if (!spare->n)
				return NULL;
			set_entry(entry, vtx_ept_table(__pa(spare->table[--spare->n])));
		}
		table = table_of(*entry);
	}
	return &table[vtx_ept_index(gfn, 1)];
}

/**
 * vtx_ept_map() - let the guest reach a page
 * @ept:	the tables
 * @gfn:	guest page, below 2^36
 * @phys:	host page
 * @writable:	with write permission
 * @spare:	pages for missing tables
 * @flush:	set to true if an entry lost a permission or its address; the
 *		entry is then empty and the caller flushes and comes again
 *
 * SDM vol. 3 "Operations that Invalidate Cached Mappings": an EPT violation
 * drops what the CPU holds for the address, so adding permissions needs no
 * INVEPT.
 *
 * Return: false if @spare ran out.
 */
bool vtx_ept_map(struct vtx_ept *ept, gfn_t gfn, hpa_t phys, bool writable,
		 struct vtx_ept_spare *spare, bool *flush)
{
	u64 *entry = walk_alloc(ept, gfn, spare);
	u64 old, new = vtx_ept_leaf(phys, writable);

	*flush = false;
	if (!entry)
		return false;
	old = *entry;
	if (old == new)
		return true;
	if (vtx_ept_present(old) && vtx_ept_addr(old) != phys) {
		set_entry(entry, 0);
		*flush = true;
		return true;
	}
	/* Another vCPU may have mapped it writable meanwhile: keep that. */
	if (!(old & VTX_EPT_W))
		set_entry(entry, new);
	return true;
}

static bool zap_table(u64 *table, unsigned int level, gfn_t base, gfn_t first,
		      gfn_t end)
{
	u64 span = vtx_ept_span(level);
	gfn_t gfn = max(first, base);
	bool changed = false;

	end = min(end, base + span * VTX_EPT_ENTRIES);
	for (; gfn < end; gfn = (gfn & ~(span - 1)) + span) {
		u64 *entry = &table[vtx_ept_index(gfn, level)];

		if (!vtx_ept_present(*entry))
			continue;
		if (level == 1) {
			set_entry(entry, 0);
			changed = true;
		} else {
			changed |= zap_table(table_of(*entry), level - 1,
					     gfn & ~(span - 1), first, end);
		}
	}
	return changed;
}

/**
 * vtx_ept_zap() - take a range of pages away from the guest
 * @ept:	the tables
 * @first:	first guest page
 * @end:	the page after the last
 *
 * Tables stay, they go with the VM.
 *
 * Return: true if something was mapped: the caller flushes before any of those
 * pages is reused.
 */
bool vtx_ept_zap(struct vtx_ept *ept, gfn_t first, gfn_t end)
{
	return zap_table(ept->root, VTX_EPT_LEVELS, 0, first, end);
}
