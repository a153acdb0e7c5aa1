// SPDX-License-Identifier: GPL-2.0
/* Memory that is large, charged for, or broken. */
#include <cpuid.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
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

/* One TiB, of which the guest uses a page here and there. */
TEST_F(vm, memory_of_1_tib_is_as_large_as_what_is_used)
{
	unsigned int top, slot = 1, unused;
	uint64_t size = 1024 * GB, step = 61 * GB / 2, dirty = 0;
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = 4 * GB, .memory_size = size,
	};
	uint64_t *bits = calloc(size / PAGE / 64, sizeof(long));
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bits };
	uint8_t *p;

	__cpuid(0x80000008, top, unused, unused, unused);
	top &= 0xff;
	p = pages(size / PAGE);
	region.userspace_addr = (uintptr_t)p;
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region));
	for (uint64_t at = 0; at < size && at + 4 * GB < 1UL << top; at += step) {
		ASSERT_EQ(0, poke_high(&self->m, at + 4 * GB, at + 1));
		ASSERT_EQ(at + 1, *(uint64_t *)(p + at));
		dirty++;
	}
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_GET_DIRTY_LOG, &log));
	for (uint64_t at = 0; at < size; at += step)
		EXPECT_EQ(at + 4 * GB < 1UL << top, bits[at / PAGE / 64] >> at / PAGE % 64 & 1);
	for (size_t i = 0; i < size / PAGE / 64; i++)
		dirty -= __builtin_popcountll(bits[i]);
	EXPECT_EQ(0, dirty);
	/* Takes it from the guest, whole. */
	ASSERT_EQ(0, munmap(p, size));
	EXPECT_EQ(-EFAULT, poke_high(&self->m, 4 * GB, 1));
	EXPECT_EQ(0, vm_set_slot(&self->m, slot, 0, 0, NULL));
	free(bits);
}

/* memory.stat of a cgroup: the kernel's own memory. */
static long charged(const char *group)
{
	char path[128], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "kernel %ld", &n);
	if (f)
		fclose(f);
	return n;
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

/* A cgroup of its own for this process. Return: its directory, NULL if it can't be. */
static const char *own_cgroup(void)
{
	static const char top[] = "/tmp/vtx-test-cgroup";
	static char group[sizeof(top) + 16];

	mkdir(top, 0700);
	if (mount("none", top, "cgroup2", 0, NULL))
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
	sleep(3);
	TH_LOG("%ld bytes for %d tables", charged(group) - before, TABLES);
	EXPECT_LT(before + TABLES * PAGE * 3 / 4, charged(group));
	vm_destroy(&m);
}

TEST_HARNESS_MAIN
