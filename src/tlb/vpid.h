/* SPDX-License-Identifier: GPL-2.0 */
/* Who owns a VPID. */
#ifndef _VTX_VPID_H
#define _VTX_VPID_H

#include <linux/types.h>

#define VTX_VPID_MAX	65535	/* the VMCS field has 16 bits, 0 means "none" */

/**
 * struct vtx_vpid_stats - the pool at one moment
 * @nr_ids: ids in the pool, 0 if VPIDs are off
 * @in_use: ids that have an owner
 * @peak: largest @in_use so far
 * @exhausted: requests that found every id taken
 * @retired: ids withdrawn because their flush failed; part of @in_use
 */
struct vtx_vpid_stats {
	unsigned int nr_ids;
	unsigned int in_use;
	unsigned int peak;
	u64 exhausted;
	u64 retired;
};

int vtx_vpid_setup(unsigned int nr_ids);
u16 vtx_vpid_alloc(void);
void vtx_vpid_free(u16 vpid);
void vtx_vpid_retire(u16 vpid);
void vtx_vpid_stats(struct vtx_vpid_stats *stats);

#endif /* _VTX_VPID_H */
