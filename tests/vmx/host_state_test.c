// SPDX-License-Identifier: GPL-2.0
/* What VM exit does to the host's own state, undone: tables, segments, DEBUGCTL. */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/io.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define LDT_SELECTOR	7	/* entry 0, RPL 3 */
#define USER_DS		0x2b
#define HWCAP2_FSGSBASE	2
#define MSR_DEBUGCTL	0x1d9
#define DEBUGCTL_BTF	2
#define PORT		0x80	/* POST codes: harmless to read */

/* All on one CPU: its own tables and registers are looked at. */
FIXTURE(host) { struct vm m; };

FIXTURE_SETUP(host)
{
	on_cpu(0);
	vm_create(&self->m);
	vm_start(&self->m, MODE_LONG, hlt64);
}

FIXTURE_TEARDOWN(host) { vm_destroy(&self->m); }

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static bool has_umip(void)
{
	unsigned int eax, ebx, ecx = 0, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & 1 << 2);
}

TEST_F(host, gdt_and_idt_limits_survive_run)
{
	struct table gdt[2], idt[2];

	if (has_umip())
		SKIP(return, "UMIP: user mode does not see GDTR and IDTR");
	asm volatile("sgdt %0\n\tsidt %1" : "=m" (gdt[0]), "=m" (idt[0]));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	asm volatile("sgdt %0\n\tsidt %1" : "=m" (gdt[1]), "=m" (idt[1]));
	EXPECT_EQ(0, memcmp(&gdt[0], &gdt[1], sizeof(gdt[0])))
		TH_LOG("GDT limit %#x, now %#x", gdt[0].limit, gdt[1].limit);
	EXPECT_EQ(0, memcmp(&idt[0], &idt[1], sizeof(idt[0])))
		TH_LOG("IDT limit %#x, now %#x", idt[0].limit, idt[1].limit);
}

/* The bitmap of I/O permissions lies behind the limit that VM exit gives TR. */
TEST_F(host, io_permissions_survive_run)
{
	ASSERT_EQ(0, ioperm(PORT, 1, 1));
	inb(PORT);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	inb(PORT);
}

/* In the low 4 GBytes, where an LDT's descriptor can point. */
static uint64_t marker = 0x1122334455667788;

static bool set_ldt(void)
{
	struct user_desc desc = {
		.base_addr = (uintptr_t)&marker, .limit = 0xfffff, .seg_32bit = 1,
		.limit_in_pages = 1,
	};

	return !syscall(SYS_modify_ldt, 1, &desc, sizeof(desc));
}

struct segments {
	uint64_t ds, es, fs, gs;
	uint64_t at_fs, at_gs;
};

/* KVM_RUN with an LDT's selector in all of them. FS is glibc's: no calls meanwhile. */
static long run_with_ldt_selectors(int cpu, struct segments *after)
{
	unsigned long fs_base;
	long ret, fd = cpu, cmd = KVM_RUN;

	if (syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base))
		die("ARCH_GET_FS");
	asm volatile("mov %[sel], %%ds\n\tmov %[sel], %%es\n\t"
		     "mov %[sel], %%fs\n\tmov %[sel], %%gs\n\t"
		     "syscall\n\t"
		     "mov %%rax, %%r12\n\t"
		     "mov %%ds, %%eax\n\tmov %%rax, (%[after])\n\t"
		     "mov %%es, %%eax\n\tmov %%rax, 8(%[after])\n\t"
		     "mov %%fs, %%eax\n\tmov %%rax, 16(%[after])\n\t"
		     "mov %%gs, %%eax\n\tmov %%rax, 24(%[after])\n\t"
		     "mov %%fs:0, %%rax\n\tmov %%rax, 32(%[after])\n\t"
		     "mov %%gs:0, %%rax\n\tmov %%rax, 40(%[after])\n\t"
		     "xor %%eax, %%eax\n\t"
		     "mov %%eax, %%ds\n\tmov %%eax, %%es\n\tmov %%eax, %%gs\n\t"
		     "mov %[set_fs], %%edi\n\tmov %[base], %%rsi\n\t"
		     "mov %[prctl], %%eax\n\tsyscall\n\t"
		     "mov %%r12, %%rax"
		     : "=&a" (ret), "+D" (fd), "+S" (cmd)
		     : "0" (SYS_ioctl), "d" (0L),
		       [sel] "r" (LDT_SELECTOR), [after] "r" (after), [base] "r" (fs_base),
		       [set_fs] "i" (ARCH_SET_FS), [prctl] "i" (SYS_arch_prctl)
		     : "rcx", "r11", "r12", "memory");
	return ret;
}

TEST_F(host, ldt_and_its_selectors_survive_run)
{
	struct segments after;

	if (!set_ldt())
		SKIP(return, "no modify_ldt: %s", strerror(errno));
	ASSERT_EQ(0, run_with_ldt_selectors(self->m.cpu, &after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(LDT_SELECTOR, after.ds);
	EXPECT_EQ(LDT_SELECTOR, after.es);
	EXPECT_EQ(LDT_SELECTOR, after.fs);
	EXPECT_EQ(LDT_SELECTOR, after.gs);
	EXPECT_EQ(marker, after.at_fs);
	EXPECT_EQ(marker, after.at_gs);
}

static void nothing(int sig)
{
}

/* From another CPU, if there is one. Return: NULL, there is no LDT. */
static void *set_ldt_and_kick(void *runner)
{
	cpu_set_t others;
	void *done;

	memset(&others, 0xff, sizeof(others));
	CPU_CLR(0, &others);
	sched_setaffinity(0, sizeof(others), &others);
	usleep(20000);
	done = set_ldt() ? runner : NULL;
	usleep(20000);
	pthread_kill(*(pthread_t *)runner, SIGUSR1);
	return done;
}

/* The interrupt that loads LDTR comes while the guest runs, which goes on then. */
TEST_F(host, ldt_that_comes_during_run_is_there)
{
	struct sigaction act = { .sa_handler = nothing };
	pthread_t self_thread = pthread_self(), other;
	void *done;
	bool usable;

	sigaction(SIGUSR1, &act, NULL);
	vm_start_spin(&self->m);
	ASSERT_EQ(0, pthread_create(&other, NULL, set_ldt_and_kick, &self_thread));
	ASSERT_EQ(-EINTR, vm_run(&self->m));
	asm volatile("verr %w1" : "=@ccz" (usable) : "r" (LDT_SELECTOR));
	pthread_join(other, &done);
	if (!done)
		SKIP(return, "no modify_ldt");
	EXPECT_TRUE(usable);
}

/* A base of its own behind a selector that means another one. */
static long run_with_gs(int cpu, uint64_t base, uint64_t *selector, uint64_t *base_after)
{
	long ret;

	asm volatile("mov %[sel], %%gs\n\twrgsbase %[base]\n\t"
		     "syscall\n\t"
		     "mov %%gs, %k[selector]\n\trdgsbase %[base_after]\n\t"
		     "mov %[zero], %%gs"
		     : "=&a" (ret), [selector] "=&r" (*selector), [base_after] "=&r" (*base_after)
		     : "0" (SYS_ioctl), "D" ((long)cpu), "S" ((long)KVM_RUN), "d" (0L),
		       [sel] "r" (USER_DS), [base] "r" (base), [zero] "r" (0)
		     : "rcx", "r11", "memory");
	return ret;
}

TEST_F(host, gs_base_behind_a_selector_survives_run)
{
	const uint64_t base = 0x123456789000;
	uint64_t selector, base_after;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		SKIP(return, "no WRGSBASE for user mode");
	ASSERT_EQ(0, run_with_gs(self->m.cpu, base, &selector, &base_after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(USER_DS, selector);
	EXPECT_EQ(base, base_after);
}

/* Likewise FS: glibc's base stays while the selector is another. */
TEST_F(host, fs_base_behind_a_selector_survives_run)
{
	uint64_t selector, base, base_after;
	long ret;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		SKIP(return, "no WRFSBASE for user mode");
	asm volatile("rdfsbase %[base]\n\tmov %[sel], %%fs\n\twrfsbase %[base]\n\t"
		     "syscall\n\t"
		     "mov %%fs, %k[selector]\n\trdfsbase %[after]\n\t"
		     "mov %[zero], %%fs\n\twrfsbase %[base]"
		     : "=&a" (ret), [selector] "=&r" (selector), [base] "=&r" (base),
		       [after] "=&r" (base_after)
		     : "0" (SYS_ioctl), "D" ((long)self->m.cpu), "S" ((long)KVM_RUN), "d" (0L),
		       [sel] "r" (USER_DS), [zero] "r" (0)
		     : "rcx", "r11", "memory");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(USER_DS, selector);
	EXPECT_EQ(base, base_after);
}

TEST_F(host, debugctl_survives_run)
{
	int fd = open("/dev/cpu/0/msr", O_RDWR);
	uint64_t old, set, got = 0;

	if (fd < 0)
		SKIP(return, "no /dev/cpu/0/msr: %s", strerror(errno));
	ASSERT_EQ(8, pread(fd, &old, 8, MSR_DEBUGCTL));
	set = old | DEBUGCTL_BTF;
	if (pwrite(fd, &set, 8, MSR_DEBUGCTL) != 8 || pread(fd, &got, 8, MSR_DEBUGCTL) != 8 ||
	    got != set)
		SKIP(return, "IA32_DEBUGCTL does not keep what is written");
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(8, pread(fd, &got, 8, MSR_DEBUGCTL));
	EXPECT_EQ(set, got);
	ASSERT_EQ(8, pwrite(fd, &old, 8, MSR_DEBUGCTL));
}

TEST_HARNESS_MAIN
