// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs as coroutines, store buffers, interrupts, and every schedule of them: see
 * tlb_race.h.
 */
#include "tlb_race.h"

#define STACK		(64 * 1024)
#define MAX_CHOICES	256
#define TABLE_BITS	22

struct thread thread[THREADS];
int threads;
int machine_cpu;
static void *scheduler_sp;
static u8 choice[MAX_CHOICES], choices[MAX_CHOICES];
static int depth, planned;
static int locks_held;
static const void *watched[8];
static int nr_watched;

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

void race_prepare(int cpu, void (*body)(void))
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

bool race_ipi_pending(int cpu)
{
	int i;

	for (i = 0; i < threads; i++)
		if (thread[cpu].ipi[i])
			return true;
	return false;
}

static bool ipi_can_arrive(int cpu)
{
	return race_ipi_pending(cpu) && !thread[cpu].exiting &&
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
static u64 *seen;
u64 race_states;

u64 race_hash(u64 h, const void *p, size_t size)
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

static bool seen_before(void)
{
	u64 h, i;
	int cpu;

	race_forget();
	machine_cpu = 0;
	h = race_hash(1, __start_vtx_state, __stop_vtx_state - __start_vtx_state);
	h = race_world_hash(h);
	h = race_hash(h, thread, sizeof(thread));
	for (cpu = 0; cpu < threads; cpu++)
		h = race_hash(h, thread[cpu].sp, thread[cpu].stack + STACK - (char *)thread[cpu].sp);

	for (i = h >> (64 - TABLE_BITS); seen[i]; i = (i + 1) & ((1 << TABLE_BITS) - 1))
		if (seen[i] == h)
			return true;
	seen[i] = h;
	if (++race_states > 3ull << (TABLE_BITS - 2))
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

void race_watch(const void *p)
{
	watched[nr_watched++] = p;
}

void race_alone(int cpu)
{
	scheduler_sp = NULL;
	machine_cpu = cpu;
}

unsigned long long race_all_schedules(void (*setup)(void), void (*after)(void))
{
	static char *fresh;
	size_t size = __stop_vtx_state - __start_vtx_state;
	unsigned long long runs = 0;

	if (!fresh)
		fresh = memcpy(malloc(size), __start_vtx_state, size);
	planned = 0;
	race_states = 0;
	free(seen);
	seen = calloc(1ul << TABLE_BITS, sizeof(*seen));
	for (;;) {
		memcpy(__start_vtx_state, fresh, size);
		nr_watched = 0;
		race_alone(0);
		setup();
		if (run_once() && after)
			after();
		runs++;
		/* The last choice that has an alternative left. */
		planned = depth;
		while (planned && choice[planned - 1] + 1 == choices[planned - 1])
			planned--;
		if (!planned)
			return runs;
		choice[planned - 1]++;
	}
}
