// SPDX-License-Identifier: GPL-2.0
/*
 * mm.c - guest memory follows the process: the mmu notifier
 *
 * Owns one notifier per process, shared by its VMs. Guest pages are not
 * pinned: whatever takes a page away from the process takes it away from the
 * guest first. The protocol with fault.c:
 *
 *	start():  busy++, the range is noted; then for each VM under its ept_lock:
 *		  zap, flush; in pieces where the range is long
 *	fault:	  reads seq; finds the page; under ept_lock maps it only if no range
 *		  under way has it, and none that has ended since seq was read
 *	end():	  seq++ and the range is noted as ended, then busy--
 *
 * A fault that takes ept_lock before the zap is zapped. One that takes it after sees
 * the range, under way or ended. So an invalidation stops faults in its range and no
 * others, whatever else the process does with its memory: unless more are under way
 * or have ended meanwhile than there is room to note, when faults wait for them or
 * look again.
 *
 * Look-ups by address go to the slots that have memory there, and to no others.
 *
 * Teardown uses mmu_notifier_put(), which waits for no grace period.
 */
#include "mem/mm.h"

#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "mem/ept.h"
#include "mem/memslot.h"
#include "tlb/tlb.h"
#include "vmx/compat.h"
#include "vtx.h"

/**
 * struct hva_range - addresses of a process
 * @start: the first
 * @end:   behind the last
 */
struct hva_range {
	unsigned long start;
	unsigned long end;
};

#define NR_ACTIVE	16
#define NR_ENDED	16	/* a power of 2: seq wraps */

/**
 * struct vtx_mm - a process that has VMs
 * @mn:		the notifier
 * @lock:	protects @vms; taken before a VM's ept_lock
 * @vms:	the VMs, by vtx_vm.follow
 * @range_lock:	protects what follows; innermost
 * @busy:	invalidations under way; also read under ept_lock alone
 * @seq:	invalidations ended; likewise
 * @nr_active:	how many of those under way are in @active
 * @active:	their ranges
 * @ended:	the ranges of the last that ended, by the seq that they found
 */
struct vtx_mm {
	struct mmu_notifier mn;
	spinlock_t lock;
	struct list_head vms;
	spinlock_t range_lock;
	unsigned int busy;
	unsigned long seq;
	unsigned int nr_active;
	struct hva_range active[NR_ACTIVE];
	struct hva_range ended[NR_ENDED];
};

/* Times that the kernel heard of pages that guests use. */
atomic64_t vtx_mm_aged;

/*
 * What is zapped without a pause: pages, of all slots that have them, and for each
 * slot as many as looking for it costs. Long ranges, and VMs of many slots, go in
 * pieces.
 */
#define BUDGET		BIT(16)
#define SLOT_COST	16
#define SHORT		(2UL << 20)
#define FEW_SLOTS	64

/**
 * vtx_mm_flush() - something was taken from the guest
 * @vm: the VM, ept_lock held since
 *
 * When this returns no CPU uses it any more, nor the tables that led there.
 */
void vtx_mm_flush(struct vtx_vm *vm)
{
	lockdep_assert_held(&vm->ept_lock);
	vtx_tlb_ept_flush(&vm->tlb);
	vm->ept.stale = false;
	vtx_ept_free_gone(&vm->ept);
}

/* What do_range() does to what the guest sees of a range of the process. */
enum action { ZAP, AGE, LOOK };

/* ept_lock held. Return: ZAP: something was mapped; else: the guest has used it. */
static bool do_slot(struct vtx_vm *vm, const struct vtx_memslot *s, gfn_t first,
		    gfn_t end, enum action what)
{
	const struct vtx_ept_log log = { s->dirty, s->gfn };

	switch (what) {
	case ZAP:
		return vtx_ept_zap(&vm->ept, first, end, &log);
	case AGE:
		return vtx_ept_age(&vm->ept, first, end);
	default:
		return vtx_ept_has_ad(&vm->ept) ? vtx_ept_young(&vm->ept, first) :
						  vtx_ept_lookup(&vm->ept, first);
	}
}

/* ept_lock held. [start, end) are addresses of the process. */
static bool do_range(struct vtx_vm *vm, unsigned long start, unsigned long end,
		     enum action what)
{
	struct vtx_memslot *s;
	bool r = false;

	vtx_for_each_memslot_hva(s, &vm->memmap, start, end) {
		unsigned long from = max(start, s->by_hva.start);
		unsigned long to = min(end, s->by_hva.last + 1);

		r |= do_slot(vm, s, s->gfn + ((from - s->hva) >> PAGE_SHIFT),
			     s->gfn + ((to - s->hva + PAGE_SIZE - 1) >> PAGE_SHIFT), what);
	}
	return r;
}

/* mm->lock held. Is [start, end) within the budget? */
static bool affordable(struct vtx_mm *mm, unsigned long start, unsigned long end)
{
	struct vtx_memslot *s;
	unsigned long cost = 0;
	struct vtx_vm *vm;

	list_for_each_entry(vm, &mm->vms, follow.link) {
		spin_lock(&vm->ept_lock);
		vtx_for_each_memslot_hva(s, &vm->memmap, start, end) {
			cost += SLOT_COST + ((min(end - 1, s->by_hva.last) -
					      max(start, s->by_hva.start)) >> PAGE_SHIFT);
			if (cost > BUDGET)
				break;
		}
		spin_unlock(&vm->ept_lock);
	}
	return cost <= BUDGET;
}

/*
 * mm->lock held. Moves *@start on to where a slot has memory of the process. Return:
 * how far to go from there: the same memory may be in every slot of every VM.
 */
static unsigned long next_piece(struct vtx_mm *mm, unsigned long *start, unsigned long end)
{
	unsigned long first = end, piece = BUDGET << PAGE_SHIFT;
	const struct vtx_memslot *s;
	struct vtx_vm *vm;

	list_for_each_entry(vm, &mm->vms, follow.link) {
		spin_lock(&vm->ept_lock);
		s = vtx_memmap_first_hva(&vm->memmap, *start, end);
		if (s)
			first = min(first, max(*start, s->by_hva.start));
		spin_unlock(&vm->ept_lock);
	}
	*start = first;
	piece = min(piece, end - first);
	while (piece > PAGE_SIZE && !affordable(mm, first, first + piece))
		piece = PAGE_ALIGN(piece / 2);
	return first + piece;
}

/* mm->lock held. Can a short range have much to do with them? */
static bool has_many_slots(const struct vtx_mm *mm)
{
	const struct vtx_vm *vm;
	unsigned int n = 0;

	list_for_each_entry(vm, &mm->vms, follow.link)
		n += READ_ONCE(vm->memmap.n);
	return n > FEW_SLOTS;
}

/*
 * Takes [start, end) of the process away from all its guests. With busy raised
 * (or the VMs dead) nothing comes back meanwhile, so that the locks can be
 * dropped between pieces.
 */
static void zap_all(struct vtx_mm *mm, unsigned long start, unsigned long end,
		    bool may_sleep)
{
	struct vtx_vm *vm;
	unsigned long to;

	for (; start < end; start = to) {
		to = end;
		spin_lock(&mm->lock);
		/* Where nobody may sleep pieces gain nothing, and each costs something. */
		if (may_sleep && (end - start > SHORT || has_many_slots(mm)))
			to = next_piece(mm, &start, end);
		list_for_each_entry(vm, &mm->vms, follow.link) {
			/* Its release makes busy visible to who takes it next. */
			spin_lock(&vm->ept_lock);
			if (do_range(vm, start, to, ZAP) || vm->ept.stale)
				vtx_mm_flush(vm);
			spin_unlock(&vm->ept_lock);
		}
		spin_unlock(&mm->lock);
		if (may_sleep)
			cond_resched();
	}
}

static int start(struct mmu_notifier *mn,
		 const struct mmu_notifier_range *range)
{
	struct vtx_mm *mm = container_of(mn, struct vtx_mm, mn);

	spin_lock(&mm->range_lock);
	if (mm->nr_active < NR_ACTIVE)
		mm->active[mm->nr_active++] = (struct hva_range){ range->start, range->end };
	WRITE_ONCE(mm->busy, mm->busy + 1);
	spin_unlock(&mm->range_lock);
	zap_all(mm, range->start, range->end, mmu_notifier_range_blockable(range));
	return 0;
}

/* range_lock held. Of two that are the same, either will do. */
static void forget_active(struct vtx_mm *mm, const struct mmu_notifier_range *range)
{
	unsigned int i;

	for (i = 0; i < mm->nr_active; i++) {
		if (mm->active[i].start == range->start && mm->active[i].end == range->end) {
			mm->active[i] = mm->active[--mm->nr_active];
			return;
		}
	}
}

static void end(struct mmu_notifier *mn,
		const struct mmu_notifier_range *range)
{
	struct vtx_mm *mm = container_of(mn, struct vtx_mm, mn);

	spin_lock(&mm->range_lock);
	forget_active(mm, range);
	mm->ended[mm->seq % NR_ENDED] = (struct hva_range){ range->start, range->end };
	WRITE_ONCE(mm->seq, mm->seq + 1);
	/* Pairs with vtx_mm_retry(): who sees busy 0 sees this seq. */
	smp_store_release(&mm->busy, mm->busy - 1);
	spin_unlock(&mm->range_lock);
}

/*
 * Has a guest used the range? Without accessed flags the question is asked by
 * taking the pages away: who has used them faults, which a page that is about to
 * be reclaimed is worth.
 */
static bool age(struct mmu_notifier *mn, unsigned long start, unsigned long end,
		bool flush)
{
	struct vtx_mm *mm = container_of(mn, struct vtx_mm, mn);
	bool young = false, ad, r;
	struct vtx_vm *vm;

	spin_lock(&mm->lock);
	list_for_each_entry(vm, &mm->vms, follow.link) {
		spin_lock(&vm->ept_lock);
		ad = vtx_ept_has_ad(&vm->ept);
		r = do_range(vm, start, end, ad ? AGE : ZAP);
		if (r && (flush || !ad))
			vtx_mm_flush(vm);
		spin_unlock(&vm->ept_lock);
		young |= r;
	}
	spin_unlock(&mm->lock);
	if (young)
		atomic64_inc(&vtx_mm_aged);
	return young;
}

static vtx_young clear_flush_young(struct mmu_notifier *mn, struct mm_struct *unused,
				   unsigned long start, unsigned long end)
{
	return age(mn, start, end, true);
}

static vtx_young clear_young(struct mmu_notifier *mn, struct mm_struct *unused,
			     unsigned long start, unsigned long end)
{
	return age(mn, start, end, false);
}

/* Without accessed flags nobody knows: a page that is mapped was used once. */
static vtx_young test_young(struct mmu_notifier *mn, struct mm_struct *unused,
			    unsigned long address)
{
	struct vtx_mm *mm = container_of(mn, struct vtx_mm, mn);
	bool young = false;
	struct vtx_vm *vm;

	spin_lock(&mm->lock);
	list_for_each_entry(vm, &mm->vms, follow.link) {
		spin_lock(&vm->ept_lock);
		young |= do_range(vm, address, address + 1, LOOK);
		spin_unlock(&vm->ept_lock);
	}
	spin_unlock(&mm->lock);
	return young;
}

/**
 * vtx_mm_seq() - before looking up a page of the process
 * @vm: the VM
 *
 * Return: what to pass to vtx_mm_retry().
 */
unsigned long vtx_mm_seq(const struct vtx_vm *vm)
{
	/* Pairs with the lock in start(): the look-up comes after. */
	return smp_load_acquire(&vm->follow.mm->seq);
}

static bool overlaps(const struct hva_range *r, unsigned long first, unsigned long end)
{
	return first < r->end && r->start < end;
}

/* Has an invalidation that is under way, or has ended since @seq, to do with the range? */
static bool is_hit(struct vtx_mm *mm, unsigned long seq, unsigned long first,
		   unsigned long end)
{
	bool hit;
	unsigned int i;

	spin_lock(&mm->range_lock);
	hit = mm->busy > mm->nr_active || mm->seq - seq > NR_ENDED;
	for (i = 0; i < mm->nr_active && !hit; i++)
		hit = overlaps(&mm->active[i], first, end);
	for (; seq != mm->seq && !hit; seq++)
		hit = overlaps(&mm->ended[seq % NR_ENDED], first, end);
	spin_unlock(&mm->range_lock);
	return hit;
}

/**
 * vtx_mm_retry() - may pages be stale by now?
 * @vm:    the VM, ept_lock held
 * @seq:   from vtx_mm_seq()
 * @first: address of the first page in the process
 * @end:   the address behind the last
 *
 * Return: true if they must be looked up again.
 */
bool vtx_mm_retry(const struct vtx_vm *vm, unsigned long seq, unsigned long first,
		  unsigned long end)
{
	struct vtx_mm *mm = vm->follow.mm;

	lockdep_assert_held(&vm->ept_lock);
	/* Pairs with the release in end(): seq is read last. */
	if (likely(!smp_load_acquire(&mm->busy) && READ_ONCE(mm->seq) == seq))
		return false;
	return is_hit(mm, seq, first, end);
}

/* The process is gone though somebody holds the fds: nothing may run again. */
static void release(struct mmu_notifier *mn, struct mm_struct *unused)
{
	struct vtx_mm *mm = container_of(mn, struct vtx_mm, mn);
	struct vtx_vm *vm;

	spin_lock(&mm->lock);
	list_for_each_entry(vm, &mm->vms, follow.link) {
		/* A fault that holds it is zapped, the next one finds this. */
		spin_lock(&vm->ept_lock);
		WRITE_ONCE(vm->dead, true);
		spin_unlock(&vm->ept_lock);
	}
	spin_unlock(&mm->lock);
	zap_all(mm, 0, TASK_SIZE_MAX, true);
}

/**
 * vtx_mm_level() - how large a page the process has at an address
 * @mm:  the current process
 * @hva: the address
 *
 * What it says is true as long as vtx_mm_retry() says false: whatever splits a
 * page of the process calls the notifier.
 *
 * Return: 2 if a page of 2 MBytes or more is mapped there as one, else 1.
 */
unsigned int vtx_mm_level(struct mm_struct *mm, unsigned long hva)
{
	unsigned int level = 1;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	/* Page tables are freed only after an IPI to, or RCU on, this CPU. */
	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	level = 2;
	if (pud_leaf(pud))
		goto out;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_present(pmd) || !pmd_leaf(pmd))
		level = 1;
out:
	local_irq_restore(flags);
	return level;
}

/* Those whose free_notifier() is still to come. */
static atomic_t nr_notifiers = ATOMIC_INIT(0);

static struct mmu_notifier *alloc_notifier(struct mm_struct *unused)
{
	struct vtx_mm *mm = kzalloc(sizeof(*mm), GFP_KERNEL_ACCOUNT);

	if (!mm)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&mm->lock);
	spin_lock_init(&mm->range_lock);
	INIT_LIST_HEAD(&mm->vms);
	/* Wraps early, where a mistake about that shows in every test. */
	mm->seq = -8UL;
	atomic_inc(&nr_notifiers);
	return &mm->mn;
}

static void free_notifier(struct mmu_notifier *mn)
{
	kfree(container_of(mn, struct vtx_mm, mn));
	if (atomic_dec_and_test(&nr_notifiers))
		wake_up_var(&nr_notifiers);
}

static const struct mmu_notifier_ops ops = {
	.invalidate_range_start = start,
	.invalidate_range_end = end,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
	.alloc_notifier = alloc_notifier,
	.free_notifier = free_notifier,
};

/**
 * vtx_mm_follow() - hear about changes of the current process's memory
 * @vm: the VM, with its EPT and an empty memory map
 *
 * Context: may sleep; takes mmap_lock.
 * Return: 0, -ENOMEM, -EINTR.
 */
int vtx_mm_follow(struct vtx_vm *vm)
{
	struct mmu_notifier *mn = mmu_notifier_get(&ops, current->mm);

	if (IS_ERR(mn))
		return PTR_ERR(mn);
	vm->follow.mm = container_of(mn, struct vtx_mm, mn);
	spin_lock(&vm->follow.mm->lock);
	list_add(&vm->follow.link, &vm->follow.mm->vms);
	spin_unlock(&vm->follow.mm->lock);
	return 0;
}

/**
 * vtx_mm_unfollow() - the mirror of vtx_mm_follow()
 * @vm: the VM, which nobody runs
 */
void vtx_mm_unfollow(struct vtx_vm *vm)
{
	if (!vm->follow.mm)
		return;
	spin_lock(&vm->follow.mm->lock);
	list_del(&vm->follow.link);
	spin_unlock(&vm->follow.mm->lock);
	mmu_notifier_put(&vm->follow.mm->mn);
	vm->follow.mm = NULL;
}

/**
 * vtx_mm_exit() - before unload: no notifier callback is left in this module
 *
 * mmu_notifier_synchronize() waits for a grace period of SRCU, but callbacks that
 * other CPUs have queued may still be to come. They run with soft interrupts off,
 * which RCU waits for, so that the last one has also returned.
 *
 * Context: may sleep.
 */
void vtx_mm_exit(void)
{
	mmu_notifier_synchronize();
	wait_var_event(&nr_notifiers, !atomic_read(&nr_notifiers));
	synchronize_rcu();
}
