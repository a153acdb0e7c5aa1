// SPDX-License-Identifier: GPL-2.0
/*
 * All schedules of a small world, to a depth: 2 CPUs, 3 vCPUs of 2 VMs that
 * share 2 EPT roots and 1 or 2 VPIDs; then with 2 PCIDs and pages that come and
 * go. Every order of the steps of tlb_world.h is tried; one that reaches a state
 * already explored at least as deep from there is cut off.
 *
 * Usage: tlb_exhaustive_test [-t] [DEPTH [WORLD]]
 *
 * -t: judge by translations alone, see tlb_world.h. WORLD: 1 to 3, default all.
 */
#include "tlb_world.h"

#define MAX_DEPTH	24
#define MAX_OPS		64
#define TABLE_BITS	24

static struct op path[MAX_DEPTH];
static int path_len;
static char *level[MAX_DEPTH];	/* snapshots */
static u64 *table;		/* hash of a state, its low 5 bits: steps left there */
static u64 steps, states;
static bool table_full;
static int tests, only;

void print_history(void)
{
	char buf[80];
	int i;

	for (i = 0; i < path_len; i++)
		printf("#   %2d. %s\n", i + 1, world_op_name(path[i], buf, sizeof(buf)));
}

/* Has this state been explored with at least @left steps left? */
static bool explored(int left)
{
	u64 h = world_hash() & ~31ull;
	u64 i = h >> (64 - TABLE_BITS), n;

	for (n = 0; n < 1024; n++, i = (i + 1) & ((1ull << TABLE_BITS) - 1)) {
		if (!table[i]) {
			table[i] = h | left;
			states++;
			return false;
		}
		if ((table[i] & ~31ull) != h)
			continue;
		if ((int)(table[i] & 31) >= left)
			return true;
		table[i] = h | left;
		return false;
	}
	table_full = true;
	return false;
}

static void explore(int left)
{
	struct op ops[MAX_OPS];
	int n, i;

	if (!left || explored(left))
		return;
	n = world_ops(ops, MAX_OPS);
	snapshot_save(level[left]);
	for (i = 0; i < n; i++) {
		path[path_len++] = ops[i];
		world_do(ops[i]);
		steps++;
		explore(left - 1);
		path_len--;
		snapshot_load(level[left]);
	}
}

static void run(int number, const char *name, int depth, const struct config *cfg,
		const void *fresh)
{
	if (only && only != number)
		return;
	free(table);
	table = calloc(1ul << TABLE_BITS, sizeof(*table));
	steps = states = path_len = 0;
	snapshot_load(fresh);
	world_init(cfg);
	explore(depth);
	printf("ok %d tlb exhaustive: %s, depth %d: %llu states, %llu steps%s\n", ++tests, name, depth,
	       (unsigned long long)states, (unsigned long long)steps,
	       table_full ? " (table full: some explored twice)" : "");
}

int main(int argc, char **argv)
{
	struct config cfg = {
		.cpus = 2, .vms = 2, .vcpus = 3, .ids = 2, .gpas = 2, .las = 1, .pcids = 1,
		.vm_of = { 0, 0, 1 }, .roots = 2, .versions = 2,
		.cap = HW_CAP_ALL, .vpid_ctl = true,
	};
	int depth, i;
	char *fresh = malloc(snapshot_size());

	if (argc > 1 && !strcmp(argv[1], "-t")) {
		bookkeeping = false;
		argc--, argv++;
	}
	depth = argc > 1 ? atoi(argv[1]) : 10;
	only = argc > 2 ? atoi(argv[2]) : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < MAX_DEPTH; i++)
		level[i] = malloc(snapshot_size());
	if (depth >= MAX_DEPTH)
		depth = MAX_DEPTH - 1;
	snapshot_save(fresh);

	run(1, "2 CPUs, 3 vCPUs, 2 VPIDs", depth, &cfg, fresh);
	cfg.ids = 1;
	cfg.vms = 1;
	cfg.roots = 1;
	cfg.vcpus = 2;
	run(2, "2 CPUs, 2 vCPUs, 1 VPID", depth + 2, &cfg, fresh);
	cfg.ids = 2;
	cfg.las = 2;
	cfg.pcids = 2;
	cfg.remap = true;
	run(3, "2 CPUs, 2 vCPUs, 2 PCIDs, pages come and go", depth - 1, &cfg, fresh);
	printf("1..%d\n", tests);
	return 0;
}
