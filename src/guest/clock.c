// SPDX-License-Identifier: GPL-2.0
/*
 * clock.c - the VM's clock
 *
 * Nanoseconds that count from the VM's creation, which a VMM saves and restores
 * with its guest. No guest reads it: there is no paravirtual clock.
 */
#include "guest/clock.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/ktime.h>

#include "vtx.h"

/* From a KVM whose guests have a clock that all vCPUs read alike: taken, ignored. */
#define FLAGS	(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

/**
 * vtx_clock_init() - the clock starts at 0
 * @vm: the VM
 */
void vtx_clock_init(struct vtx_vm *vm)
{
	vm->clock.offset = -ktime_get_boottime_ns();
}

/**
 * vtx_clock_get() - KVM_GET_CLOCK
 * @vm:   the VM
 * @data: result
 */
void vtx_clock_get(struct vtx_vm *vm, struct kvm_clock_data *data)
{
	memset(data, 0, sizeof(*data));
	data->clock = ktime_get_boottime_ns() + READ_ONCE(vm->clock.offset);
	data->realtime = ktime_get_real_ns();
	data->flags = VTX_CLOCK_FLAGS;
}

/**
 * vtx_clock_set() - KVM_SET_CLOCK
 * @vm:   the VM
 * @data: the time; with KVM_CLOCK_REALTIME, what it was at that wall-clock time
 *
 * Return: 0, -EINVAL: unknown flags.
 */
int vtx_clock_set(struct vtx_vm *vm, const struct kvm_clock_data *data)
{
	u64 clock = data->clock, real;

	if (data->flags & ~FLAGS)
		return -EINVAL;
	if (data->flags & KVM_CLOCK_REALTIME) {
		real = ktime_get_real_ns();
		/* A wall clock that was set back does not take the VM along. */
		if (real > data->realtime)
			clock += real - data->realtime;
	}
	WRITE_ONCE(vm->clock.offset, clock - ktime_get_boottime_ns());
	return 0;
}
