/* SPDX-License-Identifier: GPL-2.0 */
/* A hardware task switch: a far jump to the TSS that the host puts into the GDT. */
#include "guest.h"

GUEST task_switch, 32
	ljmp $SEL_DATA16 | 3, $0
	hlt
END task_switch
