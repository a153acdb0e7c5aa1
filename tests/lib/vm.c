// SPDX-License-Identifier: GPL-2.0
/* The test machine: device, VM, vCPU, memory, registers. */
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "vtx_test.h"

#define MISC_MAJOR 10
#define KVM_MINOR 232

void die(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	fprintf(stderr, "# ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (%s)\n", strerror(error));
	_exit(99);
}

const char *device_path(void)
{
	const char *path = getenv("VTX_DEV");

	return path && *path ? path : "/dev/vtx";
}

/* True where the device is the kernel's own KVM, whose few differences the tests know. */
bool on_kvm(void)
{
	struct stat st;

	if (stat(device_path(), &st))
		die("stat %s", device_path());
	return st.st_rdev == makedev(MISC_MAJOR, KVM_MINOR);
}

int device_open(void)
{
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open %s", device_path());
	return fd;
}

int vm_cap(struct vm *vm, int cap)
{
	return ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);
}

int vm_set_slot(struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Creates a vCPU, maps its run pages, and returns its fd. */
int vm_add_cpu(struct vm *vm, unsigned long id, struct kvm_run **run)
{
	int cpu = ioctl(vm->fd, KVM_CREATE_VCPU, id);

	if (cpu < 0)
		die("KVM_CREATE_VCPU %lu", id);
	*run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (*run == MAP_FAILED)
		die("mmap of the run pages");
	return cpu;
}

void vm_create(struct vm *vm)
{
	vm->dev = device_open();
	vm->fd = ioctl(vm->dev, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		die("KVM_CREATE_VM");
	vm->run_size = ioctl(vm->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->run_size < 0)
		die("KVM_GET_VCPU_MMAP_SIZE");
	/* KVM without unrestricted guest wants this; elsewhere it costs nothing. */
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000))
		die("KVM_SET_TSS_ADDR");
	vm->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->ram == MAP_FAILED)
		die("mmap of guest memory");
	if (vm_set_slot(vm, 0, 0, RAM_SIZE, vm->ram))
		die("KVM_SET_USER_MEMORY_REGION");
	vm->tables_used = false;
	vm->cpu = vm_add_cpu(vm, 0, &vm->run);
}

void vm_destroy(struct vm *vm)
{
	munmap(vm->run, vm->run_size);
	close(vm->cpu);
	close(vm->fd);
	close(vm->dev);
	munmap(vm->ram, RAM_SIZE);
}

/* Copies code to GPA; the rest of its 32K gets INT3, which stops a stray jump. */
void vm_load(struct vm *vm, uint32_t gpa, const void *start, const void *end)
{
	size_t len = (const uint8_t *)end - (const uint8_t *)start;

	if (len > PAGE_TABLES - CODE)
		die("payload of %zu bytes is too long", len);
	memset(vm->ram + gpa, 0xcc, PAGE_TABLES - CODE);
	memcpy(vm->ram + gpa, start, len);
}

/* One KVM_RUN: 0 or -errno; a signal of the harness never reaches us here. */
int vm_run(struct vm *vm)
{
	return ioctl(vm->cpu, KVM_RUN, 0) ? -errno : 0;
}

struct kvm_regs vm_regs(struct vm *vm)
{
	struct kvm_regs regs;

	if (ioctl(vm->cpu, KVM_GET_REGS, &regs))
		die("KVM_GET_REGS");
	return regs;
}

void vm_set_regs(struct vm *vm, const struct kvm_regs *regs)
{
	if (ioctl(vm->cpu, KVM_SET_REGS, regs))
		die("KVM_SET_REGS");
}

struct kvm_sregs vm_sregs(struct vm *vm)
{
	struct kvm_sregs sregs;

	if (ioctl(vm->cpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	return sregs;
}

void vm_set_sregs(struct vm *vm, const struct kvm_sregs *sregs)
{
	if (ioctl(vm->cpu, KVM_SET_SREGS, sregs))
		die("KVM_SET_SREGS");
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* The ioctl says how many were done, none or this one. */
static bool one_done(int n)
{
	if (n != 0 && n != 1)
		die("%d MSRs of one", n);
	return n;
}

/* Return: it can be read. */
bool cpu_get_msr(int cpu, uint32_t index, uint64_t *data)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	bool ok = one_done(ioctl(cpu, KVM_GET_MSRS, &msr));

	*data = msr.entry.data;
	return ok;
}

/* Return: it can be written so. */
bool cpu_set_msr(int cpu, uint32_t index, uint64_t data)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry = { .index = index, .data = data } };

	return one_done(ioctl(cpu, KVM_SET_MSRS, &msr));
}

void *vm_io_data(struct vm *vm)
{
	return (uint8_t *)vm->run + vm->run->io.data_offset;
}

/* Prints where the vCPU stands: for failed assertions. */
void vm_dump(struct vm *vm)
{
	struct kvm_sregs s = vm_sregs(vm);
	struct kvm_regs r = vm_regs(vm);

	fprintf(stderr, "# exit %u: %#llx %#llx %#llx\n", vm->run->exit_reason,
		vm->run->hw.hardware_exit_reason, (unsigned long long)vm->run->internal.ndata,
		vm->run->internal.data[0]);
	fprintf(stderr, "# rip %#llx rsp %#llx rflags %#llx rax %#llx rbx %#llx rcx %#llx rdx %#llx\n",
		r.rip, r.rsp, r.rflags, r.rax, r.rbx, r.rcx, r.rdx);
	fprintf(stderr, "# cs %#x:%#llx cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer %#llx\n",
		s.cs.selector, s.cs.base, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
	if (vm->run->exit_reason == KVM_EXIT_IO && vm->run->io.port == PORT_TRAP) {
		struct trap t = vm_trap(vm);

		fprintf(stderr, "# trap %llu error %#llx at %#llx\n", (unsigned long long)t.vector,
			(unsigned long long)t.error, (unsigned long long)t.ip);
	}
}

static unsigned int trap_width(const struct kvm_sregs *sregs)
{
	if (sregs->efer & EFER_LMA)
		return 8;
	return sregs->cr0 & CR0_PE ? 4 : 2;
}

/* Reads the frame of the exception stub that just exited through PORT_TRAP. */
struct trap vm_trap(struct vm *vm)
{
	struct kvm_sregs sregs = vm_sregs(vm);
	unsigned int width = trap_width(&sregs);
	uint64_t sp = vm_regs(vm).rsp, word[7] = { 0 };

	if (sp + 7 * width > RAM_SIZE)
		die("trap frame at %#llx", (unsigned long long)sp);
	for (int i = 0; i < 7; i++)
		memcpy(&word[i], vm->ram + sp + i * width, width);
	return (struct trap){
		.vector = word[0], .error = word[1], .ip = word[2], .cs = word[3],
		.flags = word[4], .sp = word[5], .ss = word[6],
	};
}

/* Makes the stub that exited through PORT_TRAP return to @ip. */
void vm_trap_return(struct vm *vm, uint64_t ip)
{
	struct kvm_sregs sregs = vm_sregs(vm);
	unsigned int width = trap_width(&sregs);

	memcpy(vm->ram + vm_regs(vm).rsp + 2 * width, &ip, width);
}

/*
 * Lets the guest run with RFLAGS.IF set. The processor exits for host interrupts
 * either way; Bochs 2.7 holds them back from VM entry on while the guest has
 * IF = 0, so a guest that spins and is to be interrupted must be started so.
 */
void vm_set_interruptible(struct vm *vm)
{
	struct kvm_regs regs = vm_regs(vm);

	regs.rflags |= 0x200;
	vm_set_regs(vm, &regs);
}

/* Room for 1024 entries, of which the ioctl is told @nent. The test's end frees it. */
struct kvm_cpuid2 *new_cpuid(uint32_t nent)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 1024 * sizeof(cpuid->entries[0]));

	if (!cpuid)
		die("no memory");
	cpuid->nent = nent;
	return cpuid;
}

/* All that the device supports. */
struct kvm_cpuid2 *supported_cpuid(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256);

	if (ioctl(vm->dev, KVM_GET_SUPPORTED_CPUID, cpuid))
		die("KVM_GET_SUPPORTED_CPUID");
	return cpuid;
}

struct kvm_cpuid_entry2 *find_cpuid(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	}
	return NULL;
}

/* Gives the vCPU every CPUID leaf the device supports. */
void vm_set_supported_cpuid(struct vm *vm)
{
	if (ioctl(vm->cpu, KVM_SET_CPUID2, supported_cpuid(vm)))
		die("KVM_SET_CPUID2");
}

/* Completes a pending IN, OUT or MMIO access without running the guest further. */
void vm_finish_io(struct vm *vm)
{
	vm->run->immediate_exit = 1;
	if (vm_run(vm) != -EINTR)
		die("immediate_exit did not give EINTR");
	vm->run->immediate_exit = 0;
}
