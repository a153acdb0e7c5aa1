// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu.c - life of a vCPU and the mapping of its run page
 *
 * Owns struct vtx_vcpu and the run page. No VMX here: what an ioctl does is
 * done by the files below. A vCPU lives as long as its VM; its fd keeps the VM.
 */
#include "api/vcpu.h"

#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "emulate/mmio.h"
#include "guest/cpuid.h"
#include "guest/cr.h"
#include "guest/mce.h"
#include "guest/msr.h"
#include "guest/reset.h"
#include "mem/fault.h"
#include "run/exit.h"
#include "tlb/tlb.h"
#include "tlb/tlb_report.h"
#include "vmx/compat.h"
#include "vmx/host.h"
#include "vmx/vmcs.h"
#include "vmx/vmcs_init.h"
#include "vtx.h"

static int alloc_run_pages(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < KVM_COALESCED_MMIO_PAGE_OFFSET; i++) {
		vcpu->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!vcpu->pages[i])
			return -ENOMEM;
	}
	/* The ring is one for all vCPUs. */
	get_page(vcpu->vm->bus.ring);
	vcpu->pages[KVM_COALESCED_MMIO_PAGE_OFFSET] = vcpu->vm->bus.ring;
	vcpu->run = page_address(vcpu->pages[0]);
	vcpu->pio_data = page_address(vcpu->pages[KVM_PIO_PAGE_OFFSET]);
	return 0;
}

/* A mapping of the run page holds its own references. */
static void free_run_pages(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < VTX_RUN_PAGES; i++)
		if (vcpu->pages[i])
			put_page(vcpu->pages[i]);
}

static int alloc_parts(struct vtx_vcpu *vcpu)
{
	int r = alloc_run_pages(vcpu);

	if (!r)
		r = vtx_fpu_alloc(vcpu);
	if (!r)
		r = vtx_msr_alloc(vcpu);
	if (!r)
		r = vtx_mce_alloc(vcpu);
	if (!r)
		r = vtx_mmio_alloc(vcpu);
	if (!r)
		r = vtx_vmcs_alloc(&vcpu->vmcs);
	if (!r)
		r = vtx_cpuid_alloc(vcpu);
	return r;
}

static void free_parts(struct vtx_vcpu *vcpu)
{
	vtx_cpuid_free(vcpu);
	vtx_vmcs_free(&vcpu->vmcs);
	vtx_mmio_free(vcpu);
	vtx_mce_free(vcpu);
	vtx_msr_free(vcpu);
	vtx_fpu_free(vcpu);
	free_run_pages(vcpu);
	vtx_fault_free(vcpu);
	kfree(vcpu);
}

/**
 * vtx_vcpu_create() - make a vCPU in its state after reset
 * @vm: the VM
 * @id: KVM_CREATE_VCPU's argument
 *
 * Context: may sleep.
 * Return: the vCPU, -ENOMEM, -EIO.
 */
struct vtx_vcpu *vtx_vcpu_create(struct vtx_vm *vm, unsigned int id)
{
	struct vtx_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int r;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	mutex_init(&vcpu->mutex);
	vcpu->vm = vm;
	vcpu->id = id;
	vtx_exit_init(vcpu);
	r = alloc_parts(vcpu);
	if (!r)
		r = vtx_tlb_vcpu_init(&vcpu->tlb, &vm->tlb);
	if (r)
		goto out_free;

	vtx_vcpu_load(vcpu);
	vtx_vmcs_init(vcpu);
	vtx_guest_reset(vcpu);
	if (vcpu->vmcs.failed)
		r = -EIO;
	vtx_vcpu_put(vcpu);
	if (!r)
		return vcpu;

	vtx_tlb_vcpu_release(&vcpu->tlb);
out_free:
	free_parts(vcpu);
	return ERR_PTR(r);
}

/**
 * vtx_vcpu_destroy() - the end of a vCPU
 * @vcpu: the vCPU, which nobody can run any more
 *
 * The order is the point: VMCS off all CPUs, then the VPID flushed where it was
 * used and released, then memory.
 *
 * Context: may sleep.
 */
void vtx_vcpu_destroy(struct vtx_vcpu *vcpu)
{
	vtx_vmcs_free(&vcpu->vmcs);
	vtx_tlb_vcpu_release(&vcpu->tlb);
	free_parts(vcpu);
}

static vm_fault_t run_page_fault(struct vm_fault *vmf)
{
	struct vtx_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= VTX_RUN_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = vcpu->pages[array_index_nospec(vmf->pgoff, VTX_RUN_PAGES)];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct run_page_vm_ops = {
	.fault = run_page_fault,
};

/**
 * vtx_vcpu_mmap() - map the run page and its neighbours
 * @file: a vCPU fd
 * @vma:  the mapping; accesses beyond the three pages get SIGBUS
 *
 * Return: 0, -EPERM for an executable mapping.
 */
int vtx_vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* Data that a guest chose has no business being executable. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vtx_vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_ops = &run_page_vm_ops;
	return 0;
}
