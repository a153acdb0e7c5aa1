// SPDX-License-Identifier: GPL-2.0
/*
 * The world of tlb_world.h as a space of states: which steps a state has, what
 * tells two states apart, snapshots, and what the module counts and lists.
 */
#include "tlb_world.h"

size_t snapshot_size(void)
{
	return __stop_vtx_state - __start_vtx_state;
}

void snapshot_save(void *to)
{
	memcpy(to, __start_vtx_state, snapshot_size());
}

void snapshot_load(const void *from)
{
	memcpy(__start_vtx_state, from, snapshot_size());
}

static bool vm_empty(int vm)
{
	int i;

	for (i = 0; i < w.cfg.vcpus; i++)
		if (w.vcpu[i].live && w.cfg.vm_of[i] == vm)
			return false;
	return true;
}

/* Can @op be done now? */
bool world_enabled(struct op op)
{
	const struct world_vm *vm = &w.vm[op.a % W_VMS];
	const struct world_vcpu *v = &w.vcpu[op.a % W_VCPUS];
	const struct world_ept *ept = &vm->ept[op.b % W_GPAS];
	int i;

	switch ((enum op_kind)op.kind) {
	case OP_VM_CREATE:
		return !vm->live;
	case OP_VM_DESTROY:
		return vm->live && vm_empty(op.a);
	case OP_VCPU_CREATE:
		return !v->live && w.vm[w.cfg.vm_of[op.a]].live;
	case OP_VCPU_DESTROY:
	case OP_STATE:
		return v->live && v->on < 0;
	case OP_ENTER:
		return v->live && v->on < 0 && hw.cpu[op.b].vmx && w.guest[op.b] < 0;
	case OP_EXIT:
	case OP_INVLPG:
		return v->live && v->on >= 0;
	case OP_MOV_CR3:
	case OP_PCID:
		return w.cfg.pcids > 1 && v->live && v->on >= 0;
	case OP_EPT_MOVE:
		return vm->live && ept->present;
	case OP_EPT_UNMAP:
		return (w.cfg.extras || w.cfg.remap) && vm->live && ept->present;
	case OP_EPT_MAP:
		return (w.cfg.extras || w.cfg.remap) && vm->live && !ept->present;
	case OP_EPT_PROTECT:
		return vm->live && ept->present && ept->writable;
	case OP_EPT_UNPROTECT:
		return (w.cfg.extras || w.cfg.remap) && vm->live && ept->present &&
		       !ept->writable;
	case OP_CPU_OFF:
		return hw.cpu[op.a].vmx;
	case OP_CPU_ON:
		return !hw.cpu[op.a].vmx;
	case OP_POLICY:
		return w.cfg.extras;
	case OP_RELOAD:
		for (i = 0; i < w.cfg.vms; i++)
			if (w.vm[i].live)
				return false;
		return w.cfg.extras && !w.ids_lost;
	case OP_KINDS:
		break;
	}
	return false;
}

/* All steps that can be done now. */
int world_ops(struct op *ops, int max)
{
	const int second[OP_KINDS] = {
		[OP_ENTER] = w.cfg.cpus, [OP_INVLPG] = w.cfg.las,
		[OP_EPT_MOVE] = w.cfg.extras ? w.cfg.gpas : 1,
		[OP_EPT_PROTECT] = w.cfg.extras ? w.cfg.gpas : 1,
		[OP_EPT_UNMAP] = w.cfg.gpas, [OP_EPT_MAP] = w.cfg.gpas,
		[OP_EPT_UNPROTECT] = w.cfg.gpas,
	};
	const int first[OP_KINDS] = {
		w.cfg.vms, w.cfg.vms, w.cfg.vcpus, w.cfg.vcpus, w.cfg.vcpus, w.cfg.vcpus,
		w.cfg.vcpus, w.cfg.vcpus, w.cfg.vcpus, w.cfg.vcpus, w.cfg.vms, w.cfg.vms,
		w.cfg.vms, w.cfg.vms, w.cfg.vms, w.cfg.cpus, w.cfg.cpus,
		VTX_TLB_NR_POLICIES, 1,
	};
	struct op op;
	int n = 0;

	for (op.kind = 0; op.kind < OP_KINDS; op.kind++)
		for (op.a = 0; op.a < first[op.kind]; op.a++)
			for (op.b = 0; op.b < max(second[op.kind], 1); op.b++)
				if (world_enabled(op) && n < max)
					ops[n++] = op;
	return n;
}

static u64 mix(u64 h, u64 x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* vpid.c's, made visible by the Makefile. */
extern unsigned int vpid_next __attribute__((weak));

/* A name for all that can make a difference from here on, without extras. */
u64 world_hash(void)
{
	u64 h = 1, sum, word = 0;
	struct vtx_vpid_stats pool;
	int i, j, cpu;

	if (!&vpid_next)
		violation("MODEL", "no vpid_next to tell states apart by");

	for (i = 0; i < w.cfg.vms; i++) {
		const struct world_vm *vm = &w.vm[i];

		h = mix(h, vm->live << 8 | vm->root << 4);
		for (j = 0; j < w.cfg.gpas; j++)
			h = mix(h, vm->version[j]);
		if (!vm->live)
			continue;
		for (cpu = 0; cpu < w.cfg.cpus; cpu++)
			h = mix(h, (vm->tlb.cpu[cpu].flushed == vm->tlb.ept_gen.counter) * 4 +
				   (vm->tlb.cpu[cpu].flushed != 0) * 2 +
				   vm->tlb.cpu[cpu].in_guest);
		for (j = 0; j < w.cfg.gpas; j++)
			h = mix(h, vm->ept[j].page << 2 | vm->ept[j].present << 1 |
				   vm->ept[j].writable);
	}
	for (i = 0; i < w.cfg.vcpus; i++) {
		const struct world_vcpu *v = &w.vcpu[i];

		h = mix(h, v->live);
		if (!v->live)
			continue;
		_Static_assert(sizeof(v->pt) <= sizeof(word), "");
		memcpy(&word, v->pt, sizeof(v->pt));
		h = mix(h, word);
		h = mix(h, v->tlb.vpid << 16 | (v->on + 1) << 8 |
			   (v->tlb.request.counter != v->tlb.served));
		h = mix(h, v->tlb.visited->bits << 16 | (u8)v->tlb.last_cpu << 8 | v->pcid);
	}
	for (cpu = 0; cpu < w.cfg.cpus; cpu++) {
		const struct hw_cpu *c = &hw.cpu[cpu];

		sum = c->vmx;
		for (i = 0; i < c->entries; i++) {
			memcpy(&word, &c->tlb[i], sizeof(word));
			sum += mix(7, word);
		}
		h = mix(h, sum);
	}
	vtx_vpid_stats(&pool);
	return mix(mix(mix(h, pool.in_use), vpid_next), w.root_next);
}

/* What the module counted is what the hardware did. */
void world_check_counters(void)
{
	static const struct { enum vtx_tlb_op op; int insn, type; } row[] = {
		{ VTX_TLB_INVVPID_SINGLE, 0, 1 }, { VTX_TLB_INVVPID_ALL, 0, 2 },
		{ VTX_TLB_INVEPT_SINGLE, 1, 1 }, { VTX_TLB_INVEPT_ALL, 1, 2 },
	};
	unsigned int i, j;

	for (i = 0; i < VTX_TLB_NR_OPS; i++) {
		u64 n = 0;

		for (j = 0; j < VTX_TLB_NR_CAUSES; j++)
			n += vtx_tlb_total.flush[row[i].op][j].counter;
		if (n != hw.executed[row[i].insn][row[i].type])
			violation("COUNT", "instruction %d type %d: %llu counted, %llu executed",
				  row[i].insn, row[i].type, (unsigned long long)n,
				  (unsigned long long)hw.executed[row[i].insn][row[i].type]);
	}
}

/* struct vtx_tlb_counters is an array of numbers. */
void world_add_counters(struct vtx_tlb_counters *sum, const struct vtx_tlb_counters *count)
{
	size_t i;

	for (i = 0; i < sizeof(*sum) / sizeof(atomic64_t); i++)
		((atomic64_t *)sum)[i].counter += ((const atomic64_t *)count)[i].counter;
}

static void count_live(struct vtx_tlb_vm *vm, struct vtx_tlb_vcpu *vcpu, void *data)
{
	bool live = false;
	int i;

	for (i = 0; i < W_VMS && !vcpu; i++)
		live |= vm == &w.vm[i].tlb && w.vm[i].live;
	for (i = 0; i < W_VCPUS && vcpu; i++)
		live |= vcpu == &w.vcpu[i].tlb && w.vcpu[i].live && vcpu->vm == vm;
	if (!live)
		violation("REGISTRY", "lists who is gone");
	++*(int *)data;
}

/* Whoever asks for all VMs and vCPUs gets each once. */
void world_check_registry(void)
{
	int listed = 0, live = 0, i;

	while (vtx_tlb_nth(listed, count_live, &listed))
		;
	for (i = 0; i < W_VMS; i++)
		live += w.vm[i].live;
	for (i = 0; i < W_VCPUS; i++)
		live += w.vcpu[i].live;
	if (listed != live)
		violation("REGISTRY", "lists %d VMs and vCPUs of %d", listed, live);
}

/* What a VM counts is what its vCPUs do, but for what it does as a whole. */
void world_check_vm(int id)
{
	const struct world_vm *vm = &w.vm[id];
	struct vtx_tlb_counters sum = vm->gone;
	int i;

	for (i = 0; i < w.cfg.vcpus; i++)
		if (w.vcpu[i].live && w.cfg.vm_of[i] == id)
			world_add_counters(&sum, &w.vcpu[i].tlb.count);
	sum.event[VTX_TLB_EPT_CHANGES] = vm->tlb.count.event[VTX_TLB_EPT_CHANGES];
	sum.event[VTX_TLB_KICKS] = vm->tlb.count.event[VTX_TLB_KICKS];
	if (memcmp(&sum, &vm->tlb.count, sizeof(sum)))
		violation("COUNT", "VM %d counts something else than its vCPUs", id);
}

const char *world_op_name(struct op op, char *buf, size_t size)
{
	static const char * const format[OP_KINDS] = {
		"create VM %d", "destroy VM %d", "create vCPU %d", "destroy vCPU %d",
		"vCPU %d enters on CPU %d", "vCPU %d exits",
		"guest %d changes la %d, INVLPG", "guest %d loads CR3", "guest %d switches PCID",
		"SREGS of vCPU %d", "VM %d: gpa %d gets another page", "VM %d: unmap gpa %d",
		"VM %d: map gpa %d", "VM %d: write-protect gpa %d", "VM %d: unprotect gpa %d",
		"CPU %d leaves VMX operation", "CPU %d enters VMX operation", "policy %d",
		"rmmod, insmod",
	};

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(buf, size, format[op.kind], op.a, op.b);
	return buf;
}
