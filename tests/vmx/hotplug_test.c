// SPDX-License-Identifier: GPL-2.0
/* CPUs that go and come back, one by one and with the machine, under vCPUs. */
#include <pthread.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/tlb.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define ALARM "/sys/class/rtc/rtc0/wakealarm"
#define VCPUS 4
#define CYCLES 10

static bool set_online(bool online)
{
	int fd = open(ONLINE, O_WRONLY);
	bool ok = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

struct worker {
	struct vm m;
	pthread_t thread;
	volatile bool stop;
	volatile long exits;
	long wrong;
};

/* Counts with the guest, which counts in rax: any lost or doubled step shows. */
static void *run_and_check(void *arg)
{
	struct worker *w = arg;

	while (!w->stop) {
		int ret = vm_run(&w->m);

		if (ret == -EINTR)
			continue;
		w->exits++;
		if (ret || w->m.run->exit_reason != KVM_EXIT_IO ||
		    *(uint8_t *)vm_io_data(&w->m) != (uint8_t)w->exits)
			w->wrong++;
	}
	return NULL;
}

FIXTURE(hotplug) {
	struct worker worker[VCPUS];
	int started;
};

/* For each test: the harness runs it also after a SKIP in the setup. */
#define NEED_CPU1() do {						\
	if (!self->started)						\
		SKIP(return, "no CPU 1 to take away");			\
} while (0)

FIXTURE_SETUP(hotplug)
{
	self->started = 0;
	if (access(ONLINE, W_OK))
		return;
	set_online(true);
	for (int i = 0; i < VCPUS; i++) {
		struct worker *w = &self->worker[i];

		memset(w, 0, sizeof(*w));
		vm_create(&w->m);
		vm_start(&w->m, MODE_REAL, sync16);
		if (pthread_create(&w->thread, NULL, run_and_check, w))
			die("pthread_create");
		self->started++;
	}
}

FIXTURE_TEARDOWN(hotplug)
{
	for (int i = 0; i < self->started; i++) {
		struct worker *w = &self->worker[i];

		w->stop = true;
		pthread_join(w->thread, NULL);
		EXPECT_EQ(0, w->wrong);
		vm_destroy(&w->m);
	}
	if (self->started)
		set_online(true);
}

static long all_exits(struct worker *w)
{
	long sum = 0;

	for (int i = 0; i < VCPUS; i++)
		sum += w[i].exits;
	return sum;
}

TEST_F(hotplug, cpu_offline_and_online_keeps_vcpus_running)
{
	NEED_CPU1();
	for (int i = 0; i < CYCLES; i++) {
		long before;

		ASSERT_TRUE(set_online(false));
		before = all_exits(self->worker);
		usleep(20000);
		EXPECT_LT(before, all_exits(self->worker));
		ASSERT_TRUE(set_online(true));
		usleep(20000);
	}
}

/* A thread bound to the CPU that goes is moved, its vCPU with it. */
TEST_F(hotplug, cpu_offline_moves_vcpu_bound_to_it)
{
	cpu_set_t set;
	long before;

	NEED_CPU1();
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	ASSERT_EQ(0, pthread_setaffinity_np(self->worker[0].thread, sizeof(set), &set));
	usleep(20000);
	ASSERT_TRUE(set_online(false));
	before = self->worker[0].exits;
	usleep(100000);
	EXPECT_LT(before, self->worker[0].exits);
	ASSERT_TRUE(set_online(true));
}

TEST_F(hotplug, vm_created_while_cpu_is_offline_runs_on_it_later)
{
	struct vm m;

	NEED_CPU1();
	ASSERT_TRUE(set_online(false));
	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	ASSERT_TRUE(set_online(true));
	on_cpu(1);
	ASSERT_EXIT(KVM_EXIT_HLT, &m);
	vm_destroy(&m);
}

/* A vCPU last run on a CPU that is gone dies while it is gone. */
TEST_F(hotplug, vm_destroyed_while_its_last_cpu_is_offline)
{
	struct vm m;

	NEED_CPU1();
	on_cpu(1);
	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &m);
	on_cpu(0);
	ASSERT_TRUE(set_online(false));
	vm_destroy(&m);
	ASSERT_TRUE(set_online(true));
	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &m);
	vm_destroy(&m);
}

/* Two vCPUs of one VM on two CPUs, back and forth: each state stays its own. */
TEST_F(hotplug, vcpu_migrating_keeps_its_state)
{
	struct vm m;

	NEED_CPU1();
	vm_create(&m);
	vm_start(&m, MODE_REAL, sync16);
	for (int i = 1; i <= 100; i++) {
		on_cpu(i & 1);
		ASSERT_EXIT(KVM_EXIT_IO, &m);
		ASSERT_EQ(i, *(uint8_t *)vm_io_data(&m));
	}
	vm_destroy(&m);
}

/* How far a suspend goes, and which CPUs leave VMX operation on the way. */
struct level {
	const char *pm_test;
	bool others, boot;
};

/* An alarm wakes the machine if nothing else does. */
static bool suspend(const char *pm_test)
{
	bool ok;

	if (put_text("/sys/power/pm_test", pm_test))
		return false;
	put_text(ALARM, "0");
	ok = !put_text(ALARM, "+2") && !put_text("/sys/power/state", "mem");
	put_text(ALARM, "0");
	put_text("/sys/power/pm_test", "none");
	return ok;
}

struct sleeper {
	struct vm m;
	int cpus;
	bool counts;		/* the module's counters are there */
	int rounds;		/* that the guest has counted, in a byte */
};

FIXTURE(suspend) { struct sleeper s; };

FIXTURE_SETUP(suspend)
{
	struct sleeper *s = &self->s;

	vm_create(&s->m);
	vm_start(&s->m, MODE_REAL, sync16);
	s->rounds = 0;
	s->cpus = nr_cpus();
	s->counts = !on_kvm();
}

FIXTURE_TEARDOWN(suspend)
{
	struct vtx_tlb_stats before, after;
	struct sleeper *s = &self->s;
	struct vtx_info i;

	if (!s->counts)
		return vm_destroy(&s->m);
	/* It ended with a round on each CPU, so each is flushed, and nothing else is. */
	i = info(s->m.cpu);
	before = stats(s->m.dev);
	munmap(s->m.run, s->m.run_size);
	close(s->m.cpu);
	close(s->m.fd);
	after = since(before, stats(s->m.dev));
	EXPECT_EQ(i.vpid && s->rounds ? s->cpus : 0, flushes(&after));
}

/* The guest goes on where it was, on every CPU. */
#define ROUND_ON_EACH_CPU() do {					\
	for (int _cpu = s->cpus; _cpu--;) {				\
		on_cpu(_cpu);						\
		ASSERT_EXIT(KVM_EXIT_IO, &s->m);			\
		s->rounds++;						\
		ASSERT_EQ((uint8_t)s->rounds, *(uint8_t *)vm_io_data(&s->m)); \
	}								\
} while (0)

/*
 * CPUs that left VMX operation are scrubbed once each when they come back; the
 * vCPU's VPID, which was on all of them, needs no other flush there.
 */
static void check_counters(struct __test_metadata *_metadata, struct vm *m, int gone,
			   struct vtx_tlb_stats sys, struct vtx_tlb_stats cpu)
{
	bool all_invept = sys.flush[VTX_TLB_INVEPT_ALL][VTX_TLB_SCRUB];
	bool all_invvpid = sys.flush[VTX_TLB_INVVPID_ALL][VTX_TLB_SCRUB];

	sys = since(sys, stats(m->dev));
	cpu = since(cpu, stats(m->cpu));
	if (all_invept)
		EXPECT_EQ(gone, sys.flush[VTX_TLB_INVEPT_ALL][VTX_TLB_SCRUB]);
	if (all_invvpid)
		EXPECT_EQ(gone, sys.flush[VTX_TLB_INVVPID_ALL][VTX_TLB_SCRUB]);
	EXPECT_EQ(info(m->cpu).vpid ? gone : 0, cpu.avoided[VTX_TLB_SCRUBBED]);
	EXPECT_EQ(0, flushes(&cpu));
}

static void one_level(struct __test_metadata *_metadata, struct sleeper *s, struct level level)
{
	int gone = (level.others ? s->cpus - 1 : 0) + level.boot;
	struct vtx_tlb_stats sys = { }, cpu = { };

	ROUND_ON_EACH_CPU();
	if (s->counts) {
		sys = stats(s->m.dev);
		cpu = stats(s->m.cpu);
	}
	ASSERT_TRUE(suspend(level.pm_test))
		TH_LOG("pm_test %s: %s", level.pm_test, strerror(errno));
	ASSERT_EQ(s->cpus, nr_cpus());
	if (s->counts)
		check_counters(_metadata, &s->m, gone, sys, cpu);
	ROUND_ON_EACH_CPU();
}

#define NEED(path, word) do {						\
	if (!file_has(path, word))					\
		SKIP(return, path " offers no \"" word "\"");		\
} while (0)

/* Rehearsals: the kernel turns round after each step. */
TEST_F_TIMEOUT(suspend, turned_round_at_each_step, 120)
{
	static const struct level levels[] = {
		{ "freezer" }, { "devices" }, { "platform" },
		{ "processors", .others = true }, { "core", .others = true, .boot = true },
	};

	NEED("/sys/power/state", "mem");
	NEED("/sys/power/mem_sleep", "[deep]");
	NEED("/sys/power/pm_test", "core");
	put_text("/sys/module/suspend/parameters/pm_test_delay", "0");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		one_level(_metadata, &self->s, levels[i]);
}

TEST_F_TIMEOUT(suspend, to_ram, 120)
{
	NEED("/sys/power/state", "mem");
	NEED("/sys/power/mem_sleep", "[deep]");
	one_level(_metadata, &self->s, (struct level){ "none", .others = true, .boot = true });
}

TEST_HARNESS_MAIN
