// SPDX-License-Identifier: GPL-2.0
/*
 * When a CPU's cached translations have to go.
 *
 * Under EPT a guest's translations are tagged with its VPID and its EPT root,
 * live in the TLB of one logical processor and are dropped by instructions
 * that act on that processor alone. The guest keeps its own TLB right where it
 * runs; this file sees to what the guest can't:
 *
 *   a vCPU comes back to a CPU after running elsewhere      INVVPID, that CPU
 *   its CR0, CR3, CR4... are set from outside               INVVPID, next entry
 *   its VPID is about to be released                        INVVPID, all CPUs visited
 *   an EPT entry loses a permission or changes its address  INVEPT, all CPUs
 *   an EPT root is used for the first time on a CPU, or     INVEPT, that CPU
 *   for the first time since the CPU left VMX operation
 *   a CPU enters VMX operation                              all of both
 *
 * and to nothing else: what need not be executed is counted with its reason.
 *
 * The invariants, which comments here, the model and the mutants name:
 *
 * V1	0 is never handed out as a VPID. A VPID has at most one owner. Exhausted
 *	pool: "enable VPID" off for that vCPU, counted, correct.
 * V2	Allocation and release are one bitmap under one spinlock; release happens
 *	exactly once per allocation, on every path.
 * V3	Before a released VPID can be handed out again, single-context INVVPID has
 *	been executed for it on every CPU on which its owner ever entered, or that
 *	CPU has left VMX operation since (it is scrubbed when it comes back).
 * V4	A vCPU enters on a CPU only if no translation tagged with its VPID there is
 *	older than its last run elsewhere: single-context INVVPID on migration, on
 *	the new CPU, with interrupts off after the last point where the thread can
 *	move; not where nothing stale can be (first visit; a single-context INVEPT
 *	due anyway).
 * V5	An EPT entry that loses a permission or changes its address is gone from
 *	every CPU's cached translations before the page behind it or a table page is
 *	used again. A recycled EPT root is invalidated before its first use.
 * V6	A flush request raised between the last check and VM entry is not lost; a
 *	request is cleared only after the flush has run.
 * V7	Results of INVVPID and INVEPT are checked; a failure stops the VM with a
 *	report; only supported types are issued.
 * V8	Where userspace or vtx changes CR0, CR3, CR4, EFER... for the guest, the flush
 *	that the real instruction implies is done.
 *
 * Every flush is counted by instruction, type and cause, and so is every one avoided.
 *
 * Does not own the pool of VPIDs (vpid.c), the instructions (root.c) or EPT
 * (ept.c). Compiles in userspace too; tests/unit runs it against a model of a
 * tagged TLB that never forgets.
 */
#include "tlb/tlb.h"

#include <linux/bug.h>
#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <asm/vmx.h>

#include "tlb/vpid.h"
#include "vmx/root.h"
#include "vmx/trace.h"

struct vtx_tlb_caps vtx_tlb_caps __read_mostly;
enum vtx_tlb_policy vtx_tlb_policy __read_mostly;
struct vtx_tlb_counters vtx_tlb_total;

/* All VMs and their vCPUs, for CPUs that leave, and to tell. A leaf, interrupts off. */
static DEFINE_SPINLOCK(registry_lock);
static LIST_HEAD(registry);

/* Count at every level that can be asked for it; @vcpu may be NULL. */
#define count(vm, vcpu, what) do {					\
	struct vtx_tlb_vcpu *__vcpu = (vcpu);				\
									\
	atomic64_inc(&vtx_tlb_total.what);				\
	atomic64_inc(&(vm)->count.what);				\
	if (__vcpu)							\
		atomic64_inc(&__vcpu->count.what);			\
} while (0)

/**
 * vtx_tlb_setup() - decide from the capabilities which flush is which
 * @ept_vpid_cap: IA32_VMX_EPT_VPID_CAP
 * @vpid_ctl: the "enable VPID" control exists and is wanted
 *
 * A single-context type that is missing is replaced by the all-context one; a
 * VPID that can't be flushed at all is worse than none.
 *
 * Context: at load, before the first VM.
 * Return: 0, or -EOPNOTSUPP if EPT translations can't be invalidated.
 */
int vtx_tlb_setup(u64 ept_vpid_cap, bool vpid_ctl)
{
	struct vtx_tlb_caps caps = { .ept_vpid_cap = ept_vpid_cap };
	u32 vpid_cap = ept_vpid_cap >> 32;

	if (!(ept_vpid_cap & VMX_EPT_INVEPT_BIT))
		return -EOPNOTSUPP;
	caps.invept_all = ept_vpid_cap & VMX_EPT_EXTENT_GLOBAL_BIT;
	if (ept_vpid_cap & VMX_EPT_EXTENT_CONTEXT_BIT)
		caps.invept_type = VMX_EPT_EXTENT_CONTEXT;
	else if (caps.invept_all)
		caps.invept_type = VMX_EPT_EXTENT_GLOBAL;
	else
		return -EOPNOTSUPP;

	if (vpid_ctl && (vpid_cap & VMX_VPID_INVVPID_BIT)) {
		caps.invvpid_all = vpid_cap & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT;
		if (vpid_cap & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT)
			caps.invvpid_type = VMX_VPID_EXTENT_SINGLE_CONTEXT;
		else if (caps.invvpid_all)
			caps.invvpid_type = VMX_VPID_EXTENT_ALL_CONTEXT;
		caps.vpid = caps.invvpid_type;
	}

	vtx_tlb_caps = caps;
	return 0;
}

/* VMfail of operands that are right can't happen; if it does, we stop and tell (V7). */
static int failed(struct vtx_tlb_vcpu *vcpu, const char *insn, u8 type, u64 tag,
		  enum vtx_tlb_cause cause)
{
	/* The machine goes down, and VMX with it. */
	if (!vtx_root_cpu_on(smp_processor_id()))
		return -EIO;
	count(vcpu->vm, vcpu, event[VTX_TLB_FAILURES]);
	pr_err_ratelimited("%s type %u for %#llx failed on CPU %d: %s\n",
			   insn, type, tag, smp_processor_id(),
			   cause == VTX_TLB_TEARDOWN ? "the VPID is not used again" :
						       "its VM is stopped");
	return -EIO;
}

/*
 * INVVPID on this CPU for @vcpu's VPID, of the supported @type that includes
 * it. The result is never ignored (V7).
 */
static int invvpid(struct vtx_tlb_vcpu *vcpu, u8 type, enum vtx_tlb_cause cause)
{
	bool single = type == VMX_VPID_EXTENT_SINGLE_CONTEXT;
	enum vtx_tlb_op op = single ? VTX_TLB_INVVPID_SINGLE : VTX_TLB_INVVPID_ALL;

	trace_vtx_invvpid(type, vcpu->vpid, cause);
	count(vcpu->vm, vcpu, flush[op][cause]);
	if (!single && vtx_tlb_caps.invvpid_type == type)
		count(vcpu->vm, vcpu, event[VTX_TLB_FALLBACKS]);
	if (vtx_root_invvpid(type, single ? vcpu->vpid : 0, 0))
		return failed(vcpu, "INVVPID", type, vcpu->vpid, cause);
	return 0;
}

/* INVEPT on this CPU for @vcpu's EPT root, likewise. */
static int invept(struct vtx_tlb_vcpu *vcpu, enum vtx_tlb_cause cause)
{
	u8 type = vtx_tlb_caps.invept_type;
	bool single = type == VMX_EPT_EXTENT_CONTEXT;
	enum vtx_tlb_op op = single ? VTX_TLB_INVEPT_SINGLE : VTX_TLB_INVEPT_ALL;
	u64 eptp = single ? vcpu->vm->eptp : 0;

	trace_vtx_invept(type, eptp, cause);
	count(vcpu->vm, vcpu, flush[op][cause]);
	if (!single)
		count(vcpu->vm, vcpu, event[VTX_TLB_FALLBACKS]);
	if (vtx_root_invept(type, eptp))
		return failed(vcpu, "INVEPT", type, vcpu->vm->eptp, cause);
	return 0;
}

/*
 * Bring this CPU up to the VM's EPT generation (V5). The generation is read
 * before INVEPT, so that one raised meanwhile is due at the next entry, which
 * comes soon: whoever raised it finds this CPU published and kicks it (V6).
 *
 * Return: 1 if INVEPT was executed, 0 if it was not due, -EIO.
 */
static int flush_ept(struct vtx_tlb_vcpu *vcpu, struct vtx_tlb_cpu *here)
{
	s64 gen = atomic64_read(&vcpu->vm->ept_gen);

	if (here->flushed == gen)
		return 0;
	if (invept(vcpu, here->flushed ? VTX_TLB_EPT : VTX_TLB_CREATE))
		return -EIO;
	here->flushed = gen;
	return 1;
}

/*
 * The INVVPID, if any, that @vcpu needs before it enters on @cpu (V4, V8).
 *
 * Wherever it ran before, its translations may be older than what it did
 * since; where it never ran there are none, because its VPID was flushed there
 * when the last owner released it (V3). A change of state needs a flush where
 * it ran last only: the rule for coming back takes care of all other CPUs.
 *
 * Return: true if one is due, with its cause in *@cause.
 */
static bool invvpid_due(struct vtx_tlb_vcpu *vcpu, int cpu, bool requested,
			enum vtx_tlb_cause *cause)
{
	int last = READ_ONCE(vcpu->last_cpu);
	bool moved = last != cpu;
	bool due = false;

	if (moved && last != VTX_TLB_NOWHERE && last != VTX_TLB_LEFT(cpu)) {
		trace_vtx_vcpu_migrate(vcpu->vpid, last < 0 ? VTX_TLB_LEFT(last) : last, cpu);
		count(vcpu->vm, vcpu, event[VTX_TLB_MIGRATIONS]);
	}

	if (!vcpu->vpid) {
		if (moved || requested)
			count(vcpu->vm, vcpu, avoided[VTX_TLB_NO_VPID]);
		return false;
	}

	if (moved && cpumask_test_cpu(cpu, vcpu->visited)) {
		*cause = VTX_TLB_MIGRATE;
		due = true;
		if (requested)
			count(vcpu->vm, vcpu, avoided[VTX_TLB_MERGED]);
	} else if (moved) {
		count(vcpu->vm, vcpu, avoided[VTX_TLB_FIRST_VISIT]);
	} else if (requested) {
		*cause = VTX_TLB_STATE;
		due = true;
	}

	if (!due && READ_ONCE(vtx_tlb_policy) == VTX_TLB_ALWAYS) {
		*cause = VTX_TLB_POLICY;
		due = true;
	}
	return due;
}

/* Bring this CPU's translations tagged with the VPID up to date. */
static int flush_vpid(struct vtx_tlb_vcpu *vcpu, int cpu, bool covered)
{
	int request = atomic_read(&vcpu->request);
	u8 type = vtx_tlb_caps.invvpid_type;
	enum vtx_tlb_cause cause;

	if (invvpid_due(vcpu, cpu, request != vcpu->served, &cause)) {
		if (cause == VTX_TLB_MIGRATE && vtx_tlb_caps.invvpid_all &&
		    READ_ONCE(vtx_tlb_policy) == VTX_TLB_ALL)
			type = VMX_VPID_EXTENT_ALL_CONTEXT;
		if (covered)
			count(vcpu->vm, vcpu, avoided[VTX_TLB_COVERED]);
		else if (invvpid(vcpu, type, cause))
			return -EIO;
	}

	/* Read before the flush: a request raised meanwhile stays due (V6). */
	vcpu->served = request;
	cpumask_set_cpu(cpu, vcpu->visited);
	WRITE_ONCE(vcpu->last_cpu, cpu);
	return 0;
}

/**
 * vtx_tlb_flush_due() - the slow path of vtx_tlb_enter()
 * @vcpu: about to enter
 * @cpu: this CPU
 *
 * INVEPT goes first: it drops the translations of the root under all VPIDs,
 * and a VPID's translations are all of its VM's root, so that it makes INVVPID
 * needless.
 *
 * Context: interrupts off, @vcpu published as in the guest.
 * Return: 0 or -EIO, as vtx_tlb_enter().
 */
int vtx_tlb_flush_due(struct vtx_tlb_vcpu *vcpu, int cpu)
{
	struct vtx_tlb_cpu *here = &vcpu->vm->cpu[cpu];
	int done = READ_ONCE(vcpu->vm->failed) ? -EIO : flush_ept(vcpu, here);

	if (done >= 0 && !flush_vpid(vcpu, cpu, done))
		return 0;

	WRITE_ONCE(vcpu->vm->failed, true);
	/* As in vtx_tlb_exit(): nobody needs to wait for this CPU. */
	smp_store_release(&here->in_guest, false);
	return -EIO;
}

/**
 * vtx_tlb_state_changed() - translations of this vCPU are void from now on
 * @vcpu: whose CR0, CR3, CR4, EFER... was set by someone else than itself
 *
 * What the guest's own instruction would have flushed is flushed at its next
 * entry (V8). May be called from anywhere.
 */
void vtx_tlb_state_changed(struct vtx_tlb_vcpu *vcpu)
{
	atomic_inc(&vcpu->request);
}

static bool cpu_in_guest(int cpu, void *data)
{
	struct vtx_tlb_vm *vm = data;

	return READ_ONCE(vm->cpu[cpu].in_guest);
}

/* The interrupt itself made the CPU leave the guest. */
static void leave_guest(void *data)
{
	struct vtx_tlb_vm *vm = data;

	count(vm, NULL, event[VTX_TLB_KICKS]);
}

/**
 * vtx_tlb_ept_flush() - nobody uses an EPT entry's old value from now on
 * @vm: one of whose EPT entries lost a permission, changed its address or went
 *
 * Call it after the entry was changed and before anything it led to is reused
 * (V5). CPUs in the guest are made to leave it; they and all others execute
 * INVEPT before they enter again.
 *
 * Context: interrupts on. A spinlock may be held if no one takes it with
 * interrupts off.
 */
void vtx_tlb_ept_flush(struct vtx_tlb_vm *vm)
{
	count(vm, NULL, event[VTX_TLB_EPT_CHANGES]);

	atomic64_inc(&vm->ept_gen);
	/* Pairs with smp_store_mb() in vtx_tlb_enter(). */
	smp_mb__after_atomic();

	on_each_cpu_cond(cpu_in_guest, leave_guest, vm, true);
}

/**
 * vtx_tlb_stop() - no vCPU of a VM whose flush failed is in the guest any more
 * @vm: for which vtx_tlb_enter() returned -EIO
 *
 * CPUs in the guest come out, and the new generation sends every later entry to
 * vtx_tlb_flush_due(), which lets none pass.
 *
 * Context: as vtx_tlb_ept_flush().
 */
void vtx_tlb_stop(struct vtx_tlb_vm *vm)
{
	vtx_tlb_ept_flush(vm);
}

/**
 * vtx_tlb_vm_init() - begin to use an EPT root
 * @vm: to set up
 * @eptp: the root
 *
 * The page may have been the root of a VM that is gone, whose translations
 * have the same tag: no CPU's generation is the current one, so each executes
 * INVEPT before its first entry.
 *
 * Return: 0 or -ENOMEM.
 */
int vtx_tlb_vm_init(struct vtx_tlb_vm *vm, u64 eptp)
{
	unsigned long flags;

	memset(vm, 0, sizeof(*vm));
	vm->cpu = kvcalloc(nr_cpu_ids, sizeof(*vm->cpu), GFP_KERNEL_ACCOUNT);
	if (!vm->cpu)
		return -ENOMEM;
	vm->eptp = eptp;
	atomic64_set(&vm->ept_gen, 1);
	INIT_LIST_HEAD(&vm->vcpus);

	spin_lock_irqsave(&registry_lock, flags);
	list_add_tail(&vm->node, &registry);
	spin_unlock_irqrestore(&registry_lock, flags);
	return 0;
}

/**
 * vtx_tlb_vm_destroy() - the EPT root is not used any more
 * @vm: has no vCPUs left
 *
 * Nothing is flushed: no CPU can use translations of a root that no VM has,
 * and the next VM that gets the page flushes before its first entry.
 */
void vtx_tlb_vm_destroy(struct vtx_tlb_vm *vm)
{
	unsigned long flags;

	spin_lock_irqsave(&registry_lock, flags);
	WARN_ON_ONCE(!list_empty(&vm->vcpus));
	list_del(&vm->node);
	spin_unlock_irqrestore(&registry_lock, flags);
	kvfree(vm->cpu);
}

/**
 * vtx_tlb_vcpu_init() - give a vCPU its tag
 * @vcpu: to set up
 * @vm: it belongs to
 *
 * Return: 0, with @vcpu->vpid 0 if it has to do without, or -ENOMEM.
 */
int vtx_tlb_vcpu_init(struct vtx_tlb_vcpu *vcpu, struct vtx_tlb_vm *vm)
{
	unsigned long flags;

	memset(vcpu, 0, sizeof(*vcpu));
	if (!zalloc_cpumask_var(&vcpu->visited, GFP_KERNEL_ACCOUNT))
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->last_cpu = VTX_TLB_NOWHERE;
	if (READ_ONCE(vtx_tlb_policy) != VTX_TLB_OFF)
		vcpu->vpid = vtx_vpid_alloc();

	spin_lock_irqsave(&registry_lock, flags);
	list_add_tail(&vcpu->node, &vm->vcpus);
	spin_unlock_irqrestore(&registry_lock, flags);
	return 0;
}

static void flush_teardown(void *data)
{
	struct vtx_tlb_vcpu *vcpu = data;

	/* A CPU outside VMX operation scrubs when it enters it again. */
	if (vtx_root_cpu_on(smp_processor_id()))
		invvpid(vcpu, vtx_tlb_caps.invvpid_type, VTX_TLB_TEARDOWN);
}

/**
 * vtx_tlb_vcpu_release() - take a vCPU's tag back
 * @vcpu: never enters again
 *
 * Every CPU that may hold translations with its VPID drops them before the id
 * can have another owner (V3). An id whose flush failed gets none.
 *
 * Context: may sleep.
 */
void vtx_tlb_vcpu_release(struct vtx_tlb_vcpu *vcpu)
{
	s64 failures = atomic64_read(&vcpu->count.event[VTX_TLB_FAILURES]);
	unsigned long flags;

	cpus_read_lock();
	spin_lock_irqsave(&registry_lock, flags);
	list_del(&vcpu->node);
	spin_unlock_irqrestore(&registry_lock, flags);
	if (vcpu->vpid)
		on_each_cpu_mask(vcpu->visited, flush_teardown, vcpu, true);
	cpus_read_unlock();

	if (atomic64_read(&vcpu->count.event[VTX_TLB_FAILURES]) == failures)
		vtx_vpid_free(vcpu->vpid);
	else
		vtx_vpid_retire(vcpu->vpid);
	free_cpumask_var(vcpu->visited);
}

static int scrub_vpid(u8 type, enum vtx_tlb_op op, u16 vpid)
{
	trace_vtx_invvpid(type, vpid, VTX_TLB_SCRUB);
	atomic64_inc(&vtx_tlb_total.flush[op][VTX_TLB_SCRUB]);
	return vtx_root_invvpid(type, vpid, 0);
}

/* Drop the translations of every VPID the pool can hand out. */
static int scrub_vpids(void)
{
	struct vtx_vpid_stats pool;
	unsigned int id;

	if (vtx_tlb_caps.invvpid_all)
		return scrub_vpid(VMX_VPID_EXTENT_ALL_CONTEXT, VTX_TLB_INVVPID_ALL, 0);

	vtx_vpid_stats(&pool);
	for (id = 1; id <= pool.nr_ids; id++)
		if (scrub_vpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, VTX_TLB_INVVPID_SINGLE, id))
			return -EIO;
	return 0;
}

/**
 * vtx_tlb_scrub() - make this CPU, which just entered VMX operation, clean
 *
 * VMXON drops nothing: what a CPU cached in an earlier stay, or for another
 * hypervisor, is still there. EPT roots need nothing where all-context INVEPT
 * is missing, since each VM begins with an INVEPT on each CPU, and again on one
 * that came back: one rule for CPUs with and without all-context INVEPT is worth
 * an instruction per VM.
 *
 * Context: right after VMXON, interrupts off; the pool has its size.
 * Return: 0 or -EIO.
 */
int vtx_tlb_scrub(void)
{
	if (vtx_tlb_caps.invept_all) {
		trace_vtx_invept(VMX_EPT_EXTENT_GLOBAL, 0, VTX_TLB_SCRUB);
		atomic64_inc(&vtx_tlb_total.flush[VTX_TLB_INVEPT_ALL][VTX_TLB_SCRUB]);
		if (vtx_root_invept(VMX_EPT_EXTENT_GLOBAL, 0))
			return -EIO;
	}
	return vtx_tlb_caps.vpid ? scrub_vpids() : 0;
}

/**
 * vtx_tlb_cpu_off() - a CPU leaves VMX operation
 * @cpu: which can't enter a guest any more, and is scrubbed before it can again
 *
 * Nothing it caches matters from here on: forget that vCPUs ran there.
 *
 * Context: interrupts off on @cpu, or @cpu dead.
 */
void vtx_tlb_cpu_off(int cpu)
{
	struct vtx_tlb_vcpu *vcpu;
	struct vtx_tlb_vm *vm;
	unsigned long flags;

	spin_lock_irqsave(&registry_lock, flags);
	list_for_each_entry(vm, &registry, node) {
		vm->cpu[cpu].flushed = 0;
		list_for_each_entry(vcpu, &vm->vcpus, node) {
			/* Else the fast path would not set visited again. */
			cmpxchg(&vcpu->last_cpu, cpu, VTX_TLB_LEFT(cpu));
			if (cpumask_test_and_clear_cpu(cpu, vcpu->visited) && vcpu->vpid)
				count(vm, vcpu, avoided[VTX_TLB_SCRUBBED]);
		}
	}
	spin_unlock_irqrestore(&registry_lock, flags);
}

/* The registry is locked. */
static bool look_at_nth(unsigned long n, vtx_tlb_look_t look, void *data)
{
	struct vtx_tlb_vcpu *vcpu;
	struct vtx_tlb_vm *vm;

	list_for_each_entry(vm, &registry, node) {
		if (!n--) {
			look(vm, NULL, data);
			return true;
		}
		list_for_each_entry(vcpu, &vm->vcpus, node) {
			if (!n--) {
				look(vm, vcpu, data);
				return true;
			}
		}
	}
	return false;
}

/**
 * vtx_tlb_nth() - look at one of all VMs and vCPUs
 * @n: which: each VM is followed by its vCPUs, in the order of their creation
 * @look: called with it, @vcpu NULL for a VM itself; must not sleep
 * @data: passed to @look
 *
 * Locked for one look at a time: who goes between two of them shifts what follows,
 * which may then be missed.
 *
 * Return: false if there are not so many.
 */
bool vtx_tlb_nth(unsigned long n, vtx_tlb_look_t look, void *data)
{
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&registry_lock, flags);
	found = look_at_nth(n, look, data);
	spin_unlock_irqrestore(&registry_lock, flags);
	return found;
}
