// SPDX-License-Identifier: GPL-2.0
/* What interrupts KVM_RUN: immediate_exit, signals, timers, other threads, death. */
#include <pthread.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define POISON 0x5555

VM_FIXTURE

static volatile sig_atomic_t signals_seen;
static struct kvm_run *run_to_stop;

static void count_signal(int sig)
{
	signals_seen++;
}

static void stop_run(int sig)
{
	run_to_stop->immediate_exit = 1;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	if (sigaction(sig, &action, NULL))
		die("sigaction");
}

static void start_timer(long us)
{
	struct itimerval timer = { .it_value.tv_usec = us };

	if (setitimer(ITIMER_REAL, &timer, NULL))
		die("setitimer");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

TEST_F(vm, immediate_exit_runs_nothing)
{
	vm_start(&self->m, MODE_REAL, sync16);
	self->m.run->immediate_exit = 1;
	self->m.run->exit_reason = POISON;
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(POISON, self->m.run->exit_reason);
	EXPECT_EQ(CODE, vm_regs(&self->m).rip);
	EXPECT_EQ(0, vm_regs(&self->m).rax);
}

TEST_F(vm, immediate_exit_stays_until_cleared)
{
	vm_start(&self->m, MODE_REAL, sync16);
	self->m.run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(1, self->m.run->immediate_exit);
	self->m.run->immediate_exit = 0;
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
}

TEST_F(vm, run_fields_are_valid_after_eintr)
{
	vm_start(&self->m, MODE_REAL, sync16);
	self->m.run->immediate_exit = 1;
	self->m.run->if_flag = 9;
	self->m.run->apic_base = 0;
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(0, self->m.run->if_flag);
	EXPECT_EQ(vm_sregs(&self->m).apic_base, self->m.run->apic_base);
	EXPECT_EQ(0, self->m.run->cr8);
}

TEST_F(vm, timer_signal_stops_spinning_guest)
{
	uint64_t before;

	handle(SIGALRM, count_signal, 0);
	vm_start_spin(&self->m);
	start_timer(20000);
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(KVM_EXIT_INTR, self->m.run->exit_reason);
	EXPECT_EQ(1, signals_seen);
	before = vm_regs(&self->m).rax;
	EXPECT_LT(0, before);
	start_timer(20000);
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_LT(before, vm_regs(&self->m).rax);
}

TEST_F(vm, timer_signal_handler_prevents_next_run)
{
	run_to_stop = self->m.run;
	handle(SIGALRM, stop_run, 0);
	vm_start_spin(&self->m);
	start_timer(20000);
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(-EINTR, vm_run(&self->m));
}

/* A hypervisor's client relies on EINTR: SA_RESTART must not hide it. */
TEST_F(vm, run_is_never_restarted)
{
	handle(SIGALRM, count_signal, SA_RESTART);
	vm_start_spin(&self->m);
	start_timer(20000);
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(1, signals_seen);
}

TEST_F(vm, ignored_signal_does_not_stop_run)
{
	handle(SIGUSR1, SIG_IGN, 0);
	vm_start(&self->m, MODE_REAL, sync16);
	raise(SIGUSR1);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
}

TEST_F(vm, blocked_pending_signal_does_not_stop_run)
{
	sigset_t set;

	handle(SIGUSR1, count_signal, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(0, signals_seen);
}

struct spinner {
	struct vm *m;
	int result;
};

static void *run_vcpu(void *arg)
{
	struct spinner *s = arg;

	s->result = vm_run(s->m);
	return NULL;
}

TEST_F(vm, signal_to_thread_stops_it)
{
	struct spinner s = { .m = &self->m };
	pthread_t thread;

	handle(SIGUSR1, count_signal, 0);
	vm_start_spin(&self->m);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_vcpu, &s));
	usleep(20000);
	ASSERT_EQ(0, pthread_kill(thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-EINTR, s.result);
	EXPECT_LT(0, vm_regs(&self->m).rax);
}

static void *kick_later(void *arg)
{
	usleep(50000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* Registers cannot be read while the vCPU runs: the second caller waits. */
TEST_F(vm, vcpu_ioctl_waits_for_running_vcpu)
{
	struct spinner s = { .m = &self->m };
	pthread_t runner, kicker;
	double start;

	handle(SIGUSR1, count_signal, 0);
	vm_start_spin(&self->m);
	ASSERT_EQ(0, pthread_create(&runner, NULL, run_vcpu, &s));
	usleep(20000);
	start = now();
	ASSERT_EQ(0, pthread_create(&kicker, NULL, kick_later, &runner));
	EXPECT_LT(0, vm_regs(&self->m).rax);
	EXPECT_LT(0.03, now() - start);
	pthread_join(runner, NULL);
	pthread_join(kicker, NULL);
	EXPECT_EQ(-EINTR, s.result);
}

static void *run_many(void *arg)
{
	struct spinner *s = arg;

	for (int i = 0; i < 300; i++) {
		int result = vm_run(s->m);

		if (result)
			s->result = result;
	}
	return NULL;
}

/* Two threads take turns on one vCPU: no exit is lost or doubled. */
TEST_F(vm, two_threads_running_one_vcpu_take_turns)
{
	struct spinner s[2] = { { .m = &self->m }, { .m = &self->m } };
	pthread_t thread[2];

	vm_start(&self->m, MODE_REAL, sync16);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, run_many, &s[i]));
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, s[i].result);
	}
	EXPECT_EQ(600, vm_regs(&self->m).rax);
}

/* SIGKILL ends a spinning guest's process at once, at any moment. */
TEST_F(vm, sigkill_during_run_ends_process)
{
	for (int i = 0; i < 20; i++) {
		double start;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct vm m;

			vm_create(&m);
			vm_start_spin(&m);
			for (;;)
				vm_run(&m);
		}
		usleep(1000 * i);
		start = now();
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		EXPECT_GT(5.0, now() - start);
	}
}

TEST_F(vm, sigstop_and_sigcont_go_on)
{
	volatile int *go = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct vm m;

		vm_create(&m);
		vm_start(&m, MODE_REAL, sync16);
		while (!go[0]) {
			int ret = vm_run(&m);

			if (ret && ret != -EINTR)
				_exit(1);
			go[1]++;
		}
		_exit(0);
	}
	usleep(50000);
	kill(pid, SIGSTOP);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	kill(pid, SIGCONT);
	usleep(20000);
	go[0] = 1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_LT(0, go[1]);
}

TEST_HARNESS_MAIN
