// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation and each copy from or to userspace fails once, one after the
 * other, in most ioctls and in the load of the module: what was begun is undone, and
 * the next try works. Needs a kernel with fault injection: scripts/check-debug-kernel.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "uapi/vtx.h"
#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define INJECT		"/sys/kernel/debug/"
#define FAULTS_MAX	5000
#define REGION		0x400000UL
#define REGION_PAGES	64UL
#define REGION_SIZE	(REGION_PAGES * PAGE)
#define KO		"/lib/modules/vtx.ko"

static int nth = -1;		/* /proc/thread-self/fail-nth */

static void __attribute__((constructor)) skip_without_faults(void)
{
	if (access("/proc/thread-self/fail-nth", F_OK) == 0)
		return;
	printf("TAP version 13\n1..0 # SKIP no fault injection in this kernel\n");
	exit(KSFT_SKIP);
}

/* Faults in allocations that may sleep, too, and no stack in the log for each. */
static bool injection_ready(void)
{
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth >= 0 &&
	       write_file(INJECT "failslab/ignore-gfp-wait", "N") &&
	       write_file(INJECT "failslab/verbose", "0") &&
	       write_file(INJECT "fail_page_alloc/ignore-gfp-wait", "N") &&
	       write_file(INJECT "fail_page_alloc/ignore-gfp-highmem", "N") &&
	       write_file(INJECT "fail_page_alloc/min-order", "0") &&
	       write_file(INJECT "fail_page_alloc/verbose", "0") &&
	       write_file(INJECT "fail_usercopy/verbose", "0");
}

static void arm(unsigned int n)
{
	if (dprintf(nth, "%u", n) < 0)
		die("fail-nth");
}

/* Return: the fault has come. A read that fails is where it came, after the call. */
static bool disarm(void)
{
	char left[16] = "";
	bool struck = pread(nth, left, sizeof(left) - 1, 0) > 0 && !strtoul(left, NULL, 10);

	/* A write that fails has used it up as well. */
	if (pwrite(nth, "0", 1, 0) < 0 && errno != EFAULT)
		die("fail-nth");
	return struck;
}

struct fault {
	struct vm m;
	uint8_t *region;
	struct kvm_cpuid2 *cpuid;
	int event, vm;
};

/*
 * do_it() once for each of its faults from first on: its value is at least 0 where it
 * worked, and is undone. The last call meets none.
 */
static void each_fault(struct __test_metadata *_metadata, struct fault *f, const char *name,
		       unsigned int first, long (*do_it)(struct fault *f),
		       void (*undo)(struct fault *f, long r))
{
	unsigned int n, unharmed = 0;
	bool struck = true;
	int error;
	long r;

	for (n = first - 1; struck && n < FAULTS_MAX; ) {
		errno = 0;
		arm(++n);
		r = do_it(f);
		error = errno;
		struck = disarm();
		if (r < 0) {
			EXPECT_TRUE(error == ENOMEM || error == EFAULT)
				TH_LOG("%s, fault %u: %s", name, n, strerror(error));
			continue;
		}
		unharmed += struck;
		if (undo)
			undo(f, r);
	}
	EXPECT_LE(0, r)
		TH_LOG("%s without a fault: %s", name, strerror(error));
	EXPECT_FALSE(struck);
	TH_LOG("%s: %u faults, %u did no harm", name, n - first, unharmed);
}

#define EACH(do_it, undo) each_fault(_metadata, &self->f, #do_it, 1, do_it, undo)

FIXTURE(fault) { struct fault f; };

FIXTURE_SETUP(fault)
{
	struct fault *f = &self->f;

	ASSERT_TRUE(injection_ready());
	vm_create(&f->m);
	f->region = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	f->cpuid = supported_cpuid(&f->m);
	f->event = eventfd(0, EFD_CLOEXEC);
	f->vm = -1;
	ASSERT_NE(MAP_FAILED, f->region);
	ASSERT_LE(0, f->event);
}

FIXTURE_TEARDOWN(fault)
{
	vm_start(&self->f.m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->f.m);
	vm_destroy(&self->f.m);
	munmap(self->f.region, REGION_SIZE);
	close(self->f.event);
	close(nth);
	EXPECT_EQ(0, vtx_count("tables"));
	EXPECT_TRUE(file_has(INJECT "vtx/tlb", "in_use 0 "));
}

static void close_it(struct fault *f, long fd)
{
	close(fd);
}

static long open_device(struct fault *f)
{
	return open(device_path(), O_RDWR | O_CLOEXEC);
}

static long create_vm(struct fault *f)
{
	return ioctl(f->m.dev, KVM_CREATE_VM, 0);
}

TEST_F_TIMEOUT(fault, vm, 300)
{
	EACH(open_device, close_it);
	EACH(create_vm, close_it);
}

static long create_vcpu(struct fault *f)
{
	return ioctl(f->vm, KVM_CREATE_VCPU, 0);
}

/* Until then all was in one VM: the id was free again each time. */
static void another_vm(struct fault *f, long vcpu)
{
	close(vcpu);
	close(f->vm);
	f->vm = ioctl(f->m.dev, KVM_CREATE_VM, 0);
}

static long map_run(struct fault *f)
{
	void *p = mmap(NULL, f->m.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, f->m.cpu, 0);

	if (p == MAP_FAILED)
		return -1;
	/* Each of the pages is faulted in, where there is no errno, but another try. */
	for (long at = 0; at < f->m.run_size; at += PAGE)
		*(volatile uint8_t *)(p + at);
	return (long)p;
}

static void unmap_run(struct fault *f, long p)
{
	if (munmap((void *)p, f->m.run_size))
		die("munmap");
}

TEST_F_TIMEOUT(fault, vcpu, 600)
{
	another_vm(&self->f, -1);
	EACH(create_vcpu, another_vm);
	close(self->f.vm);
	EACH(map_run, unmap_run);
}

static long set_slot(struct fault *f, uint32_t flags, uint64_t gpa, uint64_t size)
{
	struct kvm_userspace_memory_region slot = {
		.slot = 1,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)f->region,
	};

	return ioctl(f->m.fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static long slot_create(struct fault *f)
{
	return set_slot(f, 0, REGION, REGION_SIZE);
}

static void slot_as_it_was(struct fault *f, long r)
{
	if (slot_create(f))
		die("a slot can't be as it was");
}

static long slot_delete(struct fault *f)
{
	return set_slot(f, 0, REGION, 0);
}

static void slot_delete_again(struct fault *f, long r)
{
	if (slot_delete(f))
		die("a slot stays");
}

static long slot_log(struct fault *f)
{
	return set_slot(f, KVM_MEM_LOG_DIRTY_PAGES, REGION, REGION_SIZE);
}

static long slot_move(struct fault *f)
{
	return set_slot(f, 0, REGION + REGION_SIZE, REGION_SIZE);
}

static long dirty_log(struct fault *f)
{
	uint64_t bitmap[REGION_PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	return ioctl(f->m.fd, KVM_GET_DIRTY_LOG, &log);
}

TEST_F_TIMEOUT(fault, slots, 300)
{
	EACH(slot_create, slot_delete_again);
	slot_as_it_was(&self->f, 0);
	EACH(slot_log, slot_as_it_was);
	EACH(slot_move, slot_as_it_was);
	EACH(slot_delete, slot_as_it_was);
	slot_log(&self->f);
	EACH(dirty_log, NULL);
}

/* The guest is to look at its memory for the first time: no EPT, no pages. */
static void restart_guest(struct fault *f)
{
	vm_start(&f->m, MODE_LONG, touch_all);
	vm_set_regs(&f->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = REGION,
					       .r9 = REGION_PAGES - 1 });
	madvise(f->region, REGION_SIZE, MADV_DONTNEED);
	slot_delete_again(f, 0);
	slot_as_it_was(f, 0);
	if (vm_set_slot(&f->m, 0, 0, 0, NULL) || vm_set_slot(&f->m, 0, 0, RAM_SIZE, f->m.ram))
		die("the first slot");
}

TEST_F_TIMEOUT(fault, run, 600)
{
	struct fault *f = &self->f;
	unsigned int n, unharmed = 0;
	bool struck = true;

	slot_as_it_was(f, 0);
	for (n = 0; struck && n < FAULTS_MAX; ) {
		int r, error;

		restart_guest(f);
		arm(++n);
		r = ioctl(f->m.cpu, KVM_RUN, 0);
		error = errno;
		struck = disarm();
		if (r) {
			EXPECT_TRUE(error == ENOMEM || error == EFAULT)
				TH_LOG("fault %u: %s", n, strerror(error));
			/* It goes on where it was. */
			ASSERT_EQ(0, vm_run(&f->m));
		} else {
			unharmed += struck;
		}
		ASSERT_EQ(KVM_EXIT_HLT, f->m.run->exit_reason);
		for (uint64_t p = 0; p < REGION_PAGES; p++)
			ASSERT_EQ(1, *(uint32_t *)(f->region + p * PAGE));
	}
	EXPECT_FALSE(struck);
	TH_LOG("KVM_RUN: %u faults, %u did no harm", n - 1, unharmed);
}

static long ioeventfd(struct fault *f, uint32_t flags)
{
	struct kvm_ioeventfd event = { .addr = 0x80, .len = 1, .fd = f->event,
				       .flags = KVM_IOEVENTFD_FLAG_PIO | flags };

	return ioctl(f->m.fd, KVM_IOEVENTFD, &event);
}

static long ioeventfd_add(struct fault *f)
{
	return ioeventfd(f, 0);
}

static void ioeventfd_remove(struct fault *f, long r)
{
	if (ioeventfd(f, KVM_IOEVENTFD_FLAG_DEASSIGN))
		die("an ioeventfd stays");
}

static long coalesced(struct fault *f, unsigned long request)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = 0xd0000000, .size = PAGE };

	return ioctl(f->m.fd, request, &zone);
}

static long coalesced_add(struct fault *f)
{
	return coalesced(f, KVM_REGISTER_COALESCED_MMIO);
}

static void coalesced_remove(struct fault *f, long r)
{
	if (coalesced(f, KVM_UNREGISTER_COALESCED_MMIO))
		die("a zone stays");
}

static long msr_filter(struct fault *f)
{
	uint8_t bitmap[8] = { 0xff };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {
			{ .flags = KVM_MSR_FILTER_READ, .base = 0x10, .nmsrs = 64, .bitmap = bitmap },
			{ .flags = KVM_MSR_FILTER_WRITE, .base = 0x100, .nmsrs = 64, .bitmap = bitmap },
		},
	};

	return ioctl(f->m.fd, KVM_X86_SET_MSR_FILTER, &filter);
}

static long tlb_stats(struct fault *f)
{
	static struct vtx_tlb_stats stats;
	struct vtx_report report = { .size = sizeof(stats), .addr = (uintptr_t)&stats };

	return ioctl(f->m.fd, VTX_GET_TLB_STATS, &report);
}

TEST_F_TIMEOUT(fault, vm_ioctls, 300)
{
	EACH(ioeventfd_add, ioeventfd_remove);
	EACH(coalesced_add, coalesced_remove);
	EACH(msr_filter, NULL);
	EACH(tlb_stats, NULL);
}

static long get_supported_cpuid(struct fault *f)
{
	f->cpuid->nent = 100;
	return ioctl(f->m.dev, KVM_GET_SUPPORTED_CPUID, f->cpuid);
}

static long set_cpuid(struct fault *f)
{
	return ioctl(f->m.cpu, KVM_SET_CPUID2, f->cpuid);
}

static long get_cpuid(struct fault *f)
{
	f->cpuid->nent = 100;
	return ioctl(f->m.cpu, KVM_GET_CPUID2, f->cpuid);
}

/* IA32_SYSENTER_CS: read, or written with 0. */
static long one_msr(struct fault *f, unsigned long request)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = 0x174 };

	return ioctl(f->m.cpu, request, &msrs);
}

static long get_msrs(struct fault *f)
{
	return one_msr(f, KVM_GET_MSRS);
}

static long set_msrs(struct fault *f)
{
	return one_msr(f, KVM_SET_MSRS);
}

static long msr_list(struct fault *f)
{
	static struct {
		struct kvm_msr_list head;
		uint32_t indices[500];
	} list;

	list.head.nmsrs = 500;
	return ioctl(f->m.dev, KVM_GET_MSR_INDEX_LIST, &list);
}

static long signal_mask(struct fault *f)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} mask = { .head.len = 8 };

	return ioctl(f->m.cpu, KVM_SET_SIGNAL_MASK, &mask);
}

/* Read and written back. */
#define STATE(name, type, get, set)					\
static long name(struct fault *f)					\
{									\
	static type state;						\
									\
	return ioctl(f->m.cpu, get, &state) ? : ioctl(f->m.cpu, set, &state); \
}

STATE(regs, struct kvm_regs, KVM_GET_REGS, KVM_SET_REGS)
STATE(sregs, struct kvm_sregs, KVM_GET_SREGS, KVM_SET_SREGS)
STATE(fpu, struct kvm_fpu, KVM_GET_FPU, KVM_SET_FPU)
STATE(events, struct kvm_vcpu_events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS)
STATE(debugregs, struct kvm_debugregs, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS)
STATE(mp_state, struct kvm_mp_state, KVM_GET_MP_STATE, KVM_SET_MP_STATE)

static long xsave(struct fault *f)
{
	static struct kvm_xsave area;

	if (ioctl(f->m.cpu, KVM_GET_XSAVE, &area))
		return -1;
	return ioctl(f->m.cpu, KVM_SET_XSAVE, &area);
}

TEST_F_TIMEOUT(fault, vcpu_ioctls, 300)
{
	EACH(get_supported_cpuid, NULL);
	EACH(set_cpuid, NULL);
	EACH(get_cpuid, NULL);
	EACH(get_msrs, NULL);
	EACH(set_msrs, NULL);
	EACH(msr_list, NULL);
	EACH(signal_mask, NULL);
	EACH(regs, NULL);
	EACH(sregs, NULL);
	EACH(fpu, NULL);
	EACH(events, NULL);
	EACH(debugregs, NULL);
	EACH(mp_state, NULL);
	EACH(xsave, NULL);
}

static long read_debugfs(const char *path)
{
	char text[4096];
	long r;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	do
		r = read(fd, text, sizeof(text));
	while (r > 0);
	close(fd);
	return r;
}

static long debugfs_tlb(struct fault *f)
{
	return read_debugfs(INJECT "vtx/tlb");
}

static long debugfs_vms(struct fault *f)
{
	return read_debugfs(INJECT "vtx/vms");
}

TEST_F_TIMEOUT(fault, debugfs, 300)
{
	EACH(debugfs_tlb, NULL);
	EACH(debugfs_vms, NULL);
}

/* Return: it is loaded. Debugfs and the like may be missing then. */
static long load_module(struct fault *f)
{
	return syscall(SYS_finit_module, f->event, "", 0);
}

/* Return: faults before the module itself has a say, which then refuses. */
static unsigned int faults_of_kernel(struct fault *f)
{
	char left[16] = "";

	arm(FAULTS_MAX);
	if (!syscall(SYS_finit_module, f->event, "ept=0", 0) || errno != EINVAL ||
	    pread(nth, left, sizeof(left) - 1, 0) <= 0)
		die("vtx loads with ept=0");
	disarm();
	return FAULTS_MAX - strtoul(left, NULL, 10);
}

static void unload_module(struct fault *f, long r)
{
	if (syscall(SYS_delete_module, "vtx", O_NONBLOCK))
		die("vtx can't be unloaded");
}

FIXTURE(module) { };
FIXTURE_SETUP(module) { }
FIXTURE_TEARDOWN(module) { }

/* No machine is left, and no page that one had allocated. */
TEST_F_TIMEOUT(module, pages_are_given_back, 300)
{
	FILE *f = fopen(INJECT "page_owner", "re");
	char line[256], said[4096] = "";
	bool of_vtx = false, excused = false;
	size_t n = 0;

	if (!f)
		SKIP(return, "no page_owner in this kernel");
	/*
	 * An empty line ends what is said of a page. What was allocated at load stays,
	 * and slabs are shared: kmemleak knows of what is in them.
	 */
	while (fgets(line, sizeof(line), f)) {
		of_vtx |= !!strstr(line, "[vtx]");
		excused |= strstr(line, "do_init_module") || strstr(line, "alloc_slab_page");
		n += snprintf(said + n, sizeof(said) - n, "%s", line);
		if (line[0] != '\n' && n < sizeof(said))
			continue;
		EXPECT_FALSE(of_vtx && !excused)
			TH_LOG("%s", said);
		of_vtx = excused = false;
		n = 0;
	}
	fclose(f);
}

TEST_F_TIMEOUT(module, load, 900)
{
	struct fault f = { .event = open(KO, O_RDONLY | O_CLOEXEC) };

	if (f.event < 0)
		SKIP(return, "no " KO);
	ASSERT_TRUE(injection_ready());
	unload_module(&f, 0);
	each_fault(_metadata, &f, "load", faults_of_kernel(&f) - 10, load_module, unload_module);
	ASSERT_EQ(0, load_module(&f));
	close(f.event);
}

/* Nothing that was allocated is out of everybody's reach, by all tests until here. */
TEST_F_TIMEOUT(module, memory_is_all_accounted_for, 300)
{
	char line[256];
	int lines = 0;
	FILE *f = fopen(INJECT "kmemleak", "re");

	if (!f)
		SKIP(return, "no kmemleak in this kernel");
	/* What one scan finds may be on its way from one place to another. */
	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(write_file(INJECT "kmemleak", "scan"));
	for (; fgets(line, sizeof(line), f); lines++)
		TH_LOG("%s", line);
	EXPECT_EQ(0, lines);
	fclose(f);
}

TEST_HARNESS_MAIN
