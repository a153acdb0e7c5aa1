// SPDX-License-Identifier: GPL-2.0
/* The engine of races between vCPUs and changes of their memory. */
#include "race.h"

uint8_t *map_at(void *at, size_t size, int flags, int fd)
{
	uint8_t *p = mmap(at, size, PROT_READ | PROT_WRITE,
			  flags | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd, 0);

	if (p == MAP_FAILED)
		die("mmap of %#zx bytes", size);
	return p;
}

/* At a multiple of 2 MBytes, with as much unmapped behind it. */
uint8_t *map_aligned(size_t size)
{
	uint8_t *p = map_at(NULL, size + 2 * LARGE, MAP_NORESERVE, -1), *at;

	at = (uint8_t *)(((uintptr_t)p + LARGE - 1) & ~(LARGE - 1));
	munmap(p, size + 2 * LARGE);
	return map_at(at, size, MAP_FIXED | MAP_NORESERVE, -1);
}

void fill(uint8_t *mem, int flags)
{
	for (uint64_t i = 0; i < PAGES; i++)
		*(uint64_t *)(mem + i * PAGE) = MAGIC + (flags & ALL_SAME ? 0 : i);
}

struct hole hole = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* From now on, what the guest does in the hole is done to @to; the rest gets POISON. */
void move_hole(uint8_t *to)
{
	pthread_mutex_lock(&hole.lock);
	memcpy(to, hole.mem, SIZE / 2);
	memset(hole.mem, POISON, SIZE / 2);
	hole.mem = to;
	pthread_mutex_unlock(&hole.lock);
}

bool is_poison(const uint8_t *mem)
{
	return mem[0] == POISON && !memcmp(mem, mem + 1, SIZE / 2 - 1);
}

/* What the guest can't do by itself. Return: it was to be expected. */
static bool do_access(struct runner *r)
{
	struct kvm_run *run = r->vm.run;
	uint64_t at = run->mmio.phys_addr - BASE, data;
	bool is_hole = (r->flags & HOLES) && at >= SIZE / 2;

	if (run->exit_reason != KVM_EXIT_MMIO || run->mmio.len != 8 || at >= SIZE)
		return false;
	r->accesses++;
	memcpy(&data, run->mmio.data, 8);
	if (r->flags & READ_ONLY)
		return run->mmio.is_write && at % PAGE == r->word && data == ~(MAGIC + at / PAGE);
	if (!is_hole)
		return false;
	pthread_mutex_lock(&hole.lock);
	if (run->mmio.is_write)
		memcpy(hole.mem + at - SIZE / 2, run->mmio.data, 8);
	else
		memcpy(run->mmio.data, hole.mem + at - SIZE / 2, 8);
	pthread_mutex_unlock(&hole.lock);
	return true;
}

static void *run_cpu(void *arg)
{
	struct runner *r = arg;
	long error;

	for (;;) {
		error = vm_run(&r->vm);
		if (error == -EINTR || (!error && do_access(r)))
			continue;
		if (error != -EFAULT || !(r->flags & FAULT_OK))
			break;
		r->faults++;
		usleep(100);
	}
	r->error = error ? error : r->vm.run->exit_reason == KVM_EXIT_HLT ? 0 : 1;
	r->done = true;
	return NULL;
}

volatile uint64_t *stop_word(struct vm *m)
{
	return (volatile uint64_t *)(m->ram + STOP);
}

/* IF is set: without, Bochs holds host interrupts back (vm_set_interruptible()). */
void start_race(struct vm *m, struct runner *r, int flags)
{
	*stop_word(m) = 0;
	for (int i = 0; i < RACERS; i++) {
		struct kvm_regs regs = {
			.rip = CODE, .rflags = 0x202, .rbx = BASE, .rsi = STOP, .r9 = PAGES - 1,
			.r8 = !(flags & ALL_SAME), .r10 = MAGIC,
			.r11 = flags & ZERO_OK ? 0 : MAGIC,
			.r12 = 8 + 8 * i, .r14 = flags & (WRITES | REWRITES),
		};

		r[i] = (struct runner){ .vm = *m, .flags = flags, .word = regs.r12 };
		if (i)
			r[i].vm.cpu = vm_add_cpu(m, i, &r[i].vm.run);
		if (flags & READ_ONLY)
			vm_start(&r[i].vm, MODE_LONG, verify_rom);
		else
			vm_start(&r[i].vm, MODE_LONG, verify);
		if (i && (flags & INSIDE))
			regs.rip = INSIDE_AT;
		vm_set_regs(&r[i].vm, &regs);
	}
	for (int i = 0; i < RACERS; i++)
		if (pthread_create(&r[i].thread, NULL, run_cpu, &r[i]))
			die("pthread_create");
}

uint64_t passes(struct vm *m, int cpu)
{
	return stop_word(m)[1 + cpu];
}

/* Until each vCPU has seen all pages again: at most 5 s, and while both run. */
bool wait_passes(struct vm *m, struct runner *r, unsigned int n)
{
	uint64_t from[RACERS] = { passes(m, 0), passes(m, 1) };

	for (int i = 0; i < 500; i++) {
		if (passes(m, 0) >= from[0] + n && passes(m, 1) >= from[1] + n)
			return true;
		if (r[0].done || r[1].done)
			return false;
		usleep(10000);
	}
	return false;
}
