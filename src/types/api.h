/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/api keeps in a VM and in a vCPU. Who owns a structure is in its first line;
 * others ask that file.
 */
#ifndef _VTX_TYPES_API_H
#define _VTX_TYPES_API_H

#include <linux/signal_types.h>
#include <linux/types.h>

/**
 * struct vtx_sigmask - vcpu_ioctl.c: KVM_SET_SIGNAL_MASK
 * @set:	signals blocked during a run
 * @given:	there is one
 */
struct vtx_sigmask {
	sigset_t set;
	bool given;
};

#endif /* _VTX_TYPES_API_H */
