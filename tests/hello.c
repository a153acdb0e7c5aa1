// SPDX-License-Identifier: GPL-2.0
/*
 * hello - the smallest useful virtual machine: one page, seven instructions.
 * Usage: hello [DEVICE]. The guest adds 2 and 2 in real mode, prints the sum
 * through port 0x3f8 and halts. The same binary runs on /dev/vtx and /dev/kvm.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const unsigned char code[] = {
	0xba, 0xf8, 0x03,		/* mov $0x3f8, %dx */
	0x00, 0xd8, 0x04, '0', 0xee,	/* add %bl, %al; add $'0', %al; out %al, (%dx) */
	0xb0, '\n', 0xee, 0xf4,		/* mov $'\n', %al; out %al, (%dx); hlt */
};

static int check(int ret, const char *what)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("VTX_DEV");
	int dev = check(open(path ?: "/dev/vtx", O_RDWR | O_CLOEXEC), "open");
	int vm = check(ioctl(dev, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	void *page = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region mem = {
		.guest_phys_addr = 0x1000, .memory_size = 0x1000, .userspace_addr = (__u64)page,
	};
	struct kvm_regs regs = { .rip = 0x1000, .rax = 2, .rbx = 2, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int cpu;

	memcpy(page, code, sizeof(code));
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &mem), "KVM_SET_USER_MEMORY_REGION");
	cpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = mmap(NULL, check(ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"),
		   PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (run == MAP_FAILED)
		err(1, "mmap");
	check(ioctl(cpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	check(ioctl(cpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(cpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");

	while (check(ioctl(cpu, KVM_RUN, 0), "KVM_RUN") == 0 && run->exit_reason == KVM_EXIT_IO)
		putchar(*((char *)run + run->io.data_offset));
	if (run->exit_reason != KVM_EXIT_HLT)
		errx(1, "exit reason %u, detail %#llx", run->exit_reason, run->hw.hardware_exit_reason);
	return 0;
}
