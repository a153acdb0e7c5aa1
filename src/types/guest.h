/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/guest keeps in a VM and in a vCPU. Who owns a structure is in its first line;
 * others ask that file.
 */
#ifndef _VTX_TYPES_GUEST_H
#define _VTX_TYPES_GUEST_H

#include <linux/bits.h>
#include <linux/kvm.h>
#include <linux/types.h>

struct vtx_guest_msr;

/**
 * struct vtx_event - event.c: what is to be injected at the next VM entry
 * @info:	VM-entry interruption-information; 0: nothing
 * @window:	window-exiting controls that are on in the VMCS
 * @debug:	KVM_GUESTDBG_*; 0: no debugger
 * @irq:	external interrupt that waits for its window: VTX_IRQ_WAITS | vector
 * @nmi:	NMIs that wait for their window, at most two
 * @user_window: the VMM asked for KVM_EXIT_IRQ_WINDOW_OPEN
 * @any:	all of the above: 0 when VM entry needs no preparation
 * @error:	error code of @info
 * @insn_len:	instruction length, for software events
 * @shutdown:	an exception while delivering #DF, which stays in @info: triple
 *		fault
 * @cut_off:	@info was on its way into the guest already: KVM_SET_REGS leaves it
 */
struct vtx_event {
	union {
		struct {
			u32 info;
			u32 window;
			u32 debug;
			u16 irq;
			u8 nmi;
			bool user_window;
		};
		u64 any[2];
	};
	u32 error;
	u32 insn_len;
	bool shutdown;
	bool cut_off;
};

#define VTX_IRQ_WAITS	BIT(8)

/**
 * struct vtx_debug - event.c, for run/debug.c: what KVM_SET_GUEST_DEBUG puts in the place of the guest's
 * @bp_len:	length of the instruction behind the last #BP
 * @tf:		RFLAGS.TF in the VMCS is not the guest's
 * @db:		DR0-DR3 while the guest runs, the debugger's or the guest's
 * @dr7:	likewise DR7
 */
struct vtx_debug {
	u32 bp_len;
	bool tf;
	u64 db[4];
	u64 dr7;
};

#define VTX_HAS_TSC_AUX		BIT(0)

/**
 * struct vtx_cpuid - cpuid.c: what the guest sees
 * @entries:	the VMM's table
 * @n:		how many
 * @faults:	CPUID is #GP above CPL 0
 * @has:	VTX_HAS_*: what vtx itself must know of it
 * @last:	the entry that the guest asked for last; NULL while @faults
 */
struct vtx_cpuid {
	struct kvm_cpuid_entry2 *entries;
	unsigned int n;
	bool faults;
	u8 has;
	const struct kvm_cpuid_entry2 *last;
};

/**
 * struct vtx_cr4 - cr.c: who CR4's bits belong to
 * @allowed:	bits that the guest may set, from its CPUID
 * @mask:	the others, and those whose writes vtx must see
 */
struct vtx_cr4 {
	u64 allowed;
	u64 mask;
};

/**
 * struct vtx_msr - msr.c: MSRs that no other file knows
 * @stored:	those that are only stored
 * @misc_enable: IA32_MISC_ENABLE
 * @cstar:	IA32_CSTAR, which no Intel CPU uses
 * @last:	the row of the table that was asked for last
 */
struct vtx_msr {
	u64 *stored;
	u64 misc_enable;
	u64 cstar;
	const struct vtx_guest_msr *last;
};

/**
 * struct vtx_clock - clock.c
 * @offset:	the VM's clock - the host's boot time [read and written once]
 */
struct vtx_clock {
	s64 offset;
};

#endif /* _VTX_TYPES_GUEST_H */
