/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _UNIT_LINUX_KVM_TYPES_H
#define _UNIT_LINUX_KVM_TYPES_H

#include <linux/types.h>

typedef unsigned long gva_t;
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef unsigned long hva_t;
typedef u64 hpa_t;

#endif /* _UNIT_LINUX_KVM_TYPES_H */
