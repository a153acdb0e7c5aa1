// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into Bochs 3.0 where it has several CPUs. There RIP is not committed after
 * an exception: when an interrupt makes the guest exit before its handler's first
 * instruction, RIP is that of the one that faulted again, while CS, SS and RSP are the
 * handler's. (The loops for one CPU and of the debugger begin with it, cpu_run_trace()
 * does not.) Every exception comes by here on its way back to that loop, so it is done
 * here, by what the debugger has to set RIP.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

/* Bochs' own: its CPUs, and of which of them bx_dbg_get_rip() tells. */
static void ***cpu_array;
static unsigned int *cpu_count, *debugged_cpu;
static unsigned long (*get_rip)(void);
static void (*set_rip)(void *cpu, unsigned long rip);

static void (*longjmp_chk)(jmp_buf env, int value) __attribute__((noreturn));

/* What starts Bochs has this preloaded, too, and none of these. */
static __attribute__((constructor)) void find_symbols(void)
{
	longjmp_chk = dlsym(RTLD_NEXT, "__longjmp_chk");
	cpu_array = dlsym(RTLD_DEFAULT, "bx_cpu_array");
	cpu_count = dlsym(RTLD_DEFAULT, "bx_cpu_count");
	debugged_cpu = dlsym(RTLD_DEFAULT, "dbg_cpu");
	get_rip = dlsym(RTLD_DEFAULT, "_Z14bx_dbg_get_ripv");
	set_rip = dlsym(RTLD_DEFAULT, "_ZN8BX_CPU_C11dbg_set_eipEm");
	if (cpu_array && !(longjmp_chk && cpu_count && debugged_cpu && get_rip && set_rip)) {
		fputs("bochs_smp: this Bochs lacks what several CPUs need here\n", stderr);
		exit(1);
	}
}

/* The other CPUs are between instructions: their RIP is committed, and stays so. */
static void commit_rip(void)
{
	unsigned int before = *debugged_cpu;

	for (*debugged_cpu = 0; *debugged_cpu < *cpu_count; ++*debugged_cpu)
		set_rip((*cpu_array)[*debugged_cpu], get_rip());
	*debugged_cpu = before;
}

__attribute__((noreturn)) void __longjmp_chk(jmp_buf env, int value);

void __longjmp_chk(jmp_buf env, int value)
{
	if (cpu_array)
		commit_rip();
	longjmp_chk(env, value);
}
