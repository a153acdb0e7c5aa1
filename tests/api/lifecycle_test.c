// SPDX-License-Identifier: GPL-2.0
/* Birth and death of machines, many times and many at once: nothing may stay behind. */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define WARM_UP		50
#define ROUNDS		3
#define PAGES_SLACK	256	/* of free memory, on an idle machine */

VM_FIXTURE

/* KVM waits for RCU in each VM's death, which takes 55M instructions. */
static int lifecycles(void)
{
	return on_kvm() ? 5 : 1000;
}

static void live_once(void)
{
	struct vm m;

	vm_create(&m);
	vm_start(&m, MODE_LONG, hlt64);
	if (vm_run(&m) || m.run->exit_reason != KVM_EXIT_HLT) {
		vm_dump(&m);
		die("a machine did not run");
	}
	vm_destroy(&m);
}

static long read_long(const char *path)
{
	long value = -1;
	FILE *f = fopen(path, "r");

	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

/* Free pages, those in the CPUs' own lists included, after giving back what can be. */
static long free_pages(void)
{
	long sum = 0, value;
	char line[256];
	FILE *f;

	usleep(100000);
	sync();
	write_file("/proc/sys/vm/drop_caches", "3");
	/* The counters are folded only now and then on an idle machine. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/zoneinfo", "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %ld", &value) == 1 ||
		    sscanf(line, " count: %ld", &value) == 1)
			sum += value;
	fclose(f);
	return sum;
}

/*
 * Gives back what the CPUs' own slabs have free, which counts as in use otherwise:
 * more than one object for each of a thousand machines.
 */
static bool shrink_slabs(void)
{
	DIR *d = opendir("/sys/kernel/slab");
	struct dirent *e;
	char path[512];

	if (!d)
		return false;
	while ((e = readdir(d))) {
		/* Links are other names of caches that are shared. */
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", e->d_name);
		write_file(path, "1");
	}
	closedir(d);
	return true;
}

/* Objects in use in all slab caches together; -1 where that is not told. */
static long slab_objects(void)
{
	char line[512];
	long sum = 0, active;
	FILE *f = fopen("/proc/slabinfo", "r");

	if (!f || !shrink_slabs())
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %ld", &active) == 1)
			sum += active;
	fclose(f);
	return sum;
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

FIXTURE(memory) { };
FIXTURE_SETUP(memory) { }
FIXTURE_TEARDOWN(memory) { }

/*
 * Not one slab object may stay per ten machines, whatever its cache. With a second
 * CPU the kernel's own come and go by hundreds: what leaks does so in each round.
 */
TEST_F_TIMEOUT(memory, vm_lifecycles_leave_it_as_before, 240)
{
	const int n = lifecycles();
	long pages, slabs, left;

	for (int i = 0; i < WARM_UP && i < n; i++)
		live_once();
	for (int round = 0; round < ROUNDS; round++) {
		pages = free_pages();
		slabs = slab_objects();
		for (int i = 0; i < n; i++)
			live_once();
		pages -= free_pages();
		left = slab_objects() - slabs;
		TH_LOG("%d lifecycles: %ld pages, %ld slab objects", n, pages, left);
		if (pages < PAGES_SLACK && left < n / 10)
			break;
	}
	EXPECT_GT(PAGES_SLACK, pages);
	if (!on_kvm() && slabs >= 0) {
		EXPECT_GT(n / 10, left);
	} else {
		TH_LOG("slab objects are not judged: KVM, or a kernel that tells none");
	}
}

TEST(vm_lifecycles_leave_fds_as_before)
{
	int before = open_fds();

	for (int i = 0; i < 3; i++)
		live_once();
	EXPECT_EQ(before, open_fds());
}

TEST(vm_killed_lifecycles_leave_memory_as_before)
{
	const int n = on_kvm() ? 3 : 200;
	long pages = 0;

	for (int i = -10; i < n; i++) {
		pid_t pid;

		if (i == 0)
			pages = free_pages();
		pid = fork();
		if (pid == 0) {
			struct vm m;

			vm_create(&m);
			vm_start_spin(&m);
			for (;;)
				vm_run(&m);
		}
		usleep((i + 10) * 7919 % 2000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	pages -= free_pages();
	TH_LOG("%d killed: %ld pages", n, pages);
	EXPECT_GT(PAGES_SLACK, pages);
}

/* The guest's page tables of the host grow with the memory it touches. */
TEST(vm_with_much_memory_gives_it_back)
{
	const size_t size = 64UL << 20;
	long pages = 0;

	for (int i = -1; i < 3; i++) {
		struct kvm_regs regs;
		struct vm m;
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (i == 0)
			pages = free_pages();
		vm_create(&m);
		ASSERT_EQ(0, vm_set_slot(&m, 1, 0x1000000, size, p));
		vm_start(&m, MODE_PROT, sum_pages);
		regs = vm_regs(&m);
		regs.rbx = 0x1000000;
		regs.rcx = size / PAGE / 2;
		vm_set_regs(&m, &regs);
		ASSERT_EXIT(KVM_EXIT_HLT, &m);
		vm_destroy(&m);
		munmap(p, size);
	}
	pages -= free_pages();
	TH_LOG("%ld pages", pages);
	EXPECT_GT(PAGES_SLACK, pages);
}

TEST(vms_many_at_once_all_run)
{
	static struct vm m[64];
	const int n = on_kvm() ? 8 : 64;

	for (int i = 0; i < n; i++) {
		vm_create(&m[i]);
		vm_start(&m[i], MODE_REAL, sync16);
	}
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < n; i++) {
			ASSERT_EXIT(KVM_EXIT_IO, &m[i]);
			EXPECT_EQ(round, *(uint8_t *)vm_io_data(&m[i]));
		}
	}
	for (int i = n - 1; i >= 0; i--)
		vm_destroy(&m[i]);
}

TEST_F(vm, vcpus_many_in_one_vm_all_run)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vm_start(&self->m, MODE_REAL, sync16);
	sregs = vm_sregs(&self->m);
	sregs.apic_base = 0xfee00800;
	regs = vm_regs(&self->m);
	for (int i = 1; i < 64; i++) {
		struct kvm_run *run;
		int cpu = vm_add_cpu(&self->m, i, &run);

		regs.rax = i;
		ASSERT_EQ(0, ioctl(cpu, KVM_SET_SREGS, &sregs));
		ASSERT_EQ(0, ioctl(cpu, KVM_SET_REGS, &regs));
		ASSERT_EQ(0, ioctl(cpu, KVM_RUN, 0));
		EXPECT_EQ(KVM_EXIT_IO, run->exit_reason);
		EXPECT_EQ(i + 1, *((uint8_t *)run + run->io.data_offset));
	}
}

/* --- fds that cannot be had --- */

static void limit_fds(int n)
{
	struct rlimit limit = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
}

TEST_F(vm, create_without_fd_gives_emfile)
{
	limit_fds(self->m.cpu + 1);
	for (int i = 0; i < 20; i++) {
		EXPECT_ERRNO(EMFILE, ioctl(self->m.dev, KVM_CREATE_VM, 0));
		EXPECT_ERRNO(EMFILE, ioctl(self->m.fd, KVM_CREATE_VCPU, 1));
	}
	limit_fds(self->m.cpu + 2);
	EXPECT_LE(0, ioctl(self->m.fd, KVM_CREATE_VCPU, 1));
}

/* --- who holds the module --- */

static long module_refs(void)
{
	return read_long(on_kvm() ? "/sys/module/kvm_intel/refcnt" : "/sys/module/vtx/refcnt");
}

TEST(module_is_held_by_each_fd)
{
	long base = module_refs();
	struct vm m;

	if (base < 0)
		SKIP(return, "no module reference count");
	vm_create(&m);
	EXPECT_LT(base, module_refs());
	close(m.dev);
	munmap(m.run, m.run_size);
	EXPECT_LT(base, module_refs());
	close(m.fd);
	EXPECT_LT(base, module_refs());
	close(m.cpu);
	for (int i = 0; i < 100 && module_refs() != base; i++)
		usleep(10000);
	EXPECT_EQ(base, module_refs());
}

TEST(module_is_held_by_the_mapping)
{
	long base = module_refs();
	struct vm m;

	if (base < 0)
		SKIP(return, "no module reference count");
	vm_create(&m);
	close(m.dev);
	close(m.cpu);
	close(m.fd);
	EXPECT_LT(base, module_refs());
	munmap(m.run, m.run_size);
	for (int i = 0; i < 100 && module_refs() != base; i++)
		usleep(10000);
	EXPECT_EQ(base, module_refs());
}

TEST_F(vm, device_node_is_for_root_alone)
{
	struct stat st;

	ASSERT_EQ(0, stat(device_path(), &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	if (!on_kvm())
		EXPECT_EQ(0600, st.st_mode & 0777);
	EXPECT_EQ(0, st.st_uid);
}

TEST_HARNESS_MAIN
