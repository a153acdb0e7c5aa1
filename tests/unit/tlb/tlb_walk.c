// SPDX-License-Identifier: GPL-2.0
/* A random walk through the world of tlb_world.h. */
#include "tlb_world.h"

#define HISTORY		40
#define MAX_OPS		256

static struct op history[HISTORY];
static long done;
static u64 dice;
static bool closing;		/* all VMs are to go, for a reload */
static bool entered;		/* since the last reload */
long walk_done[OP_KINDS], walk_reloads, walk_failures[3];

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
	case OP_VM_CREATE:
	case OP_VCPU_CREATE:
		return !closing;
	case OP_VM_DESTROY:
		return closing || !roll(8);
	case OP_POLICY:
	case OP_CPU_OFF:
		return !roll(8);
	case OP_RELOAD:
		return closing || !roll(8);
	case OP_VCPU_DESTROY:
		/* A dead VM is taken down. */
		return closing || w.vm[w.cfg.vm_of[op.a]].dead || !roll(4);
	case OP_ENTER:
		return !closing || !roll(4);
	default:
		return true;
	}
}

/* Begin to close now and then; the end is a reload, or that there can be none. */
static void close_or_open(struct op op)
{
	int i, live = 0;

	for (i = 0; i < w.cfg.vms; i++)
		live += w.vm[i].live;
	if (op.kind == OP_RELOAD || (!live && w.ids_lost))
		closing = false;
	else if (w.cfg.extras && !roll(500))
		closing = true;

	walk_done[op.kind]++;
	if (op.kind == OP_RELOAD) {
		walk_reloads += entered;
		entered = false;
	}
	entered |= op.kind == OP_ENTER;
}

void world_walk(const struct config *cfg, long steps, u64 seed)
{
	struct op ops[MAX_OPS], op;
	bool failing;
	int n;

	dice = seed * 0x9e3779b97f4a7c15ull + 1;
	done = 0;
	closing = entered = false;
	world_init(cfg);
	while (done < steps) {
		n = world_ops(ops, MAX_OPS);
		op = ops[roll(n)];
		if (!wanted(op))
			continue;
		history[done++ % HISTORY] = op;

		/* Now and then an instruction fails, or an allocation. */
		failing = cfg->extras && ((op.kind == OP_ENTER && !roll(100)) ||
					  (op.kind == OP_VCPU_DESTROY && !roll(1000)));
		hw.fail_in = failing;
		if (cfg->extras)
			machine_fail_alloc(!roll(50));
		world_do(op);
		if (failing && !hw.fail_in)
			walk_failures[op.kind == OP_VCPU_DESTROY ? 2 : hw.invvpids]++;
		hw.fail_in = 0;
		machine_fail_alloc(false);
		close_or_open(op);
	}
	world_check_counters();
}
