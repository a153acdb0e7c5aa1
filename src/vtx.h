/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vtx.h - the two objects of vtx and who may touch what
 *
 * Address spaces, as in <linux/kvm_types.h>: gva_t guest linear, gpa_t guest
 * physical, gfn_t its page number; hva_t address in the VMM's process; hpa_t
 * host physical.
 *
 * Protection of members:
 *	I	immutable once the object is visible
 *	m	vm->lock
 *	e	vm->ept_lock
 *	v	vcpu->mutex
 *	p	vcpu->mutex, and only with preemption off and the VMCS current
 *	a	atomic, or read and written once
 *
 * Lock order:
 *	vcpu->mutex > vm->lock > vm->map_sem > mmap_lock > vtx_mm.lock > vm->ept_lock (spins) >
 *		vtx_mm.range_lock
 *	vm->lock > cpus_read_lock > registry_lock (tlb.c; spins, IRQs off)
 * mmu-notifier callbacks run under mmap_lock or page locks: the spinlocks only.
 * ept_lock is never taken with IRQs off: who holds it may wait for an IPI.
 * Between vtx_vcpu_load() and vtx_vcpu_put() preemption is off: no mutex.
 *
 * Failures have three channels. The user's fault is an errno. The guest's
 * fault is an exception in the guest or a KVM_EXIT_* for its VMM. Ours, or the
 * CPU's, is vcpu->vmcs.failed, or vm->tlb.failed for all vCPUs of the VM:
 * KVM_EXIT_INTERNAL_ERROR for ever, one log line.
 */
#ifndef _VTX_H
#define _VTX_H

#include <linux/kvm.h>
#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <asm/desc_defs.h>
#include <asm/page_types.h>

#include "types/api.h"
#include "types/guest.h"
#include "types/mem.h"
#include "types/run.h"
#include "types/tlb.h"
#include "types/vmx.h"

#define VTX_MAX_VCPUS		1024	/* KVM's, likewise the next */
#define VTX_MAX_VCPU_IDS	4096
#define VTX_MAX_CPUID		256
#define VTX_NO_GFN		(~0ULL)
#define VTX_RUN_PAGES		3	/* kvm_run, port I/O data, coalesced ring */

struct vtx_mm;
struct vtx_msr_filter;

/* GPRs in the order of instruction encodings, as struct kvm_regs is not. */
enum vtx_gpr {
	VTX_RAX, VTX_RCX, VTX_RDX, VTX_RBX, VTX_RSP, VTX_RBP, VTX_RSI, VTX_RDI,
	VTX_R8, VTX_R9, VTX_R10, VTX_R11, VTX_R12, VTX_R13, VTX_R14, VTX_R15,
	VTX_NR_GPRS
};

/**
 * struct vtx_vm - one virtual machine
 * @users:	[a] VM fd and vCPU fds; the last one frees
 * @mm:		[I] the process that created it; ioctls from others get -EIO
 * @pid:	[I] its id, for reports
 * @lock:	writers of @memmap, creation of vCPUs
 * @vcpus:	[m] they, by vtx_vcpu.node; joined before the vCPU's fd exists
 * @nr_vcpus:	[m] how many of them
 * @next_vcpu_id: [m] above the ids of all that there ever were
 * @max_vcpu_ids: [m] their ids are below this, 0: not fixed yet
 * @ept_lock:	see above
 * @memmap:	[m and e to write, either to read] guest-physical memory map
 * @ept:	[e] the page tables
 * @tlb:	[a] flush state (tlb.c)
 * @follow:	how it hears of changes of @mm
 * @map_sem:	held for reading by the kernel's accesses to guest memory
 * @map_gen:	[e] counts changes of @memmap
 * @log_options: [m] how KVM_GET_DIRTY_LOG works: KVM_DIRTY_LOG_*
 * @bus:	its own lock: writes that need no VMM
 * @boot_id:	[m] id of the boot processor
 * @mmu_pages:	[m] KVM_SET_NR_MMU_PAGES, 0: never
 * @clock:	[a] the VM's clock
 * @msr_filter:	[m] MSRs that the VMM has taken away, NULL: none (msr_filter.c)
 * @user_msrs:	[a] KVM_MSR_EXIT_REASON_* that go to the VMM
 * @hide_platform_info: [a] guests have no MSR_PLATFORM_INFO
 * @dead:	[a] @mm is gone
 * @tsc:	[a] what its vCPUs' TSCs share
 */
struct vtx_vm {
	refcount_t users;
	struct mm_struct *mm;
	pid_t pid;
	struct mutex lock;
	struct list_head vcpus;
	unsigned int nr_vcpus;
	unsigned int next_vcpu_id;
	unsigned int max_vcpu_ids;
	spinlock_t ept_lock;
	struct vtx_memmap memmap;
	struct vtx_ept ept;
	struct vtx_tlb_vm tlb;
	struct vtx_follow follow;
	struct rw_semaphore map_sem;
	unsigned long map_gen;
	unsigned long log_options;
	struct vtx_bus bus;
	unsigned int boot_id;
	u32 mmu_pages;
	struct vtx_clock clock;
	struct vtx_msr_filter __rcu *msr_filter;
	u32 user_msrs;
	bool hide_platform_info;
	bool dead;
	struct vtx_tsc_vm tsc;
};

/**
 * struct vtx_exit - the last VM exit
 * @reason:	exit reason with its high bits
 * @qual:	exit qualification [EPT violations; slow handlers of INS, OUTS; atomic of OUT]
 * @gpa:	guest-physical address [EPT violations]
 * @gla:	guest-linear address [slow handlers of EPT violations]
 * @insn_len:	length of the instruction [slow handlers of INS, OUTS]
 * @msr:	what RDMSR reads
 */
struct vtx_exit {
	u32 reason;
	u32 insn_len;
	u64 qual;
	u64 gpa;
	u64 gla;
	u64 msr;
};

/* What the next KVM_RUN must finish before the guest runs again. */
enum vtx_pending_io {
	VTX_IO_NONE,
	VTX_IO_PIO,		/* IN or OUT, retire the instruction */
	VTX_IO_STRING,		/* INS or OUTS, retire some iterations */
	VTX_IO_MMIO,		/* next fragment of an emulated access */
	VTX_IO_RDMSR,		/* the VMM has emulated the instruction */
	VTX_IO_WRMSR,
};

struct vtx_mce;
struct vtx_mmio;

/**
 * struct vtx_vcpu - one virtual CPU
 * @vm:		[I] its VM
 * @id:		[I] KVM_CREATE_VCPU's argument
 * @node:	[m] among the VM's vCPUs
 * @mutex:	one ioctl at a time, killable
 * @run:	[I] the run page, shared with the VMM: written by vtx, read once
 * @pio_data:	[I] the page of it with the data of port I/O
 * @pages:	[I] the pages behind the vCPU's mmap
 * @vmcs:	[p] the VMCS
 * @tlb:	[p] VPID and flush state (tlb.c)
 * @regs:	[v] GPRs; RSP's slot is filled from the VMCS on demand
 * @host_stack:	[p] RSP during VM entry; enter.S finds it behind @regs
 * @cr2:	[v]
 * @cr8:	[v] no local APIC in the kernel: the VMM's TPR
 * @apic_base:	[v] IA32_APIC_BASE, which the VMM owns
 * @xcr0:	[v]
 * @efer:	[v] EFER, but LMA: see vtx_efer_read()
 * @dr:		[v] DR0-DR3
 * @dr6:	[v] vtx_dr6() of it is what the guest has: the VMM sets any bits
 * @dr7:	[v] likewise vtx_dr7()
 * @osxsave:	[v] CR4.OSXSAVE: @xcr0 counts
 * @msrs:	[v] guest values of the swapped MSRs
 * @tsc:	[v] time-stamp counter
 * @msr:	[v] MSRs that are msr.c's alone
 * @mce:	[v] machine-check registers
 * @cpuid:	[v] what the guest sees
 * @cr4:	[v] which bits of CR4 are the guest's
 * @ran:	[v] the vCPU has entered the guest: CPUID is fixed
 * @pdptes_stale: [v] CR3 or the paging mode came from outside
 * @exit:	[v] the last exit
 * @event:	[v] event injection
 * @debug:	[v] the debugger's wishes
 * @sigmask:	[v] signals blocked during a run
 * @pending:	[v] I/O that KVM_RUN has to finish
 * @pio:	[v] port I/O in the VMM's hands
 * @mmio:	[I] emulated memory access in the VMM's hands
 * @host:	[p] borrowed host state
 * @fault:	[v] EPT violations
 * @device:	[v] where a device was accessed last
 * @fpu:	[I] guest FPU area in XSAVE standard format
 * @msr_bitmap:	[I] 4 KBytes
 * @l1d:	[p] what is known of the L1D
 */
struct vtx_vcpu {
	struct vtx_vm *vm;
	unsigned int id;
	struct list_head node;
	struct mutex mutex;
	struct kvm_run *run;
	void *pio_data;
	struct page *pages[VTX_RUN_PAGES];
	struct vtx_vmcs vmcs;
	struct vtx_tlb_vcpu tlb;
	u64 regs[VTX_NR_GPRS];
	unsigned long host_stack;
	u64 cr2;
	u64 cr8;
	u64 apic_base;
	u64 xcr0;
	u64 efer;
	u64 dr[4];
	u64 dr6;
	u64 dr7;
	bool osxsave;
	u64 msrs[VTX_NR_HW_MSRS];
	struct vtx_tsc tsc;
	struct vtx_msr msr;
	struct vtx_mce *mce;
	struct vtx_cpuid cpuid;
	struct vtx_cr4 cr4;
	bool ran;
	bool pdptes_stale;
	struct vtx_exit exit;
	struct vtx_event event;
	struct vtx_debug debug;
	struct vtx_sigmask sigmask;
	enum vtx_pending_io pending;
	struct vtx_pio pio;
	struct vtx_mmio *mmio;
	struct vtx_host host;
	struct vtx_fault_vcpu fault;
	struct vtx_device device;
	void *fpu;
	void *msr_bitmap;
	struct vtx_l1d l1d;
};

/* Return values of exit handlers, besides negative errnos: see exit.c. */
enum {
	VTX_TO_USER = 0,
	VTX_RESUME = 1,
	VTX_AROUND = 2,
	VTX_ATOMIC = 3,
	VTX_SLOW = 4,
	VTX_NO_ENTRY = 5,
};

#endif /* _VTX_H */
