// SPDX-License-Identifier: GPL-2.0
/* Runs the single instructions of guest/insn.S. */
#include "vtx_test.h"

#define CELL_SIZE 32

/* Runs cell @index: the vector it trapped with, or DONE. */
int run_cell(struct vm *m, int index, struct trap *trap)
{
	struct kvm_regs regs = vm_regs(m);
	int ret;

	regs.rip = CODE + index * CELL_SIZE;
	vm_set_regs(m, &regs);
	memset(trap, 0, sizeof(*trap));
	ret = vm_run(m);
	if (ret)
		die("cell %d: KVM_RUN %d", index, ret);
	if (m->run->exit_reason != KVM_EXIT_IO) {
		vm_dump(m);
		die("cell %d: exit %u", index, m->run->exit_reason);
	}
	if (m->run->io.port == PORT_SYNC)
		return DONE;
	*trap = vm_trap(m);
	return trap->vector;
}
