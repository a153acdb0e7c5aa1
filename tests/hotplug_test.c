// SPDX-License-Identifier: GPL-2.0
/* CPUs that go and come back under running vCPUs. */
#include <pthread.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
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
	cpu_set_t set;

	NEED_CPU1();
	ASSERT_TRUE(set_online(false));
	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	ASSERT_TRUE(set_online(true));
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	ASSERT_EXIT(KVM_EXIT_HLT, &m);
	vm_destroy(&m);
}

/* A vCPU last run on a CPU that is gone dies while it is gone. */
TEST_F(hotplug, vm_destroyed_while_its_last_cpu_is_offline)
{
	struct vm m;
	cpu_set_t set;

	NEED_CPU1();
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &m);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
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
	cpu_set_t set;

	NEED_CPU1();
	vm_create(&m);
	vm_start(&m, MODE_REAL, sync16);
	for (int i = 1; i <= 100; i++) {
		CPU_ZERO(&set);
		CPU_SET(i & 1, &set);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
		ASSERT_EXIT(KVM_EXIT_IO, &m);
		ASSERT_EQ(i, *(uint8_t *)vm_io_data(&m));
	}
	vm_destroy(&m);
}

TEST_HARNESS_MAIN
