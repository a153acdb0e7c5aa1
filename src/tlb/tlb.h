/* SPDX-License-Identifier: GPL-2.0 */
/* When a CPU's cached translations have to go. */
#ifndef _VTX_TLB_H
#define _VTX_TLB_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/smp.h>
#include <linux/types.h>

#include "types/tlb.h"

/* As a CPU number: has not run anywhere yet; ran last on @cpu, which left since. */
#define VTX_TLB_NOWHERE		(-1)
#define VTX_TLB_LEFT(cpu)	(-2 - (cpu))

/**
 * struct vtx_tlb_caps - which invalidations this machine gets
 * @ept_vpid_cap: IA32_VMX_EPT_VPID_CAP, from which the rest was decided
 * @vpid: vCPUs may have VPIDs
 * @invvpid_type: the INVVPID type that drops one VPID: single-context, or
 *                all-context where that is missing; 0 without @vpid
 * @invvpid_all: all-context INVVPID exists
 * @invept_type: the INVEPT type that drops one EPT root, likewise
 * @invept_all: all-context INVEPT exists
 */
struct vtx_tlb_caps {
	u64 ept_vpid_cap;
	bool vpid;
	u8 invvpid_type;
	bool invvpid_all;
	u8 invept_type;
	bool invept_all;
};

extern struct vtx_tlb_caps vtx_tlb_caps;
extern enum vtx_tlb_policy vtx_tlb_policy;
extern struct vtx_tlb_counters vtx_tlb_total;

int vtx_tlb_setup(u64 ept_vpid_cap, bool vpid_ctl);
int vtx_tlb_scrub(void);
void vtx_tlb_cpu_off(int cpu);

int vtx_tlb_vm_init(struct vtx_tlb_vm *vm, u64 eptp);
void vtx_tlb_vm_destroy(struct vtx_tlb_vm *vm);
void vtx_tlb_ept_flush(struct vtx_tlb_vm *vm);
void vtx_tlb_stop(struct vtx_tlb_vm *vm);

int vtx_tlb_vcpu_init(struct vtx_tlb_vcpu *vcpu, struct vtx_tlb_vm *vm);
void vtx_tlb_vcpu_release(struct vtx_tlb_vcpu *vcpu);
void vtx_tlb_state_changed(struct vtx_tlb_vcpu *vcpu);

int vtx_tlb_flush_due(struct vtx_tlb_vcpu *vcpu, int cpu);

typedef void (*vtx_tlb_look_t)(struct vtx_tlb_vm *vm, struct vtx_tlb_vcpu *vcpu, void *data);
bool vtx_tlb_nth(unsigned long n, vtx_tlb_look_t look, void *data);

/**
 * vtx_tlb_ept_gen() - a number that changes whenever an EPT entry is taken back
 * @vm: the VM
 *
 * Return: not 0. What was read from an EPT entry before is still true as long as
 * this is the same, under the lock that guards entries.
 */
static inline s64 vtx_tlb_ept_gen(struct vtx_tlb_vm *vm)
{
	return atomic64_read(&vm->ept_gen);
}

/**
 * vtx_tlb_enter() - the last thing before VM entry: flush what is due
 * @vcpu: about to enter on this CPU
 *
 * Publish, then look (V6): whoever raises the EPT generation after the look
 * finds @in_guest set and waits for this CPU's next VM exit; the interrupt
 * that it sends, pending since interrupts are off here, makes VM entry exit at
 * once.
 *
 * Context: interrupts off from here to vtx_tlb_exit().
 * Return: 0, or -EIO if a flush of this VM failed, now or before: the caller calls
 * vtx_tlb_stop() once interrupts are on. There is no vtx_tlb_exit() to call then.
 */
static inline int vtx_tlb_enter(struct vtx_tlb_vcpu *vcpu)
{
	int cpu = smp_processor_id();
	struct vtx_tlb_vm *vm = vcpu->vm;
	struct vtx_tlb_cpu *here = &vm->cpu[cpu];

	/* Pairs with the barrier in vtx_tlb_ept_flush(). */
	smp_store_mb(here->in_guest, true);

	if (likely(here->flushed == atomic64_read(&vm->ept_gen) &&
		   READ_ONCE(vcpu->last_cpu) == cpu &&
		   vcpu->served == atomic_read(&vcpu->request) &&
		   READ_ONCE(vtx_tlb_policy) != VTX_TLB_ALWAYS))
		return 0;

	return vtx_tlb_flush_due(vcpu, cpu);
}

/**
 * vtx_tlb_straight() - may VM entries follow one another between one
 * vtx_tlb_enter() and its vtx_tlb_exit()?
 *
 * Interrupts stay off, so nothing but a change of the guest's registers from
 * here can make a flush due, and who wants one waits for vtx_tlb_exit().
 *
 * Return: false if the policy wants a flush at each entry.
 */
static inline bool vtx_tlb_straight(void)
{
	return READ_ONCE(vtx_tlb_policy) != VTX_TLB_ALWAYS;
}

/**
 * vtx_tlb_exit() - after VM exit: flushers need not wait for this CPU any more
 * @vcpu: what vtx_tlb_enter() returned 0 for
 *
 * Context: interrupts still off.
 */
static inline void vtx_tlb_exit(struct vtx_tlb_vcpu *vcpu)
{
	/* A flusher that reads false may reuse what the guest could reach. */
	smp_store_release(&vcpu->vm->cpu[smp_processor_id()].in_guest, false);
}

#endif /* _VTX_TLB_H */
