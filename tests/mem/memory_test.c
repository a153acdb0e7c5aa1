// SPDX-License-Identifier: GPL-2.0
/* Memory that is large, charged for, or broken. */
#include <cpuid.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define NEW	0x100000UL	/* where memory is added: above slot 0 */
#define GB	(1UL << 30)

VM_FIXTURE

static void *pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu pages", n);
	madvise(p, n * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static volatile struct {
	int code;
	void *addr;
} bus_error;

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	bus_error.code = info->si_code;
	bus_error.addr = info->si_addr;
}

TEST_F(vm, memory_poisoned_gives_sigbus_and_eintr)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	uint8_t *p = pages(4);

	memset(p, 1, 4 * PAGE);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, 4 * PAGE, p));
	vm_start(&self->m, MODE_PROT, peek);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = NEW + PAGE });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);

	sigaction(SIGBUS, &action, NULL);
	if (madvise(p + PAGE, PAGE, MADV_HWPOISON))
		SKIP(return, "no MADV_HWPOISON: %s", strerror(errno));
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = NEW + PAGE });
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(BUS_MCEERR_AR, bus_error.code);
	EXPECT_EQ(p + PAGE, bus_error.addr);
	EXPECT_PEEK(0x01010101, &self->m, NEW + 2 * PAGE);

	ASSERT_EQ(p + PAGE, mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_PEEK(0, &self->m, NEW + PAGE);
}

/* The guest writes @value to guest-physical @gpa, a multiple of 2 MBytes. */
static int poke_high(struct vm *m, uint64_t gpa, uint64_t value)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, poke64);
	((uint64_t *)(m->ram + PAGE_TABLES + 0x3000))[0] = gpa | 0x87;
	regs = vm_regs(m);
	regs.rbx = ALIAS;
	regs.rax = value;
	vm_set_regs(m, &regs);
	return vm_run(m);
}

/* Up to one TiB, if the CPU can address it; the guest uses a page here and there. */
TEST_F(vm, memory_of_1_tib_is_as_large_as_what_is_used)
{
	unsigned int top, slot = 1, unused;
	uint64_t size, step = 61 * GB / 2, dirty = 0, *bits;
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = KVM_MEM_LOG_DIRTY_PAGES, .guest_phys_addr = 4 * GB,
	};
	struct kvm_dirty_log log = { .slot = slot };
	uint8_t *p;

	__cpuid(0x80000008, top, unused, unused, unused);
	top &= 0xff;
	size = (1UL << (top < 40 ? top : 40)) - 4 * GB;
	bits = calloc(size / PAGE / 64, sizeof(long));
	log.dirty_bitmap = bits;
	p = pages(size / PAGE);
	region.memory_size = size;
	region.userspace_addr = (uintptr_t)p;
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region));
	for (uint64_t at = 0; at < size; at += step) {
		ASSERT_EQ(0, poke_high(&self->m, at + 4 * GB, at + 1));
		ASSERT_EQ(at + 1, *(uint64_t *)(p + at));
		dirty++;
	}
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_GET_DIRTY_LOG, &log));
	for (uint64_t at = 0; at < size; at += step)
		EXPECT_EQ(1, bits[at / PAGE / 64] >> at / PAGE % 64 & 1);
	for (size_t i = 0; i < size / PAGE / 64; i++)
		dirty -= __builtin_popcountll(bits[i]);
	EXPECT_EQ(0, dirty);
	/* Takes it from the guest, whole. */
	ASSERT_EQ(0, munmap(p, size));
	EXPECT_EQ(-EFAULT, poke_high(&self->m, 4 * GB, 1));
	EXPECT_EQ(0, vm_set_slot(&self->m, slot, 0, 0, NULL));
	free(bits);
}

static bool write_to(const char *group, const char *file, const char *text)
{
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY);
	done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	if (fd >= 0)
		close(fd);
	return done;
}

/* memory.stat of a cgroup: the kernel's own memory. */
static long charged(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	return named_number(path, "kernel");
}

/* A cgroup of its own for this process. Return: its directory, NULL if it can't be. */
static const char *own_cgroup(void)
{
	static const char top[] = "/tmp/vtx-test-cgroup";
	static char group[sizeof(top) + 16];

	mkdir(top, 0700);
	if (mount("none", top, "cgroup2", 0, NULL) && errno != EBUSY)
		return NULL;
	write_to(top, "cgroup.subtree_control", "+memory");
	snprintf(group, sizeof(group), "%s/%d", top, getpid());
	mkdir(group, 0700);
	if (!write_to(group, "cgroup.procs", "0") || charged(group) < 0)
		return NULL;
	return group;
}

#define TABLES	512	/* as many as statistics that lag can't hide */

TEST_F(vm, memory_of_ept_is_charged_to_the_cgroup)
{
	size_t size = TABLES * 2UL << 20;
	const char *group = own_cgroup();
	struct vm m;
	uint8_t *p;
	long before;

	if (!group)
		SKIP(return, "needs root and cgroup2 with a free memory controller");
	vm_create(&m);
	p = pages(size / PAGE);
	/* The process's own page tables are there before. */
	for (size_t at = 0; at < size; at += 2UL << 20)
		p[at] = 1;
	ASSERT_EQ(0, vm_set_slot(&m, 1, 4 * GB, size, p));
	sleep(3);
	before = charged(group);
	for (size_t at = 0; at < size; at += 2UL << 20)
		ASSERT_EQ(0, poke_high(&m, 4 * GB + at, 2));
	/* The kernel brings its statistics up to date every two seconds. */
	for (int i = 0; i < 30 && charged(group) <= before + TABLES * PAGE * 3 / 4; i++)
		usleep(100000);
	TH_LOG("%ld bytes for %d tables", charged(group) - before, TABLES);
	EXPECT_LT(before + TABLES * PAGE * 3 / 4, charged(group));
	vm_destroy(&m);
}

#define CPUS	2

static void *touch(void *vm)
{
	vm_run(vm);
	return NULL;
}

/* A VM whose CPUs write to @n pages, each to all of them. Returns when they have. */
static void touch_on_two_cpus(size_t n)
{
	struct vm m[CPUS];
	pthread_t thread[CPUS];

	vm_create(&m[0]);
	if (vm_set_slot(&m[0], 1, NEW, n * PAGE, pages(n)))
		die("KVM_SET_USER_MEMORY_REGION");
	for (int i = 0; i < CPUS; i++) {
		m[i] = m[0];
		if (i)
			m[i].cpu = vm_add_cpu(&m[0], i, &m[i].run);
		vm_start(&m[i], MODE_LONG, touch_all);
		/* IF is set: without, Bochs holds host interrupts back. */
		vm_set_regs(&m[i], &(struct kvm_regs){ .rip = CODE, .rflags = 0x202, .rbx = NEW,
						       .r9 = n - 1 });
		pthread_create(&thread[i], NULL, touch, &m[i]);
	}
	for (int i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
}

/* M15 */
TEST_F(vm, memory_over_the_limit_is_ended_by_the_oom_killer)
{
	char group[64] = "", path[128];
	int status, ready[2];
	const char *own;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		own = own_cgroup();
		if (!own || !write_to(own, "memory.max", "16M"))
			_exit(KSFT_SKIP);
		write_to(own, "memory.swap.max", "0");
		if (write(ready[1], own, strlen(own)) < 0)
			_exit(1);
		/* Its report has a stack in it: see tests/run.sh. */
		write_file("/dev/kmsg", "vtx-tests: an OOM report is to come");
		touch_on_two_cpus(16384);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		SKIP(return, "needs root and cgroup2 with a free memory controller");
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	ASSERT_LT(0, read(ready[0], group, sizeof(group) - 1));
	snprintf(path, sizeof(path), "%s/memory.events", group);
	EXPECT_EQ(1, named_number(path, "oom_kill"));
	rmdir(group);
}

#ifndef SYS_process_mrelease
#define SYS_process_mrelease	448
#endif

/*
 * What the kernel does to an OOM victim that does not end soon: its memory goes
 * under a running VM, and the notifier may not sleep.
 */
TEST_F(vm, memory_of_a_killed_vmm_can_be_reaped)
{
	unsigned int reaped = 0;
	int status, fd, r;
	pid_t pid;

	for (int i = 0; i < 6; i++) {
		pid = fork();
		if (!pid) {
			touch_on_two_cpus(16384);
			_exit(1);
		}
		fd = syscall(SYS_pidfd_open, pid, 0);
		usleep(50000 + i * 10000);
		kill(pid, SIGKILL);
		r = syscall(SYS_process_mrelease, fd, 0);
		if (r && errno == ENOSYS)
			i = 6;
		reaped += !r;
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		close(fd);
		if (i == 6)
			SKIP(return, "no process_mrelease");
	}
	TH_LOG("%u reaped", reaped);
	EXPECT_LT(0, reaped);
}

TEST_HARNESS_MAIN
