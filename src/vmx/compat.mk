# SPDX-License-Identifier: GPL-2.0
# What this kernel has, as VTX_HAVE_... for compat.h. Found by exported symbol or by
# declaration, not by version: LTS kernels change their API in the middle of a series.

vtx-symvers := $(firstword $(wildcard $(objtree)/Module.symvers))

# $(call vtx-exports,SYMBOL,FEATURE)
vtx-exports = $(if $(shell grep -w '$(1)' $(vtx-symvers) 2>/dev/null),-DVTX_HAVE_$(2))

# $(call vtx-declares,HEADER,TEXT,FEATURE): the text is in a header, in one line
vtx-declares = $(if $(shell grep -F '$(2)' $(srctree)/$(1) 2>/dev/null),-DVTX_HAVE_$(3))

# $(call vtx-header,HEADER,FEATURE)
vtx-header = $(if $(wildcard $(srctree)/$(1)),-DVTX_HAVE_$(2))

ccflags-y += $(call vtx-exports,cpu_emergency_register_virt_callback,EMERGENCY_CALLBACK)
ccflags-y += $(call vtx-exports,intel_pt_handle_vmx,PT_HANDLE_VMX)
ccflags-y += $(call vtx-exports,x86_ibpb_exit_to_user,IBPB_EXIT_TO_USER)
ccflags-y += $(call vtx-exports,eventfd_signal,EVENTFD_SIGNAL_COUNT)
ccflags-y += $(call vtx-declares,include/linux/mm.h,void vm_flags_clear,VM_FLAGS_CLEAR)
ccflags-y += $(call vtx-declares,include/linux/rcutree.h,rcu_virt_note_context_switch(void),RCU_NOTE_VOID)
ccflags-y += $(call vtx-declares,include/linux/syscore_ops.h,register_syscore(struct syscore *syscore),REGISTER_SYSCORE)
ccflags-y += $(call vtx-declares,include/linux/mmu_notifier.h,bool (*test_young),BOOL_YOUNG)
ccflags-y += $(call vtx-header,include/linux/entry-virt.h,ENTRY_VIRT)
ccflags-y += $(call vtx-header,arch/x86/include/asm/cpuid/api.h,CPUID_API)
