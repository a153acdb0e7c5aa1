// SPDX-License-Identifier: GPL-2.0
/*
 * Races of the flush protocol, in all interleavings (tlb_race.h): a flusher, a
 * release, a CPU that leaves, and vCPUs on their way into the guest.
 *
 * Usage: tlb_race_test [SCENARIO]
 */
#include "tlb_race.h"

#define PAGES		4

/* The scenario's world: one gpa of one VM, and what became of pages. */
static struct vtx_tlb_vm vm, vm2;
static struct vtx_tlb_vcpu vcpu[THREADS];
static u8 ept;			/* the page behind the gpa */
static bool freed[PAGES];
static u8 guest_pt;		/* the page that the guest's own table names */
static bool away[THREADS];	/* from VMXOFF to the end of the scrub */

u64 race_world_hash(u64 h)
{
	h = race_hash(h, &vm, sizeof(vm));
	h = race_hash(h, &vm2, sizeof(vm2));
	h = race_hash(h, vcpu, sizeof(vcpu));
	h = race_hash(h, &ept, sizeof(ept));
	h = race_hash(h, freed, sizeof(freed));
	h = race_hash(h, &guest_pt, sizeof(guest_pt));
	h = race_hash(h, away, sizeof(away));
	return h;
}

void race_forget(void)
{
	int i;

	memset(&vtx_tlb_total, 0, sizeof(vtx_tlb_total));
	memset(&vm.count, 0, sizeof(vm.count));
	memset(&vm2.count, 0, sizeof(vm2.count));
	for (i = 0; i < THREADS; i++)
		memset(&vcpu[i].count, 0, sizeof(vcpu[i].count));
	memset(hw.executed, 0, sizeof(hw.executed));
	hw_log_clear();
}

/* What guests and hosts do. */
static void irq_enable(void)
{
	hw.cpu[machine_cpu].irqs_off = false;
	machine_point();
}

static void guest_step(void)
{
	struct hw_entry e = { .kind = HW_GPHYS, .root = 0, .addr = 0, .page = ept };
	struct hw_entry *hit;

	hw_fill(machine_cpu, e);
	hit = hw_find(machine_cpu, HW_GPHYS, 0, 0, 0, 0);
	if (freed[hit->page])
		violation("V5", "CPU %d uses page %u, which was freed", machine_cpu, hit->page);
	e.kind = HW_COMBINED;
	e.vpid = vcpu[machine_cpu].vpid;
	e.page = guest_pt;
	hw_fill(machine_cpu, e);
}

static void run_vcpu(struct vtx_tlb_vcpu *v, int entries)
{
	struct thread *t = &thread[machine_cpu];
	int i;

	while (entries--) {
		hw.cpu[machine_cpu].irqs_off = true;
		if (vtx_tlb_enter(v))
			violation("V7", "enter failed");
		machine_point();
		t->in_guest = true;
		for (i = 0; i < 2 && !t->exiting; i++) {
			/* What is pending at VM entry comes before the guest. */
			if (!i && race_ipi_pending(machine_cpu)) {
				machine_point();
				if (t->exiting)
					break;
			}
			guest_step();
			machine_point();
		}
		t->in_guest = t->exiting = false;
		vtx_tlb_exit(v);
		irq_enable();
	}
}

static void run_twice(void)
{
	run_vcpu(&vcpu[machine_cpu], 2);
}

static void run_thrice(void)
{
	run_vcpu(&vcpu[machine_cpu], 3);
}

static void run_once_here(void)
{
	run_vcpu(&vcpu[machine_cpu], 1);
}

/* The page behind the gpa changes; the old one goes back to the kernel. */
static void change_ept(void)
{
	u8 old = ept;

	ept = machine_cpu;	/* page 1 or 2; under the lock of the page tables */
	vtx_tlb_ept_flush(&vm);
	freed[old] = true;
}

static void change_state(void)
{
	guest_pt = 1;
	vtx_tlb_state_changed(&vcpu[0]);
}

/* The next entry must not use what was cached before the change. */
static void check_state(void)
{
	struct hw_entry *e;

	race_alone(0);
	hw.cpu[0].irqs_off = true;
	if (vtx_tlb_enter(&vcpu[0]))
		violation("V7", "enter failed");
	e = hw_find(0, HW_COMBINED, vcpu[0].vpid, 0, 0, 0);
	if (e && e->page != guest_pt)
		violation("V6", "a request was lost: translation from before it is in use");
	vtx_tlb_exit(&vcpu[0]);
	hw.cpu[0].irqs_off = false;
}

static void release_vcpu(void)
{
	vtx_tlb_vcpu_release(&vcpu[2]);
}

/*
 * Whoever is given an id finds no CPU with translations tagged with it, but for
 * CPUs that can't enter a guest before they are scrubbed.
 */
static void check_clean(u16 vpid)
{
	int cpu;

	for (cpu = 0; vpid && cpu < threads; cpu++)
		if (!away[cpu] && hw_find(cpu, HW_COMBINED, vpid, 0, 1, 0))
			violation("V3", "VPID %u handed out, CPU %d has translations of its last owner",
				  vpid, cpu);
}

static void take_vpid(void)
{
	machine_point();
	check_clean(vtx_vpid_alloc());
}

/* As root.c: off, and on again, with interrupts off. */
static void leave_and_come_back(void)
{
	struct hw_cpu *here = &hw.cpu[machine_cpu];

	here->irqs_off = true;
	machine_point();
	here->vmx = false;
	away[machine_cpu] = true;
	vtx_tlb_cpu_off(machine_cpu);
	irq_enable();
	here->irqs_off = true;
	machine_point();
	here->vmx = true;
	if (vtx_tlb_scrub())
		violation("V7", "scrub failed");
	away[machine_cpu] = false;
	irq_enable();
}

/* It comes back, and whoever has the id by then finds it clean. */
static void enter_and_take(void)
{
	run_vcpu(&vcpu[machine_cpu], 1);
	take_vpid();
}

static void check_released(void)
{
	race_alone(0);
	check_clean(vcpu[2].vpid);
}

struct scenario {
	const char *name;
	bool two_vms;

	void (*body[THREADS])(void);
	void (*after)(void);
};

static const struct scenario scenarios[] = {
	{ .name = "EPT change against entries", .body = { run_thrice, change_ept } },
	{ .name = "EPT change against two vCPUs", .body = { run_once_here, change_ept, run_once_here } },
	{ .name = "two EPT changes against entries", .body = { run_twice, change_ept, change_ept } },
	{ .name = "state change against entries", .body = { run_thrice, change_state }, .after = check_state },
	{ .name = "release against entries and allocation",
	  .body = { run_once_here, release_vcpu, take_vpid }, .two_vms = true },
	{ .name = "CPU off and on against release, entry and allocation",
	  .body = { leave_and_come_back, enter_and_take, release_vcpu },
	  .after = check_released, .two_vms = true },
};

static const struct scenario *s;

static void setup(void)
{
	int i;

	hw.cap = HW_CAP_ALL;
	threads = s->body[2] ? 3 : 2;
	nr_cpu_ids = threads;
	memset(freed, 0, sizeof(freed));
	memset(away, 0, sizeof(away));
	ept = guest_pt = 0;
	if (vtx_tlb_setup(hw.cap, true) || vtx_vpid_setup(3) || vtx_tlb_vm_init(&vm, HW_EPTP(0)))
		violation("MODEL", "no VM");
	for (i = 0; i < threads; i++) {
		hw.cpu[i].vmx = true;
		if (i == 2 && s->two_vms) {
			/* vCPU 2, of another VM, has been on CPU 0. */
			if (vtx_tlb_vm_init(&vm2, HW_EPTP(1)) ||
			    vtx_tlb_vcpu_init(&vcpu[2], &vm2))
				violation("MODEL", "no second VM");
			hw.cpu[0].irqs_off = true;
			vtx_tlb_enter(&vcpu[2]);
			hw_fill(0, (struct hw_entry){ .kind = HW_COMBINED, .root = 1,
						      .vpid = vcpu[2].vpid, .page = 3 });
			vtx_tlb_exit(&vcpu[2]);
			hw.cpu[0].irqs_off = false;
		} else if (vtx_tlb_vcpu_init(&vcpu[i], &vm)) {
			violation("MODEL", "no vCPU");
		}
		if (s->body[i])
			race_prepare(i, s->body[i]);
	}
	race_watch(&vm.ept_gen);
	for (i = 0; i < threads; i++) {
		race_watch(&vm.cpu[i].in_guest);
		race_watch(&vcpu[i].request);
	}
}

int main(int argc, char **argv)
{
	unsigned int i = 0, n = sizeof(scenarios) / sizeof(scenarios[0]);

	if (argc > 1) {
		if ((unsigned int)atoi(argv[1]) < n)
			n = atoi(argv[1]);
		i = n ? n - 1 : 0;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; i < n; i++) {
		unsigned long long runs;

		s = &scenarios[i];
		runs = race_all_schedules(setup, s->after);
		printf("ok %u tlb race: %s, %llu states, %llu runs\n",
		       argc > 1 ? 1 : i + 1, s->name, (unsigned long long)race_states, runs);
	}
	printf("1..%u\n", argc > 1 ? 1 : n);
	return 0;
}
