/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EXIT_IO_H
#define _VTX_EXIT_IO_H

struct vtx_vcpu;

int vtx_pio_exit(struct vtx_vcpu *vcpu);
int vtx_pio_exit_atomic(struct vtx_vcpu *vcpu);
int vtx_pio_exit_string(struct vtx_vcpu *vcpu);
int vtx_pio_complete(struct vtx_vcpu *vcpu);

#endif /* _VTX_EXIT_IO_H */
