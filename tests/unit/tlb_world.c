// SPDX-License-Identifier: GPL-2.0
/* A world around vpid.c and tlb.c, in steps: see tlb_world.h. */
#include "tlb_world.h"

struct world w HW_STATE;
int machine_cpu HW_STATE;

static void guest_exit(int cpu);

/* Interrupts to other CPUs: here they arrive and are handled at once. */
void machine_call(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait,
		  unsigned long mask)
{
	int self = machine_cpu, cpu;

	if (hw.cpu[self].irqs_off)
		violation("CONTEXT", "interrupts to other CPUs sent with interrupts off");
	for (cpu = 0; cpu < (int)nr_cpu_ids; cpu++) {
		if (!(mask >> cpu & 1) || (cond && !cond(cpu, info)))
			continue;
		guest_exit(cpu);
		machine_cpu = cpu;
		hw.cpu[cpu].irqs_off = true;
		func(info);
		hw.cpu[cpu].irqs_off = false;
		machine_cpu = self;
	}
}

void cpus_read_lock(void) { }
void cpus_read_unlock(void) { }

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

/* What a page behind @gpa is called: never the same for two VMs or contents. */
static u8 new_page(int vm, int gpa)
{
	u8 *version = &w.vm[vm].version[gpa];

	*version = (*version + 1) % w.cfg.versions;
	return (vm * W_GPAS + gpa) * 8 + *version;
}

/* Truth: what an entry that @v could use has to say. */
static void check_entry(int cpu, const struct hw_entry *e, const struct world_vcpu *v,
			const struct world_vm *vm)
{
	bool combined = e->kind == HW_COMBINED;
	u8 gpa = combined ? v->pt[e->pcid][e->addr] : e->addr;
	const struct world_ept *ept = &vm->ept[gpa];

	if (ept->present && ept->page == e->page && e->writable <= ept->writable)
		return;

	/* Which rule was broken: the one that keeps this kind of entry true. */
	if (combined) {
		const struct hw_entry *g = hw_find(cpu, HW_GPHYS, 0, 0, e->root, gpa);

		if (!g || (g->page == ept->page && ept->present &&
			   g->writable <= ept->writable))
			violation(v->state ? "V8" : "V4",
				  "vCPU %td on CPU %d may use la %u -> page %u under VPID %u; its page table says gpa %u, EPT says page %u",
				  v - w.vcpu, cpu, e->addr, e->page, e->vpid, gpa, ept->page);
	}
	violation("V5", "vCPU %td on CPU %d may use %s %u -> page %u%s; EPT says %s page %u%s",
		  v - w.vcpu, cpu, combined ? "la" : "gpa", e->addr, e->page,
		  e->writable ? " writable" : "", ept->present ? "present" : "no",
		  ept->page, ept->writable ? " writable" : "");
}

static void check_guest(int cpu)
{
	const struct world_vcpu *v = &w.vcpu[w.guest[cpu]];
	const struct world_vm *vm = &w.vm[w.cfg.vm_of[w.guest[cpu]]];
	const struct hw_cpu *c = &hw.cpu[cpu];
	const struct hw_entry *e;

	for (e = c->tlb; e < c->tlb + c->entries; e++) {
		if (e->kind == HW_LINEAR || e->root != vm->root ||
		    (e->kind == HW_COMBINED && e->vpid != v->vpid))
			continue;
		check_entry(cpu, e, v, vm);
	}
}

/* Touch everything: what can be cached is cached. */
static void guest_access(int cpu)
{
	struct world_vcpu *v = &w.vcpu[w.guest[cpu]];
	struct world_vm *vm = &w.vm[w.cfg.vm_of[w.guest[cpu]]];
	struct hw_entry e = { .root = vm->root };
	int la;

	check_guest(cpu);
	for (la = 0; la < w.cfg.las; la++) {
		u8 gpa = v->pt[v->pcid][la];
		const struct world_ept *ept = &vm->ept[gpa];
		struct hw_entry *g = hw_find(cpu, HW_GPHYS, 0, 0, vm->root, gpa);

		if (!ept->present || (g && g->writable < ept->writable))
			hw_ept_violation(cpu, v->vpid, v->pcid, vm->root, gpa, la);
		if (!ept->present)
			continue;
		e.page = ept->page;
		e.writable = ept->writable;
		e.kind = HW_GPHYS;
		e.vpid = e.pcid = 0;
		e.addr = gpa;
		hw_fill(cpu, e);
		e.kind = HW_COMBINED;
		e.vpid = v->vpid;
		e.pcid = v->pcid;
		e.addr = la;
		hw_fill(cpu, e);
	}
}

static void guest_exit(int cpu)
{
	int id = w.guest[cpu], self = machine_cpu;

	if (id < 0)
		return;
	hw_transition(cpu, w.vcpu[id].vpid);
	machine_cpu = cpu;
	vtx_tlb_exit(&w.vcpu[id].tlb);
	machine_cpu = self;
	hw.cpu[cpu].irqs_off = false;
	w.vcpu[id].on = -1;
	w.guest[cpu] = -1;
}

/* The invalidations that the rules ask for at this entry: no more may be done. */
static void expect_enter(int id, int cpu, bool *invept, bool *invvpid)
{
	struct world_vcpu *v = &w.vcpu[id];
	struct world_vm *vm = &w.vm[w.cfg.vm_of[id]];
	bool moved = v->last != cpu;

	*invept = vm->seen[cpu] != vm->changes + 1;
	*invvpid = v->vpid && !*invept &&
		   ((moved && v->visited[cpu]) || (!moved && v->state) ||
		    w.policy == VTX_TLB_ALWAYS);
	vm->seen[cpu] = vm->changes + 1;
	v->visited[cpu] = true;
	v->state = false;
	v->last = cpu;
}

/* The narrowest type that exists was used. */
static void check_types(bool wide)
{
	bool single = hw.cap >> 41 & 1, all = hw.cap >> 42 & 1;
	u8 invvpid = single && !(wide && all) ? 1 : 2;

	if (hw.invvpids && hw.invvpid_type != invvpid)
		violation("MINIMAL", "INVVPID type %u instead of %u", hw.invvpid_type, invvpid);
	if (hw.invepts && hw.invept_type != (hw.cap >> 25 & 1 ? 1 : 2))
		violation("MINIMAL", "INVEPT type %u", hw.invept_type);
}

static void do_enter(int id, int cpu)
{
	struct world_vcpu *v = &w.vcpu[id];
	struct world_vm *vm = &w.vm[w.cfg.vm_of[id]];
	bool invept, invvpid;
	bool failing = hw.fail_in, moved = v->last != cpu;
	int err;

	machine_cpu = cpu;
	hw.cpu[cpu].irqs_off = true;
	err = vtx_tlb_enter(&v->tlb);
	if (failing && !hw.fail_in && !err)
		violation("V7", "a failed flush was ignored");
	if (err) {
		if (err != -EIO || !failing || hw.fail_in)
			violation("V7", "enter failed with %d", err);
		if (vm->tlb.cpu[cpu].in_guest)
			violation("V6", "failed entry left CPU %d in guest", cpu);
		hw.cpu[cpu].irqs_off = false;
		vm->dead = true;
		return;
	}
	hw_transition(cpu, v->vpid);
	v->on = cpu;
	w.guest[cpu] = id;

	/* First what the guest could see, then whether it cost too much. */
	if (!moved && v->state)
		check_guest(cpu);
	expect_enter(id, cpu, &invept, &invvpid);
	check_guest(cpu);
	if (hw.invepts > invept || hw.invvpids > invvpid)
		violation("MINIMAL", "entry of vCPU %d on CPU %d: %d INVEPT, %d INVVPID; the rules ask for %d, %d",
			  id, cpu, hw.invepts, hw.invvpids, invept, invvpid);
	check_types(moved && w.policy == VTX_TLB_ALL);
	guest_access(cpu);
}

static void do_vm_create(int id)
{
	struct world_vm *vm = &w.vm[id];
	int root = w.root_next, i;

	/* The next root page that no VM has. */
	for (i = 0; i < w.cfg.vms; i++)
		if (w.vm[i].live && w.vm[i].root == root) {
			root = (root + 1) % w.cfg.roots;
			i = -1;
		}
	if (vtx_tlb_vm_init(&vm->tlb, HW_EPTP(root)))
		return;
	w.root_next = (root + 1) % w.cfg.roots;
	vm->live = true;
	vm->dead = false;
	vm->root = root;
	vm->changes = 0;
	memset(vm->seen, 0, sizeof(vm->seen));
	for (i = 0; i < w.cfg.gpas; i++)
		vm->ept[i] = (struct world_ept){ new_page(id, i), true, true };
}

/* V1, V2, V3 at the moment a vCPU gets its VPID. */
static void check_new_vpid(int id, u16 vpid)
{
	const struct hw_entry *e;
	struct vtx_vpid_stats pool;
	int i, cpu, used = 0;

	for (i = 0; i < w.cfg.vcpus; i++) {
		used += w.vcpu[i].live && w.vcpu[i].vpid;
		if (i != id && vpid && w.vcpu[i].live && w.vcpu[i].vpid == vpid)
			violation("V2", "VPID %u has two owners", vpid);
	}
	vtx_vpid_stats(&pool);
	if (vpid > pool.nr_ids)
		violation("V1", "VPID %u from a pool of %u", vpid, pool.nr_ids);
	if (!vpid && w.policy != VTX_TLB_OFF && used + w.ids_lost < (int)pool.nr_ids)
		violation("V2", "no VPID, but only %d of %u are taken", used, pool.nr_ids);
	if ((int)pool.in_use != used + w.ids_lost)
		violation("V2", "%u VPIDs in use, vCPUs have %d", pool.in_use, used);
	for (cpu = 0; vpid && cpu < w.cfg.cpus; cpu++)
		for (e = hw.cpu[cpu].tlb; e < hw.cpu[cpu].tlb + hw.cpu[cpu].entries; e++)
			if (hw.cpu[cpu].vmx && e->kind != HW_GPHYS && e->vpid == vpid)
				violation("V3", "VPID %u handed out again, CPU %d has translations of its last owner",
					  vpid, cpu);
}

static void do_vcpu_create(int id)
{
	struct world_vcpu *v = &w.vcpu[id];
	struct vtx_vpid_stats before, after;
	int i, j;

	vtx_vpid_stats(&before);
	if (vtx_tlb_vcpu_init(&v->tlb, &w.vm[w.cfg.vm_of[id]].tlb)) {
		vtx_vpid_stats(&after);
		if (after.in_use != before.in_use)
			violation("V2", "failed creation keeps VPID");
		return;
	}
	memset(v, 0, offsetof(struct world_vcpu, tlb));
	v->live = true;
	v->on = -1;
	v->last = -1;
	v->vpid = v->tlb.vpid;
	for (i = 0; i < w.cfg.pcids; i++)
		for (j = 0; j < w.cfg.las; j++)
			v->pt[i][j] = (i + j) % w.cfg.gpas;
	check_new_vpid(id, v->vpid);
}

static void do_vcpu_destroy(int id)
{
	struct world_vcpu *v = &w.vcpu[id];
	struct vtx_vpid_stats before, after;
	u32 expected = 0;
	bool failing = hw.fail_in;
	int cpu;

	vtx_vpid_stats(&before);
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		if (v->vpid && v->visited[cpu] && hw.cpu[cpu].vmx)
			expected |= 1u << cpu;
	vtx_tlb_vcpu_release(&v->tlb);
	v->live = false;
	vtx_vpid_stats(&after);
	if (hw.invvpid_cpus & ~expected)
		violation("MINIMAL", "teardown flush on CPUs %#x, the vCPU visited %#x",
			  hw.invvpid_cpus, expected);
	if (expected & ~hw.invvpid_cpus)
		violation("V3", "no teardown flush on CPUs %#x", expected & ~hw.invvpid_cpus);
	check_types(false);
	if (failing && !hw.fail_in) {
		w.ids_lost++;
		if (after.retired != before.retired + 1 || after.in_use != before.in_use)
			violation("V7", "VPID %u released though its flush failed", v->vpid);
	} else if (after.in_use != before.in_use - !!v->vpid) {
		violation("V2", "vCPU with VPID %u released: %u ids in use before, %u after",
			  v->vpid, before.in_use, after.in_use);
	}
}

static void ept_changed(struct world_vm *vm)
{
	s64 kicks = vm->tlb.count.event[VTX_TLB_KICKS].counter;
	int cpu, inside = 0;

	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		inside += w.guest[cpu] >= 0 && &w.vm[w.cfg.vm_of[w.guest[cpu]]] == vm;
	vtx_tlb_ept_flush(&vm->tlb);
	vm->changes++;
	kicks = vm->tlb.count.event[VTX_TLB_KICKS].counter - kicks;
	if (kicks > inside)
		violation("MINIMAL", "%d CPUs kicked, %d were in the guest", (int)kicks, inside);
	/* Its page can be reused from here on. */
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		if (w.guest[cpu] >= 0)
			check_guest(cpu);
	if (hw.invvpids + hw.invepts)
		violation("MINIMAL", "a flush ahead of the next entry");
}

static void do_ept(struct op op)
{
	struct world_vm *vm = &w.vm[op.a];
	struct world_ept *ept = &vm->ept[op.b];

	switch (op.kind) {
	case OP_EPT_MOVE:
		ept->page = new_page(op.a, op.b);
		ept_changed(vm);
		break;
	case OP_EPT_UNMAP:
		ept->present = false;
		ept_changed(vm);
		break;
	case OP_EPT_PROTECT:
		ept->writable = false;
		ept_changed(vm);
		break;
	case OP_EPT_MAP:
		*ept = (struct world_ept){ new_page(op.a, op.b), true, true };
		break;
	case OP_EPT_UNPROTECT:
		ept->writable = true;
		break;
	}
}

static void do_guest(struct op op)
{
	struct world_vcpu *v = &w.vcpu[op.a];
	int la;

	switch (op.kind) {
	case OP_INVLPG:
		v->pt[v->pcid][op.b] = (v->pt[v->pcid][op.b] + 1) % w.cfg.gpas;
		hw_invlpg(v->on, v->vpid, v->pcid, op.b);
		break;
	case OP_MOV_CR3:
		for (la = 0; la < w.cfg.las; la++)
			v->pt[v->pcid][la] = (v->pt[v->pcid][la] + 1) % w.cfg.gpas;
		hw_mov_cr3(v->on, v->vpid, v->pcid);
		break;
	case OP_PCID:
		v->pcid = (v->pcid + 1) % w.cfg.pcids;
		break;
	}
	guest_access(v->on);
}

/* SREGS from userspace: the page tables are others, nothing was flushed. */
static void do_state(int id)
{
	struct world_vcpu *v = &w.vcpu[id];
	int i, j;

	for (i = 0; i < w.cfg.pcids; i++)
		for (j = 0; j < w.cfg.las; j++)
			v->pt[i][j] = (v->pt[i][j] + 1) % w.cfg.gpas;
	v->state = true;
	vtx_tlb_state_changed(&v->tlb);
}

static void do_cpu_off(int cpu)
{
	int i;

	guest_exit(cpu);
	machine_cpu = cpu;
	hw.cpu[cpu].irqs_off = true;
	hw.cpu[cpu].vmx = false;
	vtx_tlb_cpu_off(cpu);
	hw.cpu[cpu].irqs_off = false;
	for (i = 0; i < W_VMS; i++)
		w.vm[i].seen[cpu] = 0;
	for (i = 0; i < W_VCPUS; i++) {
		w.vcpu[i].visited[cpu] = false;
		if (w.vcpu[i].last == cpu)
			w.vcpu[i].last = -1;
	}
}

/* Another hypervisor had the CPU: its translations carry tags that we use. */
static void foreign(int cpu)
{
	struct hw_entry e = { .page = 0xff, .writable = true };
	int i;

	for (e.root = 0; e.root < w.cfg.roots; e.root++) {
		e.kind = HW_GPHYS;
		for (i = 0; i < w.cfg.gpas; i++) {
			e.addr = i;
			e.vpid = 0;
			hw_fill(cpu, e);
		}
		e.kind = HW_COMBINED;
		e.addr = 0;
		for (e.vpid = 0; e.vpid <= w.cfg.ids; e.vpid++)
			hw_fill(cpu, e);
	}
	e.root = 0;
	e.kind = HW_LINEAR;
	for (e.vpid = 1; e.vpid <= w.cfg.ids; e.vpid++)
		hw_fill(cpu, e);
}

static void do_cpu_on(int cpu)
{
	const struct hw_entry *e;

	foreign(cpu);
	machine_cpu = cpu;
	hw.cpu[cpu].irqs_off = true;
	hw.cpu[cpu].vmx = true;
	if (vtx_tlb_scrub())
		violation("V7", "scrub failed");
	hw.cpu[cpu].irqs_off = false;
	for (e = hw.cpu[cpu].tlb; e < hw.cpu[cpu].tlb + hw.cpu[cpu].entries; e++) {
		if (e->kind != HW_GPHYS && e->vpid && vtx_tlb_caps.vpid)
			violation("V3", "CPU %d not clean of VPID %u after VMXON", cpu, e->vpid);
		if (e->kind != HW_LINEAR && vtx_tlb_caps.invept_all)
			violation("V5", "CPU %d not clean of EPT root %u after VMXON",
				  cpu, e->root);
	}
}

static void load_module(void)
{
	int cpu;

	if (vtx_tlb_setup(w.cfg.cap, w.cfg.vpid_ctl))
		violation("CAPS", "refused to load with %#llx", (unsigned long long)w.cfg.cap);
	if (vtx_vpid_setup(vtx_tlb_caps.vpid ? w.cfg.ids : 0))
		violation("V2", "the pool is in use before anyone is");
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		do_cpu_on(cpu);
	w.policy = vtx_tlb_policy;
	machine_cpu = w.cfg.cpus;
}

void world_init(const struct config *cfg)
{
	int i;

	memset(&w, 0, sizeof(w));
	w.cfg = *cfg;
	hw.cap = cfg->cap;
	/* One more CPU, on which no guest runs: the rest of the host. */
	nr_cpu_ids = cfg->cpus + 1;
	hw.cpu[cfg->cpus].vmx = true;
	machine_cpu = cfg->cpus;
	for (i = 0; i < HW_CPUS; i++)
		w.guest[i] = -1;
	for (i = 0; i < W_VCPUS; i++)
		w.vcpu[i].on = -1;
	load_module();
}

/* rmmod, insmod: no VM is left, and the CPUs were someone else's between. */
static void do_reload(void)
{
	struct vtx_vpid_stats pool;
	int cpu;

	vtx_vpid_stats(&pool);
	if ((int)pool.in_use != w.ids_lost)
		violation("V2", "no vCPU is left and %u VPIDs are in use", pool.in_use);
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		do_cpu_off(cpu);
	if (w.ids_lost)
		return;		/* a new module starts with a new pool; this one can't */
	load_module();
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
		return v->live && v->on < 0 && hw.cpu[op.b].vmx && w.guest[op.b] < 0 &&
		       !w.vm[w.cfg.vm_of[op.a]].dead;
	case OP_EXIT:
	case OP_INVLPG:
		return v->live && v->on >= 0;
	case OP_MOV_CR3:
	case OP_PCID:
		return w.cfg.pcids > 1 && v->live && v->on >= 0;
	case OP_EPT_MOVE:
		return vm->live && ept->present;
	case OP_EPT_UNMAP:
		return w.cfg.extras && vm->live && ept->present;
	case OP_EPT_MAP:
		return w.cfg.extras && vm->live && !ept->present;
	case OP_EPT_PROTECT:
		return vm->live && ept->present && ept->writable;
	case OP_EPT_UNPROTECT:
		return w.cfg.extras && vm->live && ept->present && !ept->writable;
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

void world_do(struct op op)
{
	hw_log_clear();
	switch ((enum op_kind)op.kind) {
	case OP_VM_CREATE:
		do_vm_create(op.a);
		break;
	case OP_VM_DESTROY:
		vtx_tlb_vm_destroy(&w.vm[op.a].tlb);
		w.vm[op.a].live = false;
		break;
	case OP_VCPU_CREATE:
		do_vcpu_create(op.a);
		break;
	case OP_VCPU_DESTROY:
		do_vcpu_destroy(op.a);
		break;
	case OP_ENTER:
		do_enter(op.a, op.b);
		break;
	case OP_EXIT:
		guest_exit(w.vcpu[op.a].on);
		break;
	case OP_INVLPG:
	case OP_MOV_CR3:
	case OP_PCID:
		do_guest(op);
		break;
	case OP_STATE:
		do_state(op.a);
		break;
	case OP_EPT_MOVE:
	case OP_EPT_UNMAP:
	case OP_EPT_MAP:
	case OP_EPT_PROTECT:
	case OP_EPT_UNPROTECT:
		do_ept(op);
		break;
	case OP_CPU_OFF:
		do_cpu_off(op.a);
		break;
	case OP_CPU_ON:
		do_cpu_on(op.a);
		break;
	case OP_POLICY:
		w.policy = vtx_tlb_policy = op.a;
		break;
	case OP_RELOAD:
		do_reload();
		break;
	case OP_KINDS:
		break;
	}

	/* The host's own work is done where no guest runs. */
	machine_cpu = w.cfg.cpus;
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

/* A name for all that can make a difference from here on. */
u64 world_hash(void)
{
	u64 h = 1, sum, word;
	struct vtx_vpid_stats pool;
	int i, j, cpu;

	for (i = 0; i < w.cfg.vms; i++) {
		const struct world_vm *vm = &w.vm[i];

		h = mix(h, vm->live << 8 | vm->root << 4 | vm->version[0]);
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
		memcpy(&word, v->pt, sizeof(v->pt) < 8 ? sizeof(v->pt) : 8);
		h = mix(h, word);
		h = mix(h, v->tlb.vpid << 16 | (v->on + 1) << 8 |
			   (v->tlb.request.counter != v->tlb.served));
		h = mix(h, v->tlb.visited->bits << 16 | (v->tlb.last_cpu + 1) << 4 | v->pcid);
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
	return mix(mix(h, pool.in_use), w.root_next);
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
