// SPDX-License-Identifier: GPL-2.0
/* Operations timed by the guest itself: payloads of guest.S, host loops for them. */
#include <stddef.h>

#include "bench.h"

#define TOUCH_4K	512		/* pages measured */
#define TOUCH_2M	8
#define SIZE_2M		0x200000UL
#define VECTOR		0x40
#define POLICY		"/sys/module/vtx/parameters/vpid_policy"
#define CPUID_LAST	0x80000008

/* One operation: a payload with its registers. */
struct op {
	const char *name;
	const uint8_t *start, *end;
	uint64_t r9, r10, rcx, rbx;
	bool (*prepare)(struct vm *vm);		/* false: the device cannot do it */
	void (*serve)(struct vm *vm);		/* the VMM's part of an exit */
};

static void write_stub(struct vm *vm)
{
	/* incl DATA; iretq */
	static const uint8_t code[] = { 0xff, 0x04, 0x25, 0x00, 0x20, 0, 0, 0x48, 0xcf };

	memcpy(vm->ram + STUBS + VECTOR * 16, code, sizeof(code));
}

static bool prepare_interrupt(struct vm *vm)
{
	write_stub(vm);
	return true;
}

static void serve_interrupt(struct vm *vm)
{
	const struct kvm_interrupt irq = { .irq = VECTOR };

	if (ioctl(vm->cpu, KVM_INTERRUPT, &irq))
		die("KVM_INTERRUPT");
}

static bool prepare_sync(struct vm *vm)
{
	if (!(vm_cap(vm, KVM_CAP_SYNC_REGS) & KVM_SYNC_X86_REGS))
		return false;
	vm->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	return true;
}

static bool prepare_xsave(struct vm *vm)
{
	struct kvm_sregs s = vm_sregs(vm);

	s.cr4 |= 1 << 18;	/* OSXSAVE */
	return !ioctl(vm->cpu, KVM_SET_SREGS, &s);
}

static bool prepare_roots(struct vm *vm)
{
	memcpy(vm->ram + OTHER_ROOT, vm->ram + PAGE_TABLES, PAGE);
	return true;
}

#define DECLARE(name)	extern const uint8_t guest_bench_##name[], guest_bench_##name##_end[]
#define CODE_OF(name)	.start = guest_bench_##name, .end = guest_bench_##name##_end

DECLARE(nothing);
DECLARE(cpuid);
DECLARE(vmcall);
DECLARE(rdmsr);
DECLARE(wrmsr);
DECLARE(cr0);
DECLARE(xsetbv);
DECLARE(out);
DECLARE(in);
DECLARE(outs);
DECLARE(mmio_read);
DECLARE(mmio_write);
DECLARE(hlt);
DECLARE(interrupt);
DECLARE(cr3);
DECLARE(touch);

#define APIC_BASE	0x1b
#define APIC_ENABLED	0xfee00900
#define SYSENTER_EIP	0x176
#define EFER		0xc0000080
#define KERNEL_GS_BASE	0xc0000102
#define CR0_LONG	(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE)

static const struct op ops[] = {
	{ "cpuid", CODE_OF(cpuid) },
	{ "cpuid_last", CODE_OF(cpuid), .r9 = CPUID_LAST },
	{ "vmcall", CODE_OF(vmcall), .r9 = 999 },
	{ "rdmsr_apic_base", CODE_OF(rdmsr), .rcx = APIC_BASE },
	{ "wrmsr_apic_base", CODE_OF(wrmsr), .rcx = APIC_BASE, .r9 = APIC_ENABLED },
	{ "rdmsr_efer", CODE_OF(rdmsr), .rcx = EFER },
	{ "wrmsr_efer", CODE_OF(wrmsr), .rcx = EFER, .r9 = EFER_LME | EFER_LMA },
	{ "rdmsr_sysenter", CODE_OF(rdmsr), .rcx = SYSENTER_EIP },
	{ "wrmsr_sysenter", CODE_OF(wrmsr), .rcx = SYSENTER_EIP },
	{ "wrmsr_kernel_gs", CODE_OF(wrmsr), .rcx = KERNEL_GS_BASE },
	{ "mov_cr0_ts", CODE_OF(cr0), .r9 = CR0_TS, .r10 = CR0_LONG },
	{ "mov_cr0_cd", CODE_OF(cr0), .r9 = CR0_CD, .r10 = CR0_LONG },
	{ "xsetbv", CODE_OF(xsetbv), .r9 = 1, .prepare = prepare_xsave },
	{ "out", CODE_OF(out), .r10 = PORT_OUT },
	{ "out_sync_regs", CODE_OF(out), .r10 = PORT_OUT, .prepare = prepare_sync },
	{ "in", CODE_OF(in), .r10 = PORT_OUT },
	{ "rep_outs", CODE_OF(outs), .r10 = PORT_OUT },
	{ "mmio_read", CODE_OF(mmio_read), .rbx = MMIO },
	{ "mmio_write", CODE_OF(mmio_write), .rbx = MMIO },
	{ "hlt", CODE_OF(hlt) },
	{ "out_interrupt", CODE_OF(interrupt), .r10 = PORT_OUT,
	  .prepare = prepare_interrupt, .serve = serve_interrupt },
	{ "cr3_touch_cpuid", CODE_OF(cr3), .r9 = PAGE_TABLES ^ OTHER_ROOT, .r10 = PAGE_TABLES,
	  .prepare = prepare_roots },
};

/* To the guest's last word; a payload that comes to harm ends the program. */
static void run_payload(struct vm *vm, void (*serve)(struct vm *vm))
{
	struct kvm_run *run = vm->run;

	for (;;) {
		if (ioctl(vm->cpu, KVM_RUN, 0))
			die("KVM_RUN");
		if (run->exit_reason == KVM_EXIT_IO) {
			if (run->io.port == PORT_DONE)
				return;
			if (run->io.port != PORT_OUT)
				break;
		} else if (run->exit_reason != KVM_EXIT_MMIO && run->exit_reason != KVM_EXIT_HLT) {
			break;
		}
		if (serve)
			serve(vm);
	}
	vm_dump(vm);
	die("unexpected exit %u", run->exit_reason);
}

static void load(struct vm *vm, const struct op *op)
{
	struct kvm_regs regs;

	vm_load(vm, CODE, op->start, op->end);
	vm_enter(vm, MODE_LONG, 0);
	regs = vm_regs(vm);
	regs.r9 = op->r9;
	regs.r10 = op->r10;
	regs.rcx = op->rcx;
	regs.rbx = op->rbx;
	vm_set_regs(vm, &regs);
}

static long guest_median(struct vm *vm, int n)
{
	const uint32_t *sample = (const uint32_t *)(vm->ram + SAMPLES);
	uint64_t copy[COUNT];

	for (int i = 0; i < n; i++)
		copy[i] = sample[i];
	return median(copy, n);
}

/* The machine is warm: the samples' pages are there, the payload's are on its first round. */
static void new_machine(struct vm *vm)
{
	vm_create(vm);
	vm_set_supported_cpuid(vm);
	memset(vm->ram, 0, RAM_SIZE);
}

static long run_op(const struct op *op)
{
	struct vm vm;
	long result;

	new_machine(&vm);
	load(&vm, op);
	if (op->prepare && !op->prepare(&vm)) {
		vm_destroy(&vm);
		return UNSUPPORTED;
	}
	run_payload(&vm, op->serve);
	result = guest_median(&vm, COUNT);
	if (op->serve == serve_interrupt && *(uint32_t *)(vm.ram + DATA) != COUNT + 1)
		die("%u interrupts of %d", *(uint32_t *)(vm.ram + DATA), COUNT + 1);
	vm_destroy(&vm);
	return result;
}

void bench_guest(const char *only)
{
	const struct op nothing = { "nothing", CODE_OF(nothing) };
	long empty = run_op(&nothing);

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		long cost;

		if (!bench_wanted(ops[i].name, only))
			continue;
		cost = run_op(&ops[i]);
		/* The NOP of the empty payload stands for the instruction. */
		bench_print(ops[i].name, cost == UNSUPPORTED ? cost : cost - empty + 1);
	}
}

static void set_policy(const char *policy)
{
	int fd = open(POLICY, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, policy, strlen(policy)) < 0)
		die("%s of %s", policy, POLICY);
	close(fd);
}

/* Switches of address spaces with each way of flushing that vtx has. */
void bench_policies(const char *only)
{
	static const char *const policies[] = { "all", "always", "off", "single" };
	const struct op nothing = { "nothing", CODE_OF(nothing) };
	struct op op = ops[sizeof(ops) / sizeof(*ops) - 1];
	char name[64];

	if (on_kvm() || access(POLICY, W_OK) || (only && strncmp(only, "cr3_vpid_", 9)))
		return;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "cr3_vpid_%s", policies[i]);
		if (!bench_wanted(name, only))
			continue;
		set_policy(policies[i]);
		bench_print(name, run_op(&op) - run_op(&nothing) + 1);
	}
	set_policy("single");
}

/* Mean over all pages: a page that another one's fault brought in counts too. */
static long touch(struct vm *vm, unsigned long step, int pages)
{
	const struct op op = { "touch", CODE_OF(touch), .rcx = pages, .rbx = AREA };
	const uint32_t *sample = (const uint32_t *)(vm->ram + SAMPLES);
	struct kvm_regs regs;
	uint64_t sum = 0;

	load(vm, &op);
	regs = vm_regs(vm);
	regs.rsi = step;
	vm_set_regs(vm, &regs);
	run_payload(vm, NULL);
	for (int i = 0; i < pages; i++)
		sum += sample[i];
	return sum / pages;
}

enum backing { SMALL, HUGE, ABSENT };

/* Memory that the process has already, in pages of the wanted size, or has not. */
static uint8_t *area(size_t size, enum backing backing)
{
	uint8_t *p = mmap((void *)0x100000000000, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu bytes", size);
	madvise(p, size, backing == HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size && backing != ABSENT; i += PAGE)
		p[i] = 1;
	return p;
}

/* Linux turns them off where memory is small, users where they like. */
static bool large_pages(void)
{
	char text[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return false;
	close(fd);
	return !strstr(text, "[never]");
}

static long fault_cost(unsigned long step, int pages, enum backing backing)
{
	size_t size = (step * pages * 2 + SIZE_2M - 1) & ~(SIZE_2M - 1);
	struct vm vm;
	uint8_t *p;
	long cost;

	new_machine(&vm);
	p = area(size, backing);
	if (vm_set_slot(&vm, 1, AREA, size, p))
		die("KVM_SET_USER_MEMORY_REGION");
	cost = touch(&vm, step, pages);
	vm_destroy(&vm);
	munmap(p, size);
	return cost;
}

/* Pages that the guest has written: ask for them, then let it write them again. */
static void dirty_log(long *harvest, long *rewrite)
{
	size_t size = (TOUCH_4K + TRACED) * PAGE;
	uint64_t bitmap[(TOUCH_4K + TRACED) / 64] = { 0 };
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = KVM_MEM_LOG_DIRTY_PAGES, .guest_phys_addr = AREA,
		.memory_size = size,
	};
	unsigned int dirty = 0;
	struct vm vm;
	uint64_t start;
	uint8_t *p;

	new_machine(&vm);
	p = area(size, SMALL);
	region.userspace_addr = (uintptr_t)p;
	*harvest = *rewrite = UNSUPPORTED;
	if (!ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, &region)) {
		touch(&vm, PAGE, TOUCH_4K);
		start = now();
		if (ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log))
			die("KVM_GET_DIRTY_LOG");
		*harvest = (now() - start - clock_overhead()) / (TOUCH_4K + TRACED);
		for (size_t i = 0; i < sizeof(bitmap) / 8; i++)
			dirty += __builtin_popcountll(bitmap[i]);
		if (dirty != TOUCH_4K + TRACED)
			die("%u dirty pages of %d", dirty, TOUCH_4K + TRACED);
		*rewrite = touch(&vm, PAGE, TOUCH_4K);
	}
	vm_destroy(&vm);
	munmap(p, size);
}

void bench_faults(const char *only)
{
	long harvest, rewrite;

	if (bench_wanted("fault_4k", only))
		bench_print("fault_4k", fault_cost(PAGE, TOUCH_4K, SMALL));
	if (bench_wanted("fault_absent", only))
		bench_print("fault_absent", fault_cost(PAGE, TOUCH_4K, ABSENT));
	if (bench_wanted("fault_2m", only))
		bench_print("fault_2m", large_pages() ?
			    fault_cost(SIZE_2M, TOUCH_2M, HUGE) : UNSUPPORTED);
	if (bench_wanted("fault_far", only))
		bench_print("fault_far", fault_cost(SIZE_2M, TOUCH_2M, SMALL));
	if (bench_wanted("dirty_log", only)) {
		dirty_log(&harvest, &rewrite);
		bench_print("dirty_log_per_page", harvest);
		bench_print("dirty_write_fault", rewrite);
	}
}
