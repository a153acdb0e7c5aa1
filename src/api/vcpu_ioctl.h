/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VCPU_IOCTL_H
#define _VTX_VCPU_IOCTL_H

struct file;

long vtx_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* _VTX_VCPU_IOCTL_H */
