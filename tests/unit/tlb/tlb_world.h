/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A world around vpid.c and tlb.c, in steps: VMs that come and go, vCPUs that
 * enter on any CPU, guests that change their page tables and flush as guests
 * do, a host that changes EPT entries and vCPU state, CPUs that leave VMX
 * operation and come back having run another hypervisor, the module reloaded.
 *
 * After each step every TLB entry that the hardware could use for a vCPU in
 * the guest must tell the truth: a flush too few shows as a lie. A flush too
 * many shows in a second bookkeeping of what the rules ask for ("MINIMAL").
 * Everything else is named after the invariants V1 to V8 at the head of src/tlb/tlb.c.
 */
#ifndef _TLB_WORLD_H
#define _TLB_WORLD_H

#include "shim.h"
#include "tlb_hw.h"
#include "tlb/tlb.h"
#include "tlb/vpid.h"

#define W_VMS	3
#define W_VCPUS	8
#define W_GPAS	4
#define W_LAS	3
#define W_PCIDS	2

enum op_kind {
	OP_VM_CREATE, OP_VM_DESTROY, OP_VCPU_CREATE, OP_VCPU_DESTROY,
	OP_ENTER, OP_EXIT,
	OP_INVLPG, OP_MOV_CR3, OP_PCID,
	OP_STATE,
	OP_EPT_MOVE, OP_EPT_UNMAP, OP_EPT_MAP, OP_EPT_PROTECT, OP_EPT_UNPROTECT,
	OP_CPU_OFF, OP_CPU_ON,
	OP_POLICY, OP_RELOAD,
	OP_KINDS
};

struct op {
	u8 kind, a, b;
};

/* How large the world is. */
struct config {
	int cpus, vms, vcpus, ids, gpas, las, pcids;
	int vm_of[W_VCPUS];	/* the VM slot of each vCPU slot */
	int roots;		/* EPT root pages that VMs share over time */
	int versions;		/* different pages behind a gpa, over time */
	u64 cap;
	bool vpid_ctl;
	bool remap;		/* EPT entries are unmapped, mapped, unprotected */
	bool extras;		/* policies, reload, failures, and @remap of all gpas */
};

struct world_ept {
	u8 page;
	bool present, writable;
};

struct world_vm {
	bool live, dead;
	u8 root;
	u8 version[W_GPAS];	/* outlives the VM */
	struct world_ept ept[W_GPAS];
	/* The second bookkeeping. */
	int changes;
	int migrations;
	struct vtx_tlb_counters gone;	/* of vCPUs that were destroyed */
	int seen[HW_CPUS];	/* 1 + changes at the last INVEPT, 0: none yet */
	struct vtx_tlb_vm tlb;
};

struct world_vcpu {
	bool live;
	int on;			/* CPU on which it is in the guest, or -1 */
	u8 pcid;
	u8 pt[W_PCIDS][W_LAS];
	int last;		/* CPU that its last entry was on, -1: none, or it left */
	int ran;		/* likewise, whether or not it left */
	bool visited[HW_CPUS];
	bool state;
	u16 vpid;
	struct vtx_tlb_vcpu tlb;
};

struct world {
	struct config cfg;
	int policy;
	u8 root_next;
	int guest[HW_CPUS];	/* vCPU in the guest, or -1 */
	int ids_lost;		/* retired */
	struct world_vm vm[W_VMS];
	struct world_vcpu vcpu[W_VCPUS];
};

extern struct world w;

/*
 * False: judge by what vCPUs could see alone, and by who is given a VPID whose
 * translations are around, not by what the rules would have asked for.
 */
extern bool bookkeeping;

void world_init(const struct config *cfg);
bool world_enabled(struct op op);
void world_do(struct op op);
int world_ops(struct op *ops, int max);
u64 world_hash(void);
void world_add_counters(struct vtx_tlb_counters *sum, const struct vtx_tlb_counters *count);
void world_check_vm(int id);
void world_check_registry(void);
void world_check_counters(void);
const char *world_op_name(struct op op, char *buf, size_t size);

/* tlb_walk.c: @steps steps by dice, the last ones of which are printed on failure. */
void world_walk(const struct config *cfg, long steps, u64 seed);
/*
 * How often each kind of step was done in all walks, reloads after entries, and
 * failures: of INVEPT and of INVVPID at an entry, of a teardown.
 */
extern long walk_done[OP_KINDS], walk_reloads, walk_failures[3];

/* Snapshots of everything that steps change. */
size_t snapshot_size(void);
void snapshot_save(void *to);
void snapshot_load(const void *from);

#endif /* _TLB_WORLD_H */
