/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ept_entry.h - the bits of EPT paging-structure entries, and nothing else
 *
 * Pure: compiles in userspace. SDM vol. 3 "EPT Translation Mechanism", tables
 * "Format of an EPT ... Entry".
 *
 *	gpa 47       39 38       30 29       21 20       12 11        0
 *	   | PML4 index | PDPT index |  PD index |  PT index |  offset  |
 *	     level 4      level 3      level 2     level 1
 */
#ifndef _VTX_EPT_ENTRY_H
#define _VTX_EPT_ENTRY_H

#include <linux/bits.h>
#include <linux/types.h>

#define VTX_EPT_LEVELS		4
#define VTX_EPT_BITS		9
#define VTX_EPT_ENTRIES		BIT(VTX_EPT_BITS)
#define VTX_EPT_GPA_BITS	48

#define VTX_EPT_R		BIT_ULL(0)
#define VTX_EPT_W		BIT_ULL(1)
#define VTX_EPT_X		BIT_ULL(2)
#define VTX_EPT_RWX		(VTX_EPT_R | VTX_EPT_W | VTX_EPT_X)
#define VTX_EPT_WB		(6ULL << 3)
#define VTX_EPT_IPAT		BIT_ULL(6)
#define VTX_EPT_LARGE		BIT_ULL(7)	/* level 2: a page, not a table */
#define VTX_EPT_A		BIT_ULL(8)	/* leaves, set by the CPU if VTX_EPTP_AD is set: */
#define VTX_EPT_D		BIT_ULL(9)	/* SDM vol. 3 "Accessed and Dirty Flags for EPT" */
#define VTX_EPT_ADDR		0x000ffffffffff000ULL

/* EPTP: SDM vol. 3 "Extended-Page-Table Pointer (EPTP)". */
#define VTX_EPTP_WB		6ULL
#define VTX_EPTP_WALK_4		(3ULL << 3)
#define VTX_EPTP_AD		BIT_ULL(6)

static inline unsigned int vtx_ept_index(u64 gfn, unsigned int level)
{
	return (gfn >> ((level - 1) * VTX_EPT_BITS)) & (VTX_EPT_ENTRIES - 1);
}

/* Pages that one entry of @level covers. */
static inline u64 vtx_ept_span(unsigned int level)
{
	return 1ULL << ((level - 1) * VTX_EPT_BITS);
}

/*
 * An entry that is not present is exactly 0: with a stale address in it, L1TF
 * could read that address (CVE-2018-3646).
 */
static inline bool vtx_ept_present(u64 entry)
{
	return entry & VTX_EPT_RWX;
}

static inline u64 vtx_ept_addr(u64 entry)
{
	return entry & VTX_EPT_ADDR;
}

/* A pointer to the next table: all permissions, the leaf decides. */
static inline u64 vtx_ept_table(u64 phys)
{
	return phys | VTX_EPT_RWX;
}

/* Of an entry that is present: it points to a page, not to a table. */
static inline bool vtx_ept_is_leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & VTX_EPT_LARGE);
}

/*
 * Guest memory is RAM of the process: write-back, whatever the guest's PAT
 * says. Write without read would be a misconfiguration.
 */
static inline u64 vtx_ept_leaf(u64 phys, u64 rights, unsigned int level)
{
	return phys | VTX_EPT_R | (rights & VTX_EPT_RWX) | VTX_EPT_WB | VTX_EPT_IPAT |
	       (level > 1 ? VTX_EPT_LARGE : 0);
}

static inline u64 vtx_eptp(u64 root_phys, bool ad)
{
	return root_phys | VTX_EPTP_WB | VTX_EPTP_WALK_4 | (ad ? VTX_EPTP_AD : 0);
}

#endif /* _VTX_EPT_ENTRY_H */
