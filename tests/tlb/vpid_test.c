// SPDX-License-Identifier: GPL-2.0
/*
 * Which INVVPID and INVEPT the module executes, instruction by instruction, as
 * its own counters tell: VTX_GET_INFO and VTX_GET_TLB_STATS. The rules head
 * src/tlb/tlb.c. What the guest sees is tested as well, but only hardware that
 * keeps translations over VM exits can show a missing flush that way.
 *
 * Tests of exhaustion need a small pool: vpid_pool_test.sh loads the module
 * with one. The leak test has LIVES vCPU lives, a few emulated seconds; counters are
 * exact, so one id that leaks shows. STORM=200000 takes each id of the pool three
 * times.
 */
#include <sys/mount.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/tlb.h"

#define FLIP_LA		0x100000UL	/* mapped to one of two pages of SCRATCH */
#define set_policy(policy) put_text("/sys/module/vtx/parameters/vpid_policy", policy)
#define TRACING	"/sys/kernel/tracing"
#define SMALL_POOL	8
#define LIVES		10000

/* The guest's entry that maps @la. */
static uint64_t *pte(struct vm *vm, uint64_t la)
{
	uint64_t entry = vm_sregs(vm).cr3;

	for (int shift = 39; shift > 12; shift -= 9)
		entry = *(uint64_t *)(vm->ram + (entry & ~0xfffUL) + (la >> shift & 511) * 8);
	return (uint64_t *)(vm->ram + (entry & ~0xfffUL) + (la >> 12 & 511) * 8);
}

static void start_flipping(struct vm *vm)
{
	struct kvm_regs regs;
	uint64_t *entry;

	memset(vm->ram, 0, PAGE);	/* all of it there before the first entry */
	for (size_t gpa = 0; gpa < RAM_SIZE; gpa += PAGE)
		*(volatile uint8_t *)(vm->ram + gpa) += 0;
	vm_start(vm, MODE_LONG_4K, vpid_flip64);
	entry = pte(vm, FLIP_LA);
	*entry = SCRATCH | 7;
	vm->ram[SCRATCH] = 'A';
	vm->ram[SCRATCH + PAGE] = 'B';
	regs = vm_regs(vm);
	regs.rdi = (uint8_t *)entry - vm->ram;
	regs.rsi = FLIP_LA;
	vm_set_regs(vm, &regs);
}

static int run_to_byte(struct vm *vm)
{
	if (vm_run(vm) || vm->run->exit_reason != KVM_EXIT_IO)
		return -1;
	return *(uint8_t *)vm_io_data(vm);
}

FIXTURE(vpid) { struct vm m; bool made; int page; };

FIXTURE_SETUP(vpid)
{
	if (on_kvm())
		SKIP(return, "no VTX_GET_INFO on KVM");
	on_cpu(0);
	vm_create(&self->m);
	self->made = true;
	start_flipping(&self->m);
}

FIXTURE_TEARDOWN(vpid)
{
	if (self->made)
		vm_destroy(&self->m);
}

/* One round: what the page reads as is what the guest last made it. */
#define ROUND() do {							\
	ASSERT_EQ('A' + self->page, run_to_byte(&self->m));		\
	self->page = !self->page;					\
	ASSERT_EQ('A' + self->page, run_to_byte(&self->m));		\
} while (0)

TEST_F(vpid, first_entry_costs_one_invept_and_no_invvpid)
{
	struct vtx_tlb_stats s;

	ROUND();
	s = stats(self->m.cpu);
	EXPECT_EQ(1, invepts(&s, VTX_TLB_CREATE));
	EXPECT_EQ(1, flushes(&s));
	EXPECT_EQ(0, s.event[VTX_TLB_MIGRATIONS]);
}

TEST_F(vpid, staying_costs_nothing)
{
	struct vtx_tlb_stats before, s;

	ROUND();
	before = stats(self->m.cpu);
	for (int i = 0; i < 100; i++)
		ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(0, flushes(&s));
	EXPECT_EQ(0, s.event[VTX_TLB_MIGRATIONS]);
}

TEST_F(vpid, migration_costs_one_invvpid_where_it_has_been_before)
{
	enum { MOVES = 20 };
	struct vtx_tlb_stats s;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid)
		SKIP(return, "needs two CPUs and a VPID");
	ROUND();
	for (int i = 1; i <= MOVES; i++) {
		on_cpu(i & 1);
		ROUND();
	}
	s = stats(self->m.cpu);
	/* One INVEPT on each CPU, since the EPT root is new there. */
	EXPECT_EQ(2, invepts(&s, VTX_TLB_CREATE));
	EXPECT_EQ(2, s.avoided[VTX_TLB_FIRST_VISIT]);
	EXPECT_EQ(MOVES, s.event[VTX_TLB_MIGRATIONS]);
	EXPECT_EQ(MOVES - 1, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_MIGRATE]);
	EXPECT_EQ(2 + MOVES - 1, flushes(&s));
}

TEST_F(vpid, state_set_from_outside_costs_one_invvpid)
{
	struct vtx_tlb_stats before, s;
	struct kvm_sregs sregs;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	ROUND();
	before = stats(self->m.cpu);
	sregs = vm_sregs(&self->m);
	for (int i = 0; i < 3; i++)
		vm_set_sregs(&self->m, &sregs);
	ROUND();
	ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_STATE]);
	EXPECT_EQ(1, flushes(&s));
}

TEST_F(vpid, state_set_and_moved_costs_one_invvpid)
{
	struct vtx_tlb_stats before, s;
	struct kvm_sregs sregs;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid)
		SKIP(return, "needs two CPUs and a VPID");
	ROUND();
	on_cpu(1);
	ROUND();
	before = stats(self->m.cpu);
	sregs = vm_sregs(&self->m);
	vm_set_sregs(&self->m, &sregs);
	on_cpu(0);
	ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_MIGRATE]);
	EXPECT_EQ(1, s.avoided[VTX_TLB_MERGED]);
	EXPECT_EQ(1, flushes(&s));
}

/* The flush comes before the guest's next instruction, not at some later entry. */
TEST_F(vpid, efer_set_by_the_guest_costs_one_invvpid)
{
	struct vtx_tlb_stats s;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	vm_start(&self->m, MODE_LONG, vpid_efer64);
	for (int i = 1; i <= 3; i++) {
		ASSERT_EXIT(KVM_EXIT_IO, &self->m);
		s = stats(self->m.cpu);
		EXPECT_EQ(i, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_STATE]);
	}
}

/* Control registers whose writes exit: the same. */
TEST_F(vpid, cr0_and_cr4_set_by_the_guest_cost_one_invvpid)
{
	struct vtx_tlb_stats before, s;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	for (int cr = 0; cr <= 4; cr += 4) {
		if (cr)
			vm_start(&self->m, MODE_LONG, vpid_cr4_64);
		else
			vm_start(&self->m, MODE_LONG, vpid_cr0_64);
		/* The guest has done nothing yet; what the VMM set is flushed for. */
		ASSERT_EXIT(KVM_EXIT_IO, &self->m);
		before = stats(self->m.cpu);
		for (int i = 1; i <= 3; i++) {
			ASSERT_EXIT(KVM_EXIT_IO, &self->m);
			s = since(before, stats(self->m.cpu));
			EXPECT_EQ(i, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_STATE])
				TH_LOG("CR%d", cr);
			EXPECT_EQ(i, flushes(&s));
		}
	}
}

TEST_F(vpid, memory_taken_away_costs_one_invept_at_the_next_entry)
{
	struct vtx_tlb_stats before, s;
	uint8_t *page = self->m.ram + SCRATCH + PAGE;

	ROUND();		/* B */
	before = stats(self->m.fd);
	if (mprotect(page, PAGE, PROT_READ) || mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
	s = since(before, stats(self->m.fd));
	EXPECT_EQ(0, flushes(&s));
	EXPECT_LE(1, s.event[VTX_TLB_EPT_CHANGES]);
	EXPECT_EQ(0, s.event[VTX_TLB_KICKS]);

	/* The guest sees what is there now. */
	if (madvise(page, PAGE, MADV_DONTNEED))
		die("madvise");
	EXPECT_EQ(0, run_to_byte(&self->m));
	s = since(before, stats(self->m.fd));
	EXPECT_EQ(1, invepts(&s, VTX_TLB_EPT));
	EXPECT_EQ(1, flushes(&s));
}

TEST_F(vpid, move_with_invept_due_needs_no_invvpid)
{
	struct vtx_tlb_stats before, s;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid)
		SKIP(return, "needs two CPUs and a VPID");
	ROUND();
	on_cpu(1);
	ROUND();
	before = stats(self->m.cpu);
	if (madvise(self->m.ram + SCRATCH + 8 * PAGE, PAGE, MADV_DONTNEED) ||
	    madvise(self->m.ram + SCRATCH + PAGE, PAGE, MADV_DONTNEED))
		die("madvise");
	self->m.ram[SCRATCH + PAGE] = 'B';
	on_cpu(0);
	ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.event[VTX_TLB_MIGRATIONS]);
	EXPECT_EQ(1, s.avoided[VTX_TLB_COVERED]);
	EXPECT_EQ(invepts(&s, VTX_TLB_EPT), flushes(&s));
}

TEST_F(vpid, teardown_flushes_the_cpus_visited)
{
	for (int visits = 0; visits <= (nr_cpus() > 1 ? 2 : 1); visits++) {
		struct vtx_tlb_stats before, s;
		struct vm m;

		vm_create(&m);
		if (!info(m.cpu).vpid) {
			vm_destroy(&m);
			SKIP(return, "VPIDs are off");
		}
		start_flipping(&m);
		for (int cpu = 0; cpu < visits; cpu++) {
			on_cpu(cpu);
			ASSERT_LT(0, run_to_byte(&m));
		}
		before = stats(self->m.dev);
		vm_destroy(&m);
		s = since(before, stats(self->m.dev));
		EXPECT_EQ(visits, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_TEARDOWN]);
		EXPECT_EQ(visits, flushes(&s));
		EXPECT_EQ(-1, (int64_t)s.vpids_in_use);
		on_cpu(0);
	}
}

/*
 * Nothing is there with the VPID: it was scrubbed. The EPT root gets its INVEPT as
 * on every CPU that is new to it, whether or not the scrub has covered it.
 */
TEST_F(vpid, cpu_that_left_is_clean_when_it_comes_back)
{
	struct vtx_tlb_stats before, s;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid || access(CPU1_ONLINE, W_OK))
		SKIP(return, "needs a VPID and a CPU that can go offline");
	ROUND();
	on_cpu(1);
	ROUND();
	on_cpu(0);
	ROUND();
	before = stats(self->m.cpu);
	put_text(CPU1_ONLINE, "0");
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.avoided[VTX_TLB_SCRUBBED]);
	put_text(CPU1_ONLINE, "1");
	on_cpu(1);
	ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.avoided[VTX_TLB_FIRST_VISIT]);
	EXPECT_EQ(1, invepts(&s, VTX_TLB_CREATE));
	EXPECT_EQ(1, flushes(&s));
	EXPECT_EQ(1, s.event[VTX_TLB_MIGRATIONS]);
}

/* Where it ran last is gone, and it moved all the same. */
TEST_F(vpid, move_from_a_cpu_that_left_is_a_migration)
{
	struct vtx_tlb_stats before, s;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid || access(CPU1_ONLINE, W_OK))
		SKIP(return, "needs a VPID and a CPU that can go offline");
	ROUND();
	on_cpu(1);
	ROUND();
	before = stats(self->m.cpu);
	put_text(CPU1_ONLINE, "0");	/* and this thread goes elsewhere */
	ROUND();
	s = since(before, stats(self->m.cpu));
	put_text(CPU1_ONLINE, "1");
	EXPECT_EQ(1, s.event[VTX_TLB_MIGRATIONS]);
	EXPECT_EQ(1, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_MIGRATE]);
	EXPECT_EQ(1, flushes(&s));
}

static void clear_trace(void)
{
	int fd = open(TRACING "/trace", O_WRONLY | O_TRUNC);

	if (fd < 0)
		die("trace");
	close(fd);
}

TEST_F(vpid, tracepoints_name_vpid_and_cause)
{
	static const char * const events[] = {
		"vtx_vpid_alloc", "vtx_vpid_free", "vtx_invvpid", "vtx_invept",
		"vtx_vcpu_migrate",
	};
	/* Each with the VPID where it has a %u. */
	static const char * const lines[] = {
		"vtx_vpid_alloc: vpid %u in_use ",
		"vtx_vcpu_migrate: vpid %u cpu 0 -> 1",
		"vtx_invvpid: type 1 vpid %u cause migrate",
		"vtx_invvpid: type 1 vpid %u cause teardown",
		"vtx_vpid_free: vpid %u in_use ",
		" cause create", " cause ept",		/* vtx_invept's only */
		"vtx_invept: type 2 eptp 0x0 cause scrub",
		"vtx_invvpid: type 2 vpid 0 cause scrub",
	};
	static char trace[65536];
	char line[80];
	uint32_t vpid;
	int fd;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid || access(CPU1_ONLINE, W_OK))
		SKIP(return, "needs a VPID and a CPU that can go offline");
	if (access(TRACING "/events", F_OK) && mount("t", TRACING, "tracefs", 0, NULL))
		SKIP(return, "no tracefs");
	clear_trace();
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		snprintf(line, sizeof(line), TRACING "/events/vtx/%s/enable", events[i]);
		put_text(line, "1");
	}
	vm_destroy(&self->m);
	self->made = false;
	vm_create(&self->m);
	self->made = true;
	start_flipping(&self->m);
	vpid = info(self->m.cpu).vpid;
	ROUND();
	on_cpu(1);
	ROUND();
	on_cpu(0);
	ROUND();
	madvise(self->m.ram + SCRATCH + PAGE, PAGE, MADV_DONTNEED);
	run_to_byte(&self->m);
	vm_destroy(&self->m);
	self->made = false;
	put_text(CPU1_ONLINE, "0");
	put_text(CPU1_ONLINE, "1");
	fd = open(TRACING "/trace", O_RDONLY);
	ASSERT_LE(0, fd);
	for (ssize_t n, at = 0; (n = read(fd, trace + at, sizeof(trace) - 1 - at)) > 0;)
		at += n;
	close(fd);
	put_text(TRACING "/events/vtx/enable", "0");
	clear_trace();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line), lines[i], vpid);
		EXPECT_NE(NULL, strstr(trace, line))
			TH_LOG("no line '%s' in %.1000s", line, trace);
	}
}

TEST_F(vpid, ids_are_nonzero_and_each_vcpus_own)
{
	struct kvm_run *run;
	uint32_t a, b;
	int cpu;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	if (info(self->m.dev).vpids < 2)
		SKIP(return, "the pool has one id");
	cpu = vm_add_cpu(&self->m, 1, &run);
	a = info(self->m.cpu).vpid;
	b = info(cpu).vpid;
	EXPECT_NE(0, b);
	EXPECT_NE(a, b);
	EXPECT_EQ(0, info(self->m.fd).vpid);
	munmap(run, self->m.run_size);
	close(cpu);
}

/* Every counter of the system is the sum of what VMs saw, and scrubs. */
TEST_F(vpid, system_counts_what_the_vm_counts)
{
	struct vtx_tlb_stats sys = stats(self->m.dev), vm = stats(self->m.fd), cpu;

	ROUND();
	sys = since(sys, stats(self->m.dev));
	vm = since(vm, stats(self->m.fd));
	cpu = stats(self->m.cpu);
	EXPECT_EQ(0, memcmp(sys.flush, vm.flush, sizeof(sys.flush)));
	EXPECT_EQ(0, memcmp(cpu.flush, vm.flush, sizeof(cpu.flush)));
	sys = stats(self->m.dev);
	EXPECT_LE(nr_cpus(), (int)invepts(&sys, VTX_TLB_SCRUB));
	EXPECT_EQ(0, sys.event[VTX_TLB_FAILURES]);
	EXPECT_EQ(0, sys.vpids_retired);
}

TEST_F(vpid, policy_always_flushes_at_each_entry)
{
	struct vtx_tlb_stats before, s;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	ROUND();
	before = stats(self->m.cpu);
	set_policy("always");
	for (int i = 0; i < 5; i++)
		ROUND();
	set_policy("single");
	s = since(before, stats(self->m.cpu));
	EXPECT_LE(10, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_POLICY]);
	EXPECT_EQ(flushes(&s), s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_POLICY]);
	before = stats(self->m.cpu);
	ROUND();
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(0, flushes(&s));
}

/* Entries that follow one another without a look at anything else, too. */
TEST_F(vpid, policy_always_flushes_at_entries_that_stay_in_the_kernel)
{
	enum { CPUIDS = 32 };		/* in the guest's loop */
	struct vtx_tlb_stats before, s;

	if (!info(self->m.cpu).vpid)
		SKIP(return, "this vCPU has no VPID");
	vm_start(&self->m, MODE_LONG, vpid_cpuid64);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	before = stats(self->m.cpu);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(0, flushes(&s));
	set_policy("always");
	before = stats(self->m.cpu);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	set_policy("single");
	s = since(before, stats(self->m.cpu));
	/* One for KVM_RUN, one behind each CPUID, and one per interrupt. */
	EXPECT_LE(CPUIDS + 1, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_POLICY]);
}

TEST_F(vpid, policy_all_drops_all_contexts_on_migration)
{
	struct vtx_tlb_stats before, s;

	if (nr_cpus() < 2 || !info(self->m.cpu).vpid)
		SKIP(return, "needs two CPUs and a VPID");
	ROUND();
	on_cpu(1);
	ROUND();
	before = stats(self->m.cpu);
	set_policy("all");
	on_cpu(0);
	ROUND();
	set_policy("single");
	s = since(before, stats(self->m.cpu));
	EXPECT_EQ(1, s.flush[VTX_TLB_INVVPID_ALL][VTX_TLB_MIGRATE]);
	EXPECT_EQ(1, flushes(&s));
}

TEST_F(vpid, policy_off_gives_no_vpid_and_the_guest_runs)
{
	struct vtx_tlb_stats s;
	struct vm m;

	set_policy("off");
	vm_create(&m);
	set_policy("single");
	EXPECT_EQ(0, info(m.cpu).vpid);
	EXPECT_ERRNO(EINVAL, set_policy("sometimes"));
	start_flipping(&m);
	for (int i = 0; i < 4; i++) {
		on_cpu(i % nr_cpus() & 1);
		EXPECT_EQ('A' + (i & 1), run_to_byte(&m));
		EXPECT_EQ('A' + !(i & 1), run_to_byte(&m));
	}
	s = stats(m.cpu);
	EXPECT_EQ(flushes(&s), invepts(&s, VTX_TLB_CREATE));
	EXPECT_LE(1, s.avoided[VTX_TLB_NO_VPID]);
	vm_destroy(&m);
	on_cpu(0);
}

TEST_F(vpid, exhausted_pool_gives_vcpus_without_vpid_and_recovers)
{
	uint32_t ids = info(self->m.dev).vpids;
	struct vtx_tlb_stats before = stats(self->m.dev), s;
	struct vm m[SMALL_POOL + 1];

	if (!ids || ids > SMALL_POOL)
		SKIP(return, "the pool is off or large; see vpid_pool_test.sh");
	for (uint32_t i = 0; i < ids; i++) {
		vm_create(&m[i]);
		EXPECT_EQ(i < ids - 1, info(m[i].cpu).vpid != 0);
	}
	s = stats(self->m.dev);
	EXPECT_EQ(ids, s.vpids_in_use);
	EXPECT_EQ(before.vpids_exhausted + 1, s.vpids_exhausted);

	/* The one that has none works. */
	start_flipping(&m[ids - 1]);
	EXPECT_EQ('A', run_to_byte(&m[ids - 1]));
	EXPECT_EQ('B', run_to_byte(&m[ids - 1]));

	/* An id that comes free is there for the next vCPU. */
	vm_destroy(&self->m);
	vm_create(&self->m);
	EXPECT_NE(0, info(self->m.cpu).vpid);
	for (uint32_t i = 0; i < ids; i++)
		vm_destroy(&m[i]);
	s = stats(self->m.dev);
	EXPECT_EQ(1, s.vpids_in_use);
}

/* VMs that come and go; one in ten has entered, and is flushed for when it goes. */
TEST_F_TIMEOUT(vpid, many_lives_leak_no_id, 900)
{
	long lives = getenv("STORM") ? atol(getenv("STORM")) : LIVES, ran = 0;
	struct vtx_tlb_stats before = stats(self->m.dev), s;

	for (long i = 0; i < lives; i++) {
		int vm = ioctl(self->m.dev, KVM_CREATE_VM, 0), cpu;

		ASSERT_LE(0, vm);
		cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		ASSERT_LE(0, cpu);
		if (i % 10 == 0) {
			/* Into nothing: there is no memory. It has entered all the same. */
			ASSERT_EQ(0, ioctl(cpu, KVM_RUN, 0));
			ran += info(cpu).vpid != 0;
		}
		close(i & 1 ? vm : cpu);
		close(i & 1 ? cpu : vm);
	}
	s = since(before, stats(self->m.dev));
	EXPECT_EQ(0, s.vpids_in_use);
	EXPECT_EQ(0, s.vpids_retired);
	EXPECT_EQ(ran, s.flush[VTX_TLB_INVVPID_SINGLE][VTX_TLB_TEARDOWN]);
	EXPECT_EQ((lives + 9) / 10, invepts(&s, VTX_TLB_CREATE));
	EXPECT_EQ(ran + (lives + 9) / 10, flushes(&s));
}

TEST_HARNESS_MAIN
