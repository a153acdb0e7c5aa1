/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EPT_H
#define _VTX_EPT_H

#include <linux/atomic.h>
#include <linux/kvm_types.h>
#include <linux/types.h>

#include "mem/ept_entry.h"
#include "types/mem.h"

/**
 * struct vtx_ept_counters - of all sets of tables
 * @large:	2-MByte pages mapped now
 * @splits:	2-MByte pages taken away because of a part of them, ever
 * @tables:	pages of paging structures, those in reserve included
 */
struct vtx_ept_counters {
	atomic64_t tables;
	atomic64_t large;
	atomic64_t splits;
};

extern struct vtx_ept_counters vtx_ept_count;

#define VTX_EPT_PIECE	BIT(16)	/* guest pages to walk between two pauses */
#define VTX_EPT_SPARE	3	/* a walk adds at most a PDPT, a PD and a PT */

/**
 * struct vtx_ept_log - where to note which pages the guest has written to
 * @dirty: bit per page; NULL: nobody wants to know
 * @base:  guest page of bit 0
 */
struct vtx_ept_log {
	unsigned long *dirty;
	gfn_t base;
};

/* What vtx_ept_map() came to. */
enum vtx_ept_result {
	VTX_EPT_MAPPED,
	VTX_EPT_FLUSH,		/* an old entry is gone: flush, then come again */
	VTX_EPT_NO_SPARE,	/* out of tables */
	VTX_EPT_NO_LARGE,	/* small pages are mapped there */
};

int vtx_ept_init(struct vtx_ept *ept, bool ad);
void vtx_ept_destroy(struct vtx_ept *ept);
void vtx_ept_free_gone(struct vtx_ept *ept);
int vtx_ept_spare_fill(struct vtx_ept_spare *spare);
void vtx_ept_spare_free(struct vtx_ept_spare *spare);
enum vtx_ept_result vtx_ept_map(struct vtx_ept *ept, gfn_t gfn, hpa_t phys, u64 rights,
				unsigned int level, struct vtx_ept_spare *spare);
unsigned int vtx_ept_fill(struct vtx_ept *ept, gfn_t gfn, const u64 *pages,
			  unsigned int n);
hpa_t vtx_ept_lookup(const struct vtx_ept *ept, gfn_t gfn);
bool vtx_ept_zap(struct vtx_ept *ept, gfn_t first, gfn_t end,
		 const struct vtx_ept_log *log);
bool vtx_ept_protect(struct vtx_ept *ept, gfn_t first, gfn_t end,
		     const struct vtx_ept_log *log);
bool vtx_ept_harvest(struct vtx_ept *ept, gfn_t first, gfn_t end,
		     const struct vtx_ept_log *log);
bool vtx_ept_age(struct vtx_ept *ept, gfn_t first, gfn_t end);
bool vtx_ept_young(const struct vtx_ept *ept, gfn_t gfn);

/* The CPU sets accessed and dirty flags. */
static inline bool vtx_ept_has_ad(const struct vtx_ept *ept)
{
	return ept->eptp & VTX_EPTP_AD;
}

#endif /* _VTX_EPT_H */
