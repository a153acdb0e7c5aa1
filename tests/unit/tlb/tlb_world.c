// SPDX-License-Identifier: GPL-2.0
/* A world around vpid.c and tlb.c, in steps: see tlb_world.h. */
#include "tlb_world.h"

struct world w HW_STATE;
bool bookkeeping = true;
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

/* The guest's last page is the same in all its address spaces. */
static bool is_global(int la)
{
	return la == w.cfg.las - 1;
}

/* What the guest's page tables say of @la is something else now. */
static void change_pt(struct world_vcpu *v, int la)
{
	int i;

	for (i = 0; i < w.cfg.pcids; i++)
		if (i == v->pcid || is_global(la))
			v->pt[i][la] = (v->pt[i][la] + 1) % w.cfg.gpas;
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
		e.global = is_global(la);
		hw_fill(cpu, e);
		e.global = false;
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
	vm->migrations += v->ran >= 0 && v->ran != cpu;
	v->visited[cpu] = true;
	v->state = false;
	v->last = v->ran = cpu;
}

/* A flush failed: nothing of the VM is in the guest after what run.c does then. */
static void stop_vm(struct world_vm *vm)
{
	int cpu;

	vm->dead = true;
	vtx_tlb_stop(&vm->tlb);
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		if (w.guest[cpu] >= 0 && &w.vm[w.cfg.vm_of[w.guest[cpu]]] == vm)
			violation("V7", "CPU %d still runs a VM whose flush failed", cpu);
}

/* The narrowest type that exists was used. */
static void check_types(bool wide)
{
	bool single = hw.cap >> 41 & 1, all = hw.cap >> 42 & 1;
	u8 invvpid = single && !(wide && all) ? 1 : 2;

	if (!bookkeeping)
		return;
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
	if (vm->dead && (!err || hw.invvpids + hw.invepts))
		violation("V7", "a VM whose flush failed enters");
	if (err) {
		if (err != -EIO || (!vm->dead && (!failing || hw.fail_in)))
			violation("V7", "enter failed with %d", err);
		if (vm->tlb.cpu[cpu].in_guest)
			violation("V6", "failed entry left CPU %d in guest", cpu);
		hw.cpu[cpu].irqs_off = false;
		stop_vm(vm);
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
	if (bookkeeping && (hw.invepts > invept || hw.invvpids > invvpid))
		violation("MINIMAL", "entry of vCPU %d on CPU %d: %d INVEPT, %d INVVPID; the rules ask for %d, %d",
			  id, cpu, hw.invepts, hw.invvpids, invept, invvpid);
	check_types(moved && w.policy == VTX_TLB_ALL);
	if (bookkeeping && vm->tlb.count.event[VTX_TLB_MIGRATIONS].counter != vm->migrations)
		violation("COUNT", "%lld migrations counted, %d happened",
			  (long long)vm->tlb.count.event[VTX_TLB_MIGRATIONS].counter,
			  vm->migrations);
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
	vm->changes = vm->migrations = 0;
	memset(&vm->gone, 0, sizeof(vm->gone));
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
		violation("V1", "no VPID, but only %d of %u are taken", used, pool.nr_ids);
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
	v->last = v->ran = -1;
	v->vpid = v->tlb.vpid;
	for (i = 0; i < w.cfg.pcids; i++)
		for (j = 0; j < w.cfg.las; j++)
			v->pt[i][j] = ((is_global(j) ? 0 : i) + j) % w.cfg.gpas;
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
	world_add_counters(&w.vm[w.cfg.vm_of[id]].gone, &v->tlb.count);
	v->live = false;
	vtx_vpid_stats(&after);
	if (bookkeeping && (hw.invvpid_cpus & ~expected))
		violation("MINIMAL", "teardown flush on CPUs %#x, the vCPU visited %#x",
			  hw.invvpid_cpus, expected);
	if (bookkeeping && (expected & ~hw.invvpid_cpus))
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
	/* Its page can be reused from here on. */
	for (cpu = 0; cpu < w.cfg.cpus; cpu++)
		if (w.guest[cpu] >= 0)
			check_guest(cpu);
	if (kicks != inside)
		violation("MINIMAL", "%d CPUs kicked, %d were in the guest", (int)kicks, inside);
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
		change_pt(v, op.b);
		hw_invlpg(v->on, v->vpid, v->pcid, op.b);
		break;
	case OP_MOV_CR3:
		for (la = 0; la < w.cfg.las; la++)
			if (!is_global(la))
				change_pt(v, la);
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
	for (e = hw.cpu[cpu].tlb; e < hw.cpu[cpu].tlb + hw.cpu[cpu].entries && bookkeeping; e++) {
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

void world_do(struct op op)
{
	hw_log_clear();
	switch ((enum op_kind)op.kind) {
	case OP_VM_CREATE:
		do_vm_create(op.a);
		break;
	case OP_VM_DESTROY:
		world_check_vm(op.a);
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
	if (op.kind <= OP_VCPU_DESTROY)
		world_check_registry();
}
