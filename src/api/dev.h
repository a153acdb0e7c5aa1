/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_DEV_H
#define _VTX_DEV_H

int vtx_dev_register(void);
void vtx_dev_unregister(void);

#endif /* _VTX_DEV_H */
