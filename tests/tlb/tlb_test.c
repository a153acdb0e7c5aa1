// SPDX-License-Identifier: GPL-2.0
/*
 * Who asks the module for a flush, and who may ask what it did: each place that
 * takes something away from a guest's memory raises the EPT generation before
 * the caller hears that it is done, and the next entry executes one INVEPT. The
 * module's own counters tell. vpid_test.c has what follows from VPIDs.
 */
#include <libgen.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/race.h"
#include "lib/host.h"
#include "lib/tlb.h"

#define DEBUGFS	"/sys/kernel/debug"

static void touch_first_page(struct vm *m)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, vpid_touch64);
	regs = vm_regs(m);
	regs.rsi = BASE;
	vm_set_regs(m, &regs);
}

/* What the guest finds in the first page of slot 1 after adding 1; 0x100: no memory. */
static int touch(struct vm *m)
{
	if (vm_run(m))
		return -1;
	if (m->run->exit_reason == KVM_EXIT_MMIO)
		return 0x100;
	return m->run->exit_reason == KVM_EXIT_IO ? *(uint8_t *)vm_io_data(m) : -1;
}

FIXTURE(tlb) {
	struct vm m;
	uint8_t *mem;		/* SIZE bytes, slot 1 */
	bool made;
};

FIXTURE_SETUP(tlb)
{
	if (on_kvm())
		SKIP(return, "no VTX_GET_INFO on KVM");
	on_cpu(0);
	vm_create(&self->m);
	self->made = true;
	self->mem = map_aligned(SIZE);
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	memset(self->mem, 0, SIZE);
	if (vm_set_slot(&self->m, 1, BASE, SIZE, self->mem))
		die("slot 1");
	touch_first_page(&self->m);
}

FIXTURE_TEARDOWN(tlb)
{
	if (!self->made)
		return;
	vm_destroy(&self->m);
	munmap(self->mem, SIZE);
}

static int set_flags(struct vm *m, uint8_t *mem, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = flags, .guest_phys_addr = BASE, .memory_size = SIZE,
		.userspace_addr = (uintptr_t)mem,
	};

	return ioctl(m->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/*
 * @call takes something away: the generation is raised when it returns, and the
 * guest's next entry, after which it finds @found, executes one INVEPT. The
 * entries after that execute none.
 */
#define TAKES_AWAY(found, call) do {					\
	struct vtx_tlb_stats _before, _s;				\
									\
	ASSERT_LT(0, touch(&self->m));					\
	_before = stats(self->m.fd);					\
	ASSERT_EQ(0, call);						\
	_s = since(_before, stats(self->m.fd));				\
	EXPECT_LE(1, _s.event[VTX_TLB_EPT_CHANGES]);			\
	EXPECT_EQ(0, flushes(&_s));					\
	EXPECT_EQ((found), touch(&self->m));				\
	_s = since(_before, stats(self->m.fd));				\
	EXPECT_EQ(1, invepts(&_s, VTX_TLB_EPT));			\
	EXPECT_EQ(1, flushes(&_s));					\
	touch(&self->m);						\
	_s = since(_before, stats(self->m.fd));				\
	EXPECT_EQ(1, flushes(&_s));					\
} while (0)

TEST_F(tlb, log_turned_on_takes_the_right_to_write_unseen)
{
	TAKES_AWAY(2, set_flags(&self->m, self->mem, KVM_MEM_LOG_DIRTY_PAGES));
}

TEST_F(tlb, log_turned_off_takes_small_pages)
{
	ASSERT_EQ(0, set_flags(&self->m, self->mem, KVM_MEM_LOG_DIRTY_PAGES));
	TAKES_AWAY(2, set_flags(&self->m, self->mem, 0));
}

TEST_F(tlb, get_dirty_log_takes_the_right_to_write_unseen)
{
	uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	ASSERT_EQ(0, set_flags(&self->m, self->mem, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(1, touch(&self->m));
	TAKES_AWAY(3, ioctl(self->m.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(1, bitmap[0]);
}

TEST_F(tlb, clear_dirty_log_takes_the_right_to_write_unseen)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
	};
	uint64_t bitmap[PAGES / 64] = { 1 };
	struct kvm_clear_dirty_log log = {
		.slot = 1, .num_pages = PAGES, .dirty_bitmap = bitmap,
	};

	ASSERT_EQ(0, ioctl(self->m.fd, KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, set_flags(&self->m, self->mem, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(1, touch(&self->m));
	TAKES_AWAY(3, ioctl(self->m.fd, KVM_CLEAR_DIRTY_LOG, &log));
}

TEST_F(tlb, slot_deleted_takes_its_pages)
{
	TAKES_AWAY(0x100, vm_set_slot(&self->m, 1, BASE, 0, self->mem));
}

TEST_F(tlb, slot_moved_takes_its_pages)
{
	TAKES_AWAY(0x100, vm_set_slot(&self->m, 1, BASE + SIZE, SIZE, self->mem));
}

TEST_F(tlb, page_dropped_by_the_process_is_taken)
{
	TAKES_AWAY(1, madvise(self->mem, PAGE, MADV_DONTNEED));
}

/* The rest of the large page stays, in small ones. */
TEST_F(tlb, part_of_a_large_page_dropped_is_taken)
{
	FILE *f;
	long size = 0;
	char line[128];

	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	map_at(self->mem, SIZE, MAP_FIXED, -1);
	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	memset(self->mem, 7, SIZE);
	f = fopen("/proc/self/smaps_rollup", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %ld", &size) == 1)
			break;
	if (f)
		fclose(f);
	if (size * 1024 < (long)SIZE)
		SKIP(return, "the kernel gives no large page");
	TAKES_AWAY(1, madvise(self->mem, PAGE, MADV_DONTNEED));
	EXPECT_EQ(7, self->mem[PAGE]);
}

/* A page is taken away while the guest runs: its CPU is made to leave it. */
TEST_F(tlb, change_under_a_running_guest_kicks_its_cpu)
{
	struct vtx_tlb_stats s;
	struct spinner spinner;

	if (nr_cpus() < 2)
		SKIP(return, "needs two CPUs");
	start_spinner(&spinner, &self->m, 1);
	for (int i = 0; i < 100; i++) {
		if (mprotect(self->m.ram + CODE, PAGE, PROT_READ) ||
		    mprotect(self->m.ram + CODE, PAGE, PROT_READ | PROT_WRITE))
			die("mprotect");
		s = stats(self->m.fd);
		if (s.event[VTX_TLB_KICKS])
			break;
		usleep(1000);
	}
	EXPECT_LE(1, s.event[VTX_TLB_KICKS]);
	EXPECT_GE(s.event[VTX_TLB_EPT_CHANGES], s.event[VTX_TLB_KICKS]);
	usleep(20000);
	s = stats(self->m.cpu);
	EXPECT_LE(1, invepts(&s, VTX_TLB_EPT));
	stop_spinner(&spinner);
}

/* What a VM counts is the sum over its vCPUs, those that are gone included. */
TEST_F(tlb, vm_counts_what_its_vcpus_count)
{
	struct vtx_tlb_stats vm, sum, s;
	struct vm other = self->m;

	other.cpu = vm_add_cpu(&self->m, 1, &other.run);
	touch_first_page(&other);
	for (int i = 0; i < 4; i++) {
		on_cpu(i % nr_cpus() & 1);
		ASSERT_LT(0, touch(&self->m));
		ASSERT_LT(0, touch(&other));
		madvise(self->mem, PAGE, MADV_DONTNEED);
		ASSERT_EQ(1, touch(&other));
	}
	vm = stats(self->m.fd);
	sum = stats(self->m.cpu);
	s = stats(other.cpu);
	for (size_t i = 0; i < offsetof(struct vtx_tlb_stats, vpids_in_use) / 8; i++)
		((__u64 *)&sum)[i] += ((__u64 *)&s)[i];
	EXPECT_EQ(0, memcmp(sum.flush, vm.flush, sizeof(vm.flush)));
	EXPECT_EQ(0, memcmp(sum.avoided, vm.avoided, sizeof(vm.avoided)));
	EXPECT_EQ(sum.event[VTX_TLB_MIGRATIONS], vm.event[VTX_TLB_MIGRATIONS]);
	/* Changes are the VM's, no vCPU's. */
	EXPECT_LE(4, vm.event[VTX_TLB_EPT_CHANGES]);
	EXPECT_EQ(0, sum.event[VTX_TLB_EPT_CHANGES]);
	munmap(other.run, other.run_size);
	close(other.cpu);
}

/* Whoever has the fd may ask, KVM's ioctls are for the process alone. */
TEST_F(tlb, another_process_gets_reports_and_nothing_else)
{
	const int fds[] = { self->m.fd, self->m.cpu };
	struct kvm_regs regs;
	int status = -1;
	pid_t pid;

	ASSERT_EQ(1, touch(&self->m));
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 2; i++) {
			struct vtx_tlb_stats s = stats(fds[i]);

			if (flushes(&s) != 1 || !info(fds[i]).invept_type)
				_exit(1);
		}
		if (!ioctl(self->m.cpu, KVM_GET_REGS, &regs) || errno != EIO)
			_exit(2);
		if (ioctl(self->m.fd, KVM_CHECK_EXTENSION, 0) != -1 || errno != EIO)
			_exit(3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* The part of the file that is about our VM; "" if it has none. */
static char *read_vms(void)
{
	static char text[65536];
	char head[32], *mine, *next;
	FILE *f;

	if (access(DEBUGFS "/vtx", F_OK) && mount("d", DEBUGFS, "debugfs", 0, NULL))
		return NULL;
	f = fopen(DEBUGFS "/vtx/vms", "r");
	if (!f)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	snprintf(head, sizeof(head), "vm pid %d ", getpid());
	mine = strstr(text, head);
	if (!mine)
		return "";
	next = strstr(mine + 1, "\nvm ");
	if (next)
		next[1] = 0;
	return mine;
}

TEST_F(tlb, debugfs_lists_the_vm_and_its_vcpus)
{
	struct vm other = self->m;
	char line[32], *text;

	other.cpu = vm_add_cpu(&self->m, 5, &other.run);
	ASSERT_EQ(1, touch(&self->m));
	text = read_vms();
	if (!text)
		SKIP(return, "no debugfs");
	snprintf(line, sizeof(line), "\nvcpu 0 vpid %u\n", info(self->m.cpu).vpid);
	EXPECT_NE(NULL, strstr(text, line))
		TH_LOG("%s", text);
	snprintf(line, sizeof(line), "\nvcpu 5 vpid %u\n", info(other.cpu).vpid);
	EXPECT_NE(NULL, strstr(text, line))
		TH_LOG("%s", text);
	/* Once for the VM, once for the vCPU that has entered. */
	text = strstr(text, " create ");
	ASSERT_NE(NULL, text);
	text = strstr(text + 1, " create ");
	ASSERT_NE(NULL, text);
	EXPECT_EQ(NULL, strstr(text + 1, " create "));

	munmap(other.run, other.run_size);
	close(other.cpu);
	vm_destroy(&self->m);
	self->made = false;
	EXPECT_EQ(0, strlen(read_vms()));
}

/* The tool, of another process, while the vCPU is in KVM_RUN. */
TEST_F(tlb, tool_shows_a_process_whose_vcpu_runs)
{
	static char out[16384], command[4200], self_path[4096];
	struct spinner spinner;
	size_t n;
	FILE *f;

	if (readlink("/proc/self/exe", self_path, sizeof(self_path) - 1) < 0)
		die("/proc/self/exe");
	snprintf(command, sizeof(command), "%s/vtx-tlb", dirname(self_path));
	if (access(command, X_OK))
		SKIP(return, "vtx-tlb is not beside this program");
	snprintf(command + strlen(command), 32, " -p %d 2>&1", getpid());
	start_spinner(&spinner, &self->m, nr_cpus() > 1);
	f = popen(command, "r");
	ASSERT_NE(NULL, f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = 0;
	EXPECT_EQ(0, pclose(f));
	stop_spinner(&spinner);
	EXPECT_NE(NULL, strstr(out, "vtx-vm"));
	EXPECT_NE(NULL, strstr(out, "vtx-vcpu:0"));
	EXPECT_NE(NULL, strstr(out, "create"))
		TH_LOG("%s", out);
}

TEST_F(tlb, report_errors)
{
	struct vtx_report r = { .size = 8, .addr = 8 };

	const int fds[] = { self->m.dev, self->m.fd, self->m.cpu };

	for (int i = 0; i < 3; i++) {
		int fd = fds[i];

		EXPECT_ERRNO(EFAULT, ioctl(fd, VTX_GET_INFO, NULL));
		r = (struct vtx_report){ .size = 8, .addr = 8 };
		EXPECT_ERRNO(EFAULT, ioctl(fd, VTX_GET_INFO, &r));
		EXPECT_ERRNO(EFAULT, ioctl(fd, VTX_GET_TLB_STATS, &r));
		r = (struct vtx_report){ .size = 0, .addr = (uintptr_t)&r };
		EXPECT_ERRNO(EINVAL, ioctl(fd, VTX_GET_INFO, &r));
		r = (struct vtx_report){ .size = 8, .pad = 1, .addr = (uintptr_t)&r };
		EXPECT_ERRNO(EINVAL, ioctl(fd, VTX_GET_TLB_STATS, &r));
		/* Not four gigabytes to be cleared in one go. */
		r = (struct vtx_report){ .size = -1, .addr = (uintptr_t)&r };
		EXPECT_ERRNO(E2BIG, ioctl(fd, VTX_GET_INFO, &r));
		EXPECT_ERRNO(ENOTTY, ioctl(fd, _IOWR('V', 0xe2, struct vtx_report), &r));
	}
}

/* In a process of its own, which gives CAP_SYS_ADMIN up. */
static int without_admin(const struct vm *m)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { };
	struct vtx_tlb_stats s;
	struct vtx_report r = { .size = sizeof(s), .addr = (uintptr_t)&s };

	if (syscall(SYS_capset, &head, data))
		return 1;
	if (ioctl(m->dev, VTX_GET_TLB_STATS, &r) != -1 || errno != EPERM)
		return 2;
	for (int i = 0; i < 2; i++) {
		r.size = sizeof(s);
		if (ioctl(i ? m->cpu : m->fd, VTX_GET_TLB_STATS, &r))
			return 3;
		if (s.vpids_in_use || s.vpids_peak || s.vpids_exhausted || s.vpids_retired)
			return 4;
	}
	r = (struct vtx_report){ .size = sizeof(struct vtx_info), .addr = (uintptr_t)&s };
	return ioctl(m->dev, VTX_GET_INFO, &r) ? 5 : 0;
}

TEST_F(tlb, counters_of_all_vms_need_cap_sys_admin)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(without_admin(&self->m));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status >> 8);
	EXPECT_EQ(0, status & 0xff);
	if (info(self->m.dev).flags & VTX_INFO_VPID)
		EXPECT_LT(0, stats(self->m.fd).vpids_in_use);
}

TEST_F(tlb, report_fits_any_buffer)
{
	struct { struct vtx_info info; uint8_t more[16]; } big;
	struct vtx_info small = { .policy = 99 }, all = info(self->m.cpu);
	struct vtx_report r = { .size = 4, .addr = (uintptr_t)&small };

	ASSERT_EQ(0, ioctl(self->m.cpu, VTX_GET_INFO, &r));
	EXPECT_EQ(sizeof(struct vtx_info), r.size);
	EXPECT_EQ(all.flags, small.flags);
	EXPECT_EQ(99, small.policy);

	memset(&big, 0xff, sizeof(big));
	r = (struct vtx_report){ .size = sizeof(big), .addr = (uintptr_t)&big };
	ASSERT_EQ(0, ioctl(self->m.cpu, VTX_GET_INFO, &r));
	EXPECT_EQ(sizeof(struct vtx_info), r.size);
	EXPECT_EQ(0, memcmp(&all, &big.info, sizeof(all)));
	for (size_t i = 0; i < sizeof(big.more); i++)
		EXPECT_EQ(0, big.more[i]);
}

TEST_F(tlb, info_agrees_with_the_parameter)
{
	struct vtx_info i = info(self->m.dev);
	char on = 0;
	int fd = open("/sys/module/vtx/parameters/vpid", O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(fd, &on, 1));
	close(fd);
	EXPECT_EQ(on == 'Y', !!(i.flags & VTX_INFO_VPID));
	EXPECT_EQ(on == 'Y', i.vpids != 0);
	EXPECT_EQ(on == 'Y', i.invvpid_type != 0);
	EXPECT_LE(1, i.invept_type);
	EXPECT_GE(2, i.invept_type);
}

TEST_HARNESS_MAIN
