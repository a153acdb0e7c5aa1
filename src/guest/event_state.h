/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EVENT_STATE_H
#define _VTX_EVENT_STATE_H

#include <linux/kvm.h>

struct vtx_vcpu;

void vtx_get_events(struct vtx_vcpu *vcpu, struct kvm_vcpu_events *events);
int vtx_set_events(struct vtx_vcpu *vcpu, const struct kvm_vcpu_events *events);
int vtx_sync_in(struct vtx_vcpu *vcpu);
void vtx_sync_out(struct vtx_vcpu *vcpu);

#endif /* _VTX_EVENT_STATE_H */
