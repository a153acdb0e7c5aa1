// SPDX-License-Identifier: GPL-2.0
/*
 * Loader of the proving ground, run in 32-bit protected mode by boot.S.
 *
 * Disk 0 holds an uncompressed kernel cut into segments, disk 1 the command
 * line and the initramfs (image.py writes both): the kernel's disk is made
 * once, only disk 1 changes from run to run. Decompressing in the guest would
 * cost 40 s in an emulator; this costs one. Memory that no segment covers is
 * expected to be zero, as it is when an emulator has just started.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* These are the addresses boot.S names. */
#define E820_COUNT	(*(const u32 *)0x4ffc)
#define E820_TABLE	((const struct e820 *)0x5000)
#define BOOT_PARAMS	0x10000
#define CMDLINE		0x12000
#define TABLE		0x30000
#define SCRATCH		0x31000

/* struct boot_params, as far as it is filled here. */
#define BP_U8(off)	(*(u8 *)(BOOT_PARAMS + (off)))
#define BP_U16(off)	(*(u16 *)(BOOT_PARAMS + (off)))
#define BP_U32(off)	(*(u32 *)(BOOT_PARAMS + (off)))

#define SECTOR		512
#define LBA_TABLE	32	/* disk 0 */
#define LBA_PARAMS	33
#define LBA_DATA	0	/* disk 1 */
#define LBA_CMDLINE	1
#define LBA_INITRD	16
#define MAGIC		0x30787476	/* "vtx0" */

#define ATA_DATA	0x1f0
#define ATA_COUNT	0x1f2
#define ATA_LBA0	0x1f3
#define ATA_LBA1	0x1f4
#define ATA_LBA2	0x1f5
#define ATA_DEVICE	0x1f6
#define ATA_STATUS	0x1f7
#define ATA_CONTROL	0x3f6
#define ATA_BSY		0x80
#define ATA_DRQ		0x08
#define ATA_ERR		0x01
#define ATA_READ_MULTIPLE	0xc4
#define ATA_SET_MULTIPLE	0xc6
#define MULTIPLE	16	/* sectors handed over per DRQ */

struct e820 {
	u64 addr;
	u64 size;
	u32 type;
} __attribute__((packed));

struct segment {
	u32 lba;
	u32 sectors;
	u32 dest;
	u32 pad;
};

struct table {
	u32 magic;
	u32 segments;
	u32 entry;
	u32 pad;
	struct segment segment[31];
};

struct data_header {
	u32 magic;
	u32 initrd_size;
};

static inline void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" : : "a" (val), "Nd" (port));
}

static inline u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a" (val) : "Nd" (port));
	return val;
}

static __attribute__((noreturn)) void die(const char *msg)
{
	while (*msg)
		outb(0xe9, *msg++);
	for (;;)
		asm volatile("hlt");
}

static void ata_command(int disk, u32 lba, u32 count, u8 command)
{
	while (inb(ATA_STATUS) & ATA_BSY)
		;
	outb(ATA_DEVICE, 0xe0 | disk << 4 | (lba >> 24 & 15));
	outb(ATA_COUNT, count);		/* 256 is written as 0 */
	outb(ATA_LBA0, lba);
	outb(ATA_LBA1, lba >> 8);
	outb(ATA_LBA2, lba >> 16);
	outb(ATA_STATUS, command);
}

static void ata_init(int disk)
{
	ata_command(disk, 0, MULTIPLE, ATA_SET_MULTIPLE);
	while (inb(ATA_STATUS) & ATA_BSY)
		;
}

static void ata_read(int disk, u32 lba, u32 sectors, u32 dest)
{
	while (sectors) {
		u32 left = sectors > 256 ? 256 : sectors;

		ata_command(disk, lba, left, ATA_READ_MULTIPLE);
		lba += left;
		sectors -= left;
		while (left) {
			u32 n = left > MULTIPLE ? MULTIPLE : left;
			u32 words = n * (SECTOR / 2);
			u8 status;

			do {
				status = inb(ATA_STATUS);
			} while (status & ATA_BSY);
			if ((status & ATA_ERR) || !(status & ATA_DRQ))
				die("loader: disk read error\n");
			asm volatile("rep insw"
				     : "+D" (dest), "+c" (words)
				     : "d" (ATA_DATA) : "memory");
			left -= n;
		}
	}
}

/* Copies the BIOS's map; returns the end of the RAM that holds address 16M. */
static u32 memory_map(void)
{
	u32 n = E820_COUNT, top = 0, i;
	struct e820 *map = (struct e820 *)(BOOT_PARAMS + 0x2d0);

	for (i = 0; i < n; i++) {
		const struct e820 *e = &E820_TABLE[i];

		map[i] = *e;
		if (e->type == 1 && e->addr <= 0x1000000 &&
		    e->addr + e->size > 0x1000000)
			top = e->addr + e->size;
	}
	BP_U8(0x1e8) = n;
	return top;
}

static void video_text_mode(void)
{
	BP_U8(0x06) = 3;	/* orig_video_mode */
	BP_U8(0x07) = 80;	/* orig_video_cols */
	BP_U8(0x0e) = 25;	/* orig_video_lines */
	BP_U8(0x0f) = 1;	/* orig_video_isVGA */
	BP_U16(0x10) = 16;	/* orig_video_points */
}

u32 load_kernel(void)
{
	struct table *t = (struct table *)TABLE;
	struct data_header d;
	u32 i, initrd, sectors, end = 0;

	outb(ATA_CONTROL, 2);		/* polled, no interrupts */
	ata_init(0);
	ata_init(1);

	ata_read(0, LBA_TABLE, 1, TABLE);
	ata_read(0, LBA_PARAMS, 8, BOOT_PARAMS);
	ata_read(1, LBA_CMDLINE, 8, CMDLINE);
	ata_read(1, LBA_DATA, 1, SCRATCH);
	d = *(struct data_header *)SCRATCH;
	if (t->magic != MAGIC || d.magic != MAGIC)
		die("loader: not a disk of run-vm\n");

	for (i = 0; i < t->segments; i++) {
		const struct segment *s = &t->segment[i];

		ata_read(0, s->lba, s->sectors, s->dest);
		if (s->dest + s->sectors * SECTOR > end)
			end = s->dest + s->sectors * SECTOR;
	}

	/* End of the kernel's own memory: pref_address + init_size. */
	if (BP_U32(0x258) + BP_U32(0x260) > end)
		end = BP_U32(0x258) + BP_U32(0x260);
	sectors = (d.initrd_size + SECTOR - 1) / SECTOR;
	initrd = (memory_map() - sectors * SECTOR) & ~0xfffu;
	if (initrd < end)
		die("loader: too little memory for the initramfs\n");
	ata_read(1, LBA_INITRD, sectors, initrd);

	video_text_mode();
	BP_U16(0x1fa) = 0xffff;		/* vid_mode: normal */
	BP_U8(0x210) = 0xff;		/* type_of_loader: unassigned */
	BP_U8(0x211) |= 1;		/* loadflags: LOADED_HIGH */
	BP_U32(0x218) = initrd;
	BP_U32(0x21c) = d.initrd_size;
	BP_U32(0x228) = CMDLINE;
	outb(0xe9, 'K');
	outb(0xe9, '\n');
	return t->entry;
}
