// SPDX-License-Identifier: GPL-2.0
/* A random walk through the world of tlb_world.h. */
#include "tlb_world.h"

#define HISTORY		40
#define MAX_OPS		256

static struct op history[HISTORY];
static long done;
static u64 dice;

void print_history(void)
{
	char buf[80];
	long i = done > HISTORY ? done - HISTORY : 0;

	for (; i < done; i++)
		printf("#   %ld. %s\n", i + 1,
		       world_op_name(history[i % HISTORY], buf, sizeof(buf)));
}

static unsigned int roll(unsigned int sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (dice >> 33) % sides;
}

/* Some steps happen in numbers, some seldom, as in life. */
static bool wanted(struct op op)
{
	switch ((enum op_kind)op.kind) {
	case OP_VM_DESTROY:
	case OP_POLICY:
	case OP_CPU_OFF:
	case OP_RELOAD:
		return !roll(8);
	case OP_VCPU_DESTROY:
		/* A dead VM is taken down. */
		return w.vm[w.cfg.vm_of[op.a]].dead || !roll(4);
	default:
		return true;
	}
}

void world_walk(const struct config *cfg, long steps, u64 seed)
{
	struct op ops[MAX_OPS], op;
	int n;

	dice = seed * 0x9e3779b97f4a7c15ull + 1;
	done = 0;
	world_init(cfg);
	while (done < steps) {
		n = world_ops(ops, MAX_OPS);
		op = ops[roll(n)];
		if (!wanted(op))
			continue;
		history[done++ % HISTORY] = op;

		/* Now and then an instruction fails, or an allocation. */
		if (cfg->extras && (op.kind == OP_ENTER || op.kind == OP_VCPU_DESTROY))
			hw.fail_in = !roll(1000);
		if (cfg->extras)
			machine_fail_alloc(!roll(50));
		world_do(op);
		hw.fail_in = 0;
		machine_fail_alloc(false);
	}
	world_check_counters();
}
