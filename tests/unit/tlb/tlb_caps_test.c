// SPDX-License-Identifier: GPL-2.0
/*
 * Every answer that IA32_VMX_EPT_VPID_CAP can give about invalidation: the 16
 * combinations of INVVPID types, with and without INVVPID, INVEPT and its two
 * types, with and without the "enable VPID" control. For each: what is decided
 * is what vtx_tlb_setup() says, and a world that lives with the decision
 * executes nothing that the CPU lacks and sees no stale translation.
 */
#include "tlb_world.h"

#define STEPS	2000

static u64 make_cap(int invvpid_types, bool invvpid, int invept_types, bool invept)
{
	return 1ull << 6 | 1ull << 14 | (u64)invvpid_types << 40 | (u64)invvpid << 32 |
	       (u64)invept_types << 25 | (u64)invept << 20;
}

static void expect(const char *what, u64 cap, int is, int should)
{
	if (is != should)
		violation("CAPS", "%#llx: %s is %d and should be %d",
			  (unsigned long long)cap, what, is, should);
}

int main(void)
{
	struct config cfg = {
		.cpus = 3, .vms = 2, .vcpus = 5, .ids = 3, .gpas = 2, .las = 2, .pcids = 2,
		.vm_of = { 0, 0, 0, 1, 1 }, .roots = 2, .versions = 8, .extras = true,
	};
	void *fresh = malloc(snapshot_size());
	int n, accepted = 0, refused = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	snapshot_save(fresh);
	for (n = 0; n < 16 * 2 * 4 * 2 * 2; n++) {
		int types = n & 15, ept_types = n >> 5 & 3;
		bool invvpid = n >> 4 & 1, invept = n >> 7 & 1, ctl = n >> 8 & 1;
		bool single = types & 2, all = types & 4;
		bool vpid = ctl && invvpid && (single || all);
		int err;

		cfg.cap = make_cap(types, invvpid, ept_types, invept);
		cfg.vpid_ctl = ctl;
		snapshot_load(fresh);
		err = vtx_tlb_setup(cfg.cap, ctl);
		expect("error", cfg.cap, err, invept && ept_types ? 0 : -EOPNOTSUPP);
		if (err) {
			refused++;
			continue;
		}
		accepted++;
		expect("vpid", cfg.cap, vtx_tlb_caps.vpid, vpid);
		expect("INVVPID type", cfg.cap, vtx_tlb_caps.invvpid_type,
		       !vpid ? 0 : single ? 1 : 2);
		expect("INVEPT type", cfg.cap, vtx_tlb_caps.invept_type, ept_types & 1 ? 1 : 2);
		world_walk(&cfg, STEPS, n + 1);
		if (!vpid)
			expect("INVVPIDs without VPIDs", cfg.cap,
			       hw.executed[0][1] + hw.executed[0][2], 0);
	}
	printf("ok 1 tlb capabilities: %d combinations run %d steps each, %d refused\n1..1\n",
	       accepted, STEPS, refused);
	return 0;
}
