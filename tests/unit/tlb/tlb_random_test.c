// SPDX-License-Identifier: GPL-2.0
/*
 * Long random schedules of a large world: 4 CPUs, 8 vCPUs of 3 VMs, up to 5
 * VPIDs, 4 EPT roots, 2 PCIDs; policies change, the module is reloaded,
 * instructions and allocations fail.
 *
 * Usage: tlb_random_test [-t] [STEPS [SEED]]
 *
 * -t: judge by translations alone, see tlb_world.h.
 */
#include "tlb_world.h"

#ifdef ONE_ROUND
#define ROUND	100000
#else
#define ROUND	20000
#endif

int main(int argc, char **argv)
{
	struct config cfg = {
		.cpus = 4, .vms = 3, .vcpus = 8, .gpas = 4, .las = 3, .pcids = 2,
		.vm_of = { 0, 0, 0, 1, 1, 1, 2, 2 }, .roots = 4, .versions = 8,
		.vpid_ctl = true, .extras = true,
	};
	/* All types; no single-context; no all-context; INVEPT likewise. */
	static const u64 lacks[] = {
		0, 0, 1ull << 41, 1ull << 42, 3ull << 41, 1ull << 25, 1ull << 26,
	};
	if (argc > 1 && !strcmp(argv[1], "-t")) {
		bookkeeping = false;
		argc--, argv++;
	}
	long steps = argc > 1 ? atol(argv[1]) : ROUND * 50;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, i;
	void *fresh = malloc(snapshot_size());

	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef ONE_ROUND
	steps = ROUND;
#else
	snapshot_save(fresh);
#endif
	for (i = 0; (long)i * ROUND < steps; i++) {
		if (i)
			snapshot_load(fresh);
		cfg.ids = (i + 3) % 6;
		cfg.cap = HW_CAP_ALL & ~lacks[i % 7];
		world_walk(&cfg, ROUND, seed + i);
	}
	/* What never happened was not tested. */
	for (i = 0; i < OP_KINDS && steps >= ROUND; i++)
		if (!walk_done[i])
			violation("WALK", "no step of kind %llu", (unsigned long long)i);
	if (!walk_reloads && steps >= ROUND)
		violation("WALK", "the module was never reloaded after an entry");
	for (i = 0; i < 3 && steps >= ROUND * 10; i++)
		if (!walk_failures[i])
			violation("WALK", "no failure of kind %llu", (unsigned long long)i);
	printf("ok 1 tlb random: %ld steps, seed %llu, %ld entries, %ld reloads after entries\n1..1\n",
	       steps, (unsigned long long)seed, walk_done[OP_ENTER], walk_reloads);
	return 0;
}
