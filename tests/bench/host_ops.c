// SPDX-License-Identifier: GPL-2.0
/* Operations timed by the host: making and ending machines, many of them, moves. */
#include <sched.h>

#include "bench.h"

#define ROUNDS		32		/* per machine */
#define VCPUS		9
#define LIVES		5

extern const uint8_t guest_bench_spin[], guest_bench_spin_end[];

/* The way into the module and back: every round trip to the VMM has it. */
static long ioctl_nothing(void)
{
	uint64_t sample[ROUNDS], start;
	int dev = device_open();

	for (int i = 0; i < ROUNDS; i++) {
		start = now();
		ioctl(dev, _IO(KVMIO, 0xff), 0);
		sample[i] = now() - start;
	}
	close(dev);
	return median(sample, ROUNDS);
}

static long create_vcpu(void)
{
	uint64_t sample[VCPUS], start;
	int cpu[VCPUS];
	struct vm vm;
	long cost;

	vm_create(&vm);
	for (int i = 0; i < VCPUS; i++) {
		if (i == VCPUS - 1)
			magic();
		start = now();
		cpu[i] = ioctl(vm.fd, KVM_CREATE_VCPU, i + 1);
		sample[i] = now() - start;
		if (i == VCPUS - 1)
			magic();
		if (cpu[i] < 0)
			die("KVM_CREATE_VCPU");
	}
	cost = median(sample, VCPUS);
	for (int i = 0; i < VCPUS; i++)
		close(cpu[i]);
	vm_destroy(&vm);
	return cost;
}

static void one_life(int dev, void *ram)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE, .userspace_addr = (uintptr_t)ram,
	};
	int vm = ioctl(dev, KVM_CREATE_VM, 0), cpu;

	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_CREATE_VM");
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (cpu < 0)
		die("KVM_CREATE_VCPU");
	close(cpu);
	close(vm);
}

static long vm_life(void)
{
	void *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sample[LIVES], start;
	int dev = device_open();

	for (int i = 0; i < LIVES; i++) {
		if (i == LIVES - 1)
			magic();
		start = now();
		one_life(dev, ram);
		sample[i] = now() - start;
		if (i == LIVES - 1)
			magic();
	}
	close(dev);
	munmap(ram, RAM_SIZE);
	return median(sample, LIVES);
}

static void start_spinning(struct vm *vm)
{
	vm_create(vm);
	vm_set_supported_cpuid(vm);
	vm_load(vm, CODE, guest_bench_spin, guest_bench_spin_end);
	vm_enter(vm, MODE_LONG, 0);
}

static uint64_t round_trip(struct vm *vm)
{
	uint64_t start = now();
	int r = ioctl(vm->cpu, KVM_RUN, 0);
	uint64_t took = now() - start;

	if (r || vm->run->exit_reason != KVM_EXIT_IO || vm->run->io.port != PORT_OUT)
		die("KVM_RUN gave %d and exit %u", r, vm->run->exit_reason);
	return took;
}

/* A round trip of each machine in turn. */
static long side_by_side(int machines)
{
	struct vm *vm = calloc(machines, sizeof(*vm));
	uint64_t *sample = calloc(machines * ROUNDS, sizeof(*sample));
	long cost;
	int n = 0;

	for (int i = 0; i < machines; i++) {
		start_spinning(&vm[i]);
		round_trip(&vm[i]);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < machines; i++)
			sample[n++] = round_trip(&vm[i]);
	cost = median(sample, n);
	for (int i = 0; i < machines; i++)
		vm_destroy(&vm[i]);
	free(vm);
	free(sample);
	return cost;
}

static void go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity to CPU %d", cpu);
}

/* The first round trip after a move, and the one that follows it. */
static void moves(long *moved, long *stayed)
{
	uint64_t first[ROUNDS], second[ROUNDS];
	struct vm vm;

	go_to(0);
	start_spinning(&vm);
	round_trip(&vm);
	for (int i = 0; i < ROUNDS; i++) {
		go_to((i + 1) & 1);
		first[i] = round_trip(&vm);
		second[i] = round_trip(&vm);
	}
	*moved = median(first, ROUNDS);
	*stayed = median(second, ROUNDS);
	vm_destroy(&vm);
}

void bench_host(const char *only)
{
	static const struct { const char *name; int machines; } sets[] = {
		{ "out_1_vm", 1 }, { "out_8_vms", 8 }, { "out_64_vms", 64 },
	};
	long overhead = clock_overhead(), moved, stayed;

	if (bench_wanted("ioctl_nothing", only))
		bench_print("ioctl_nothing", ioctl_nothing() - overhead);
	if (bench_wanted("create_vcpu", only))
		bench_print("create_vcpu", create_vcpu() - overhead);
	if (bench_wanted("vm_life", only))
		bench_print("vm_life", vm_life() - overhead);
	for (int i = 0; i < 3; i++)
		if (bench_wanted(sets[i].name, only))
			bench_print(sets[i].name, side_by_side(sets[i].machines) - overhead);
	if (only && !strcmp(only, "migrate")) {
		moves(&moved, &stayed);
		bench_print("out_after_move", moved - overhead);
		bench_print("out_at_rest", stayed - overhead);
	}
}
