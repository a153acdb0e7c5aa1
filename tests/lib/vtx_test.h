/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vtx_test.h - what every test shares: a machine, ways to start it, exits.
 *
 * The helpers end the test (exit code 99, a failure) when the ground they
 * stand on gives way; what a test is about is asserted in the test itself.
 */
#ifndef _VTX_TEST_H
#define _VTX_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../guest_code/guest.h"

#define PAGE		4096UL

#define CR0_PE		(1ULL << 0)
#define CR0_TS		(1ULL << 3)
#define CR0_ET		(1ULL << 4)
#define CR0_NE		(1ULL << 5)
#define CR0_WP		(1ULL << 16)
#define CR0_AM		(1ULL << 18)
#define CR0_NW		(1ULL << 29)
#define CR0_CD		(1ULL << 30)
#define CR0_PG		(1ULL << 31)
#define CR4_DE		(1ULL << 3)
#define CR4_PSE		(1ULL << 4)
#define CR4_PAE		(1ULL << 5)
#define CR4_OSFXSR	(1ULL << 9)
#define CR4_OSXMMEXCPT	(1ULL << 10)
#define CR4_VMXE	(1ULL << 13)
#define EFER_SCE	(1ULL << 0)
#define EFER_NX		(1ULL << 11)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)

enum mode {
	MODE_REAL,		/* 16-bit, CS base 0 */
	MODE_PROT,		/* 32-bit flat, no paging */
	MODE_PAGED,		/* 32-bit, 4K pages */
	MODE_PSE,		/* 32-bit, 4M pages */
	MODE_PAE,		/* 32-bit, 2M pages */
	MODE_LONG,		/* 64-bit, 2M pages */
	MODE_LONG_4K,		/* 64-bit, 4K pages */
	MODE_COMPAT,		/* 32-bit code in long mode */
};

/* One virtual machine with one vCPU and RAM_SIZE bytes at 0. */
struct vm {
	int dev, fd, cpu;
	struct kvm_run *run;
	int run_size;
	uint8_t *ram;
	bool tables_used;
};

/* What an exception stub found on the stack. */
struct trap {
	uint64_t vector, error, ip, cs, flags, sp, ss;
};

/* lib/vm.c */
void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...);
const char *device_path(void);
bool on_kvm(void);
int device_open(void);
int vm_cap(struct vm *vm, int cap);
void vm_create(struct vm *vm);
void vm_destroy(struct vm *vm);
int vm_set_slot(struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *hva);
int vm_add_cpu(struct vm *vm, unsigned long id, struct kvm_run **run);
void vm_load(struct vm *vm, uint32_t gpa, const void *start, const void *end);
int vm_run(struct vm *vm);
void vm_dump(struct vm *vm);
struct kvm_regs vm_regs(struct vm *vm);
void vm_set_regs(struct vm *vm, const struct kvm_regs *regs);
struct kvm_sregs vm_sregs(struct vm *vm);
void vm_set_sregs(struct vm *vm, const struct kvm_sregs *sregs);
bool cpu_get_msr(int cpu, uint32_t index, uint64_t *data);
bool cpu_set_msr(int cpu, uint32_t index, uint64_t data);
void *vm_io_data(struct vm *vm);
struct trap vm_trap(struct vm *vm);
void vm_trap_return(struct vm *vm, uint64_t ip);
void vm_set_interruptible(struct vm *vm);
struct kvm_cpuid2 *new_cpuid(uint32_t nent);
struct kvm_cpuid2 *supported_cpuid(struct vm *vm);
struct kvm_cpuid_entry2 *find_cpuid(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index);
void vm_set_supported_cpuid(struct vm *vm);
void vm_finish_io(struct vm *vm);

/* lib/mode.c */
void vm_enter(struct vm *vm, enum mode mode, int cpl);
void vm_start_peek(struct vm *vm, uint32_t gpa);

/* lib/cell.c: the single instructions of guest/insn.S */
#define DONE -1			/* the cell ran to its end */

int run_cell(struct vm *m, int index, struct trap *trap);

/* Copies payload guest_NAME to CODE and sets the vCPU up to run it at CPL 0. */
#define vm_start(vm, mode, name) vm_start_cpl(vm, mode, 0, name)
#define vm_start_cpl(vm, mode, cpl, name) do {				\
	extern const uint8_t guest_##name[], guest_##name##_end[];	\
	vm_load(vm, CODE, guest_##name, guest_##name##_end);		\
	vm_enter(vm, mode, cpl);					\
} while (0)

/* A guest that never leaves by itself. */
#define vm_start_spin(vm) do {						\
	vm_start(vm, MODE_REAL, spin16);				\
	vm_set_interruptible(vm);					\
} while (0)

/* Runs the vCPU; the test ends unless it comes back with this exit. */
#define ASSERT_EXIT(reason, vm) do {					\
	ASSERT_EQ(0, vm_run(vm));					\
	ASSERT_EQ((reason), (int)(vm)->run->exit_reason)		\
		vm_dump(vm);						\
} while (0)

#define EXPECT_PEEK(value, m, gpa) do {					\
	vm_start_peek((m), (gpa));					\
	ASSERT_EXIT(KVM_EXIT_HLT, (m));					\
	EXPECT_EQ((value), vm_regs(m).rax);				\
} while (0)

/* One name after the other of a list of unsigned long. */
#define FOR_EACH(item, list)						\
	for (const unsigned long *item = (list);			\
	     item < (list) + sizeof(list) / sizeof((list)[0]); item++)

/* ioctl on a good fd fails with this errno. */
#define EXPECT_ERRNO(error, call) do {					\
	errno = 0;							\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ((error), errno);					\
} while (0)

#ifdef __KSELFTEST_HARNESS_H
/* Where there is no device, a test program as a whole is skipped. */
static void __attribute__((constructor)) skip_without_device(void)
{
	if (access(device_path(), F_OK) == 0)
		return;
	printf("TAP version 13\n1..0 # SKIP no %s: is the module loaded?\n", device_path());
	exit(KSFT_SKIP);
}
#endif

/* Fixture "vm": a fresh machine in each test. */
#define VM_FIXTURE							\
FIXTURE(vm) { struct vm m; };						\
FIXTURE_SETUP(vm) { vm_create(&self->m); }				\
FIXTURE_TEARDOWN(vm) { vm_destroy(&self->m); }

#endif
