/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_RESET_H
#define _VTX_RESET_H

struct vtx_vcpu;

void vtx_guest_reset(struct vtx_vcpu *vcpu);

#endif /* _VTX_RESET_H */
