/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_RUN_H
#define _VTX_RUN_H

struct vtx_vcpu;

int vtx_run(struct vtx_vcpu *vcpu);

#endif /* _VTX_RUN_H */
