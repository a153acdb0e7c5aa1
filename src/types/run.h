/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/run keeps in a VM and in a vCPU. Who owns a structure is in its first line;
 * others ask that file.
 */
#ifndef _VTX_TYPES_RUN_H
#define _VTX_TYPES_RUN_H

#include <linux/kvm_types.h>
#include <linux/types.h>

/**
 * struct vtx_pio - exit_io.c, and exit_msr.c the first two: port I/O that is with the VMM
 * @rip:	where the instruction is; retired only if RIP is still there
 * @next_rip:	where the next one is
 * @gva:	lowest linear address of the memory operand of INS and OUTS
 * @down:	RFLAGS.DF: the first element is the highest one
 * @count:	elements in the data page
 * @size:	bytes of each
 * @addr_size:	address size in bytes of INS and OUTS
 * @seg:	segment of their memory operand, enum vtx_seg
 * @in:		IN or INS
 * @rep:	REP prefix
 */
struct vtx_pio {
	u64 rip;
	u64 next_rip;
	u64 gva;
	u32 count;
	u8 size;
	u8 addr_size;
	u8 seg;
	bool in;
	bool rep;
	bool down;
};

/**
 * struct vtx_device - exit.c: where a device was accessed last
 * @gfn:	guest page, VTX_NO_GFN: none
 * @map_gen:	vtx_vm.map_gen of a map that has no such page; 0: none is known
 */
struct vtx_device {
	gfn_t gfn;
	unsigned long map_gen;
};

#endif /* _VTX_TYPES_RUN_H */
