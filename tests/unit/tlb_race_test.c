// SPDX-License-Identifier: GPL-2.0
/*
 * All interleavings of a flusher and vCPUs on their way into the guest.
 *
 * vpid.c and tlb.c are compiled with MACHINE_RACE here: each CPU is a
 * coroutine, and before every access to memory that a scenario watches, before
 * every INVVPID and INVEPT and between guest instructions any other CPU may go
 * on. Stores sit in a buffer of their CPU, in order, until they are taken out
 * at any later moment or by a barrier, as on x86. An interrupt to another CPU
 * arrives at any time after it was sent; a CPU takes it when its interrupts
 * are on or it is in the guest.
 *
 * Every choice is tried, by running the scenario again and again; a run that
 * comes to a state where an earlier one was, stacks included, ends there.
 *
 * Usage: tlb_race_test [SCENARIO]
 */
#include "tlb_hw.h"

#include "shim.h"
#include "tlb.h"
#include "vpid.h"

#define THREADS		3
#define STACK		(64 * 1024)
#define MAX_CHOICES	256
#define BUFFER		8
#define PAGES		4
#define TABLE_BITS	22

struct store {
	void *to;
	size_t size;
	u64 value;
};

/* One CPU and what runs there. */
struct thread {
	void (*body)(void);
	void *sp;
	bool done, waiting;
	bool in_guest, exiting;
	int buffered;
	struct store buffer[BUFFER];
	smp_call_func_t ipi[THREADS];	/* by sender */
	void *ipi_info[THREADS];
	char *stack;
};

static struct thread thread[THREADS];
static int threads;
int machine_cpu;
static void *scheduler_sp;
static u8 choice[MAX_CHOICES], choices[MAX_CHOICES];
static int depth, planned;
static int locks_held;
static const void *watched[8];
static int nr_watched;

/* The scenario's world: one gpa of one VM, and what became of pages. */
static struct vtx_tlb_vm vm, vm2;
static struct vtx_tlb_vcpu vcpu[THREADS];
static u8 ept;			/* the page behind the gpa */
static bool freed[PAGES];
static u8 guest_pt;		/* the page that the guest's own table names */

/* Actions of a schedule, for the report of a failure. */
static char trail[MAX_CHOICES][40];

void print_history(void)
{
	int i;

	for (i = 0; i < depth; i++)
		printf("#   %2d. %s\n", i + 1, trail[i]);
}

/* Coroutines. */
void switch_stack(void **save, void *load);
__asm__(".text\n.globl switch_stack\nswitch_stack:\n"
	"push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

static void yield(void)
{
	switch_stack(&thread[machine_cpu].sp, scheduler_sp);
}

static void start(void)
{
	thread[machine_cpu].body();
	thread[machine_cpu].done = true;
	yield();
}

static void prepare(int cpu, void (*body)(void))
{
	struct thread *t = &thread[cpu];
	char *stack = t->stack ? t->stack : malloc(STACK);
	void **sp = (void **)(stack + STACK) - 2;

	memset(t, 0, sizeof(*t));
	memset(stack + STACK - 4096, 0, 4096);
	t->stack = stack;
	t->body = body;
	*--sp = (void *)start;
	t->sp = sp - 6;
}

void machine_point(void)
{
	if (scheduler_sp && !locks_held)
		yield();
}

/* Memory. */
static bool is_watched(const void *p)
{
	int i;

	for (i = 0; i < nr_watched; i++)
		if (watched[i] == p)
			return true;
	return false;
}

static void take_store(struct thread *t)
{
	memcpy(t->buffer[0].to, &t->buffer[0].value, t->buffer[0].size);
	memmove(t->buffer, t->buffer + 1, --t->buffered * sizeof(t->buffer[0]));
}

static void drain(void)
{
	while (thread[machine_cpu].buffered)
		take_store(&thread[machine_cpu]);
}

void machine_read(void *to, const void *from, size_t size)
{
	struct thread *t = &thread[machine_cpu];
	int i;

	if (is_watched(from))
		machine_point();
	memcpy(to, from, size);
	for (i = 0; i < t->buffered; i++)
		if (t->buffer[i].to == from)
			memcpy(to, &t->buffer[i].value, size);
}

void machine_write(void *to, const void *from, size_t size)
{
	struct thread *t = &thread[machine_cpu];

	if (!scheduler_sp || !is_watched(to)) {
		memcpy(to, from, size);
		return;
	}
	if (t->buffered == BUFFER)
		take_store(t);
	t->buffer[t->buffered] = (struct store){ .to = to, .size = size };
	memcpy(&t->buffer[t->buffered++].value, from, size);
}

void machine_rmw(const void *p)
{
	if (is_watched(p))
		machine_point();
	drain();
}

void machine_mb(void)
{
	if (thread[machine_cpu].buffered)
		machine_point();
	drain();
}

/* Interrupts to other CPUs. */
void machine_call(smp_cond_func_t cond, smp_call_func_t func, void *info, bool wait,
		  unsigned long mask)
{
	int self = machine_cpu, cpu;
	bool sent[THREADS] = { };

	for (cpu = 0; cpu < threads; cpu++) {
		if (cpu == self || !(mask >> cpu & 1) || (cond && !cond(cpu, info)))
			continue;
		thread[cpu].ipi[self] = func;
		thread[cpu].ipi_info[self] = info;
		sent[cpu] = true;
	}
	if ((mask >> self & 1) && (!cond || cond(self, info))) {
		hw.cpu[self].irqs_off = true;
		func(info);
		hw.cpu[self].irqs_off = false;
	}
	for (cpu = 0; wait && cpu < threads; cpu++) {
		while (sent[cpu] && thread[cpu].ipi[self]) {
			thread[self].waiting = true;
			yield();
		}
	}
	thread[self].waiting = false;
}

static bool ipi_pending(int cpu)
{
	int i;

	for (i = 0; i < threads; i++)
		if (thread[cpu].ipi[i])
			return true;
	return false;
}

static bool ipi_can_arrive(int cpu)
{
	return ipi_pending(cpu) && !thread[cpu].exiting &&
	       (thread[cpu].in_guest || !hw.cpu[cpu].irqs_off);
}

/* The interrupt reaches @cpu: the guest exits, or the host's handler runs. */
static void ipi_arrives(int cpu)
{
	struct thread *t = &thread[cpu];
	void *sp = scheduler_sp;
	int i;

	if (t->in_guest) {
		t->exiting = true;
		return;
	}
	/* Handlers run to their end: no points inside. */
	scheduler_sp = NULL;
	machine_cpu = cpu;
	hw.cpu[cpu].irqs_off = true;
	for (i = 0; i < threads; i++) {
		if (!t->ipi[i])
			continue;
		t->ipi[i](t->ipi_info[i]);
		t->ipi[i] = NULL;
	}
	hw.cpu[cpu].irqs_off = false;
	scheduler_sp = sp;
}

void cpus_read_lock(void) { machine_point(); }
void cpus_read_unlock(void) { machine_point(); }

/* Is a thread that waits for an answer still to wait? */
static bool runnable(int cpu)
{
	int i;

	if (thread[cpu].done)
		return false;
	if (!thread[cpu].waiting)
		return true;
	for (i = 0; i < threads; i++)
		if (thread[i].ipi[cpu])
			return false;
	return true;
}

/* States seen: a hash of all that the rest of the run depends on. */
static u64 *seen, states;

static u64 hash(u64 h, const void *p, size_t size)
{
	const char *from = p, *end = from + size;
	u64 word;

	for (; from < end; from += sizeof(word)) {
		word = 0;
		memcpy(&word, from, end - from < 8 ? end - from : 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return h;
}

static void forget_counters(void)
{
	int i;

	memset(&vtx_tlb_total, 0, sizeof(vtx_tlb_total));
	memset(&vm.count, 0, sizeof(vm.count));
	memset(&vm2.count, 0, sizeof(vm2.count));
	for (i = 0; i < THREADS; i++)
		memset(&vcpu[i].count, 0, sizeof(vcpu[i].count));
	memset(hw.executed, 0, sizeof(hw.executed));
	hw_log_clear();
	machine_cpu = 0;
}

static bool seen_before(void)
{
	u64 h, i;
	int cpu;

	forget_counters();
	h = hash(1, __start_vtx_state, __stop_vtx_state - __start_vtx_state);
	h = hash(h, &vm, sizeof(vm));
	h = hash(h, &vm2, sizeof(vm2));
	h = hash(h, vcpu, sizeof(vcpu));
	h = hash(h, &ept, sizeof(ept));
	h = hash(h, freed, sizeof(freed));
	h = hash(h, &guest_pt, sizeof(guest_pt));
	h = hash(h, thread, sizeof(thread));
	for (cpu = 0; cpu < threads; cpu++)
		h = hash(h, thread[cpu].sp, thread[cpu].stack + STACK - (char *)thread[cpu].sp);

	for (i = h >> (64 - TABLE_BITS); seen[i]; i = (i + 1) & ((1 << TABLE_BITS) - 1))
		if (seen[i] == h)
			return true;
	seen[i] = h;
	if (++states > 3ull << (TABLE_BITS - 2))
		violation("MODEL", "too many states");
	return false;
}

static int choose(int n)
{
	if (depth == MAX_CHOICES)
		violation("MODEL", "schedule too long");
	if (depth >= planned) {
		choice[depth] = 0;
		planned = depth + 1;
	}
	choices[depth] = n;
	return choice[depth++];
}

/* One schedule, to the end of all threads or to where another one was. */
static bool run_once(void)
{
	enum { RUN, STORE, IPI } what[3 * THREADS];
	int whom[3 * THREADS], n, i;

	depth = 0;
	for (;;) {
		n = 0;
		for (i = 0; i < threads; i++) {
			if (runnable(i))
				what[n] = RUN, whom[n++] = i;
			if (thread[i].buffered)
				what[n] = STORE, whom[n++] = i;
			if (ipi_can_arrive(i))
				what[n] = IPI, whom[n++] = i;
		}
		if (!n)
			break;
		if (n > 1 && depth >= planned && seen_before())
			return false;
		i = n > 1 ? choose(n) : 0;
		if (n > 1)
			snprintf(trail[depth - 1], sizeof(trail[0]), "%s CPU %d",
				 what[i] == RUN ? "run" : what[i] == STORE ?
				 "store reaches memory from" : "interrupt reaches", whom[i]);
		machine_cpu = whom[i];
		if (what[i] == STORE)
			take_store(&thread[whom[i]]);
		else if (what[i] == IPI)
			ipi_arrives(whom[i]);
		else
			switch_stack(&scheduler_sp, thread[whom[i]].sp);
	}
	for (i = 0; i < threads; i++)
		if (!thread[i].done)
			violation("V6", "CPU %d waits for ever", i);
	return true;
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
			if (!i && ipi_pending(machine_cpu)) {
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

	scheduler_sp = NULL;
	machine_cpu = 0;
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

/* Whoever is given an id finds no CPU with translations tagged with it. */
static void take_vpid(void)
{
	u16 vpid;
	int cpu;

	machine_point();
	vpid = vtx_vpid_alloc();
	for (cpu = 0; vpid && cpu < threads; cpu++)
		if (hw_find(cpu, HW_COMBINED, vpid, 0, 1, 0))
			violation("V3", "VPID %u handed out, CPU %d has translations of its last owner",
				  vpid, cpu);
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
};

static void setup(const struct scenario *s)
{
	int i;

	scheduler_sp = NULL;
	machine_cpu = 0;
	hw.cap = HW_CAP_ALL;
	threads = s->body[2] ? 3 : 2;
	nr_cpu_ids = threads;
	memset(freed, 0, sizeof(freed));
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
			prepare(i, s->body[i]);
	}
	nr_watched = 0;
	watched[nr_watched++] = &vm.ept_gen;
	for (i = 0; i < threads; i++) {
		watched[nr_watched++] = &vm.cpu[i].in_guest;
		watched[nr_watched++] = &vcpu[i].request;
	}
}

int main(int argc, char **argv)
{
	char *fresh = malloc(__stop_vtx_state - __start_vtx_state);
	unsigned int i = 0, n = sizeof(scenarios) / sizeof(scenarios[0]);

	if (argc > 1) {
		if ((unsigned int)atoi(argv[1]) < n)
			n = atoi(argv[1]);
		i = n ? n - 1 : 0;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	memcpy(fresh, __start_vtx_state, __stop_vtx_state - __start_vtx_state);
	for (; i < n; i++) {
		unsigned long long runs = 0;

		planned = 0;
		states = 0;
		free(seen);
		seen = calloc(1ul << TABLE_BITS, sizeof(*seen));
		for (;;) {
			memcpy(__start_vtx_state, fresh, __stop_vtx_state - __start_vtx_state);
			setup(&scenarios[i]);
			if (run_once() && scenarios[i].after)
				scenarios[i].after();
			runs++;
			/* The last choice that has an alternative left. */
			planned = depth;
			while (planned && choice[planned - 1] + 1 == choices[planned - 1])
				planned--;
			if (!planned)
				break;
			choice[planned - 1]++;
		}
		printf("ok %u tlb race: %s, %llu states, %llu runs\n",
		       argc > 1 ? 1 : i + 1, scenarios[i].name,
		       (unsigned long long)states, runs);
	}
	printf("1..%u\n", argc > 1 ? 1 : n);
	return 0;
}
