# SPDX-License-Identifier: GPL-2.0
"""VMX hosts: how to start Bochs and QEMU, and what their output means."""

import hashlib
import os
import re
import sys

import bochs
import image

BOCHS_IPS = 50000000
# A boot of 5.7 emulated seconds instead of 13: no search for code that can be
# written to, no names for the trace events' numbers, no search for functions that
# the linker left out, and none of the kernel's functions for BPF programs, the
# first of which to be registered parses its type information. MITIGATIONS=auto
# boots as the kernel does by itself.
SHORTCUTS = "rodata=off initcall_blacklist=" + ",".join((
    "trace_eval_init", "ftrace_check_for_weak_functions", "bpf_rstat_kfunc_init",
    "kfunc_init", "bpf_key_sig_kfuncs_init", "bpf_prog_test_run_init",
    "bpf_tcp_ca_kfunc_init", "cubictcp_register"))

# An MSR that none of Bochs' models has and a test wants to find: IA32_RTIT_CTL.
# Address, type, and three times 64 bits: at reset, reserved, ignored.
BOCHS_MSRS = "0x570 0" + 6 * " 00000000" + "\n"

# What Bochs logs when a VMX instruction fails or a VM entry is refused.
VMX_ERROR = re.compile(
    r"VMFAIL|VMPTRLD|VMPTRST|VMCLEAR|VMREAD|VMWRITE|VMLAUNCH|VMRESUME|"
    r"VMXON|VMXOFF|INVVPID|INVEPT|VMENTER|VMENTRY|VMABORT|VMX abort")

SPLAT = re.compile(
    r"-+\[ cut here \]|WARNING: CPU|\bBUG: |kernel BUG at|\bOops: |Call Trace:|"
    r"Kernel panic|unchecked MSR access|WARNING: possible|WARNING: suspicious|"
    r"WARNING: bad unlock|INFO: task .* blocked|INFO: rcu.*(stall|detected)|"
    r"rcu: INFO:|UBSAN:|KASAN|kmemleak: \d+ new")


def splats(lines):
    """The lines that report trouble. The stack that the OOM killer shows is none
    if a test has announced its report; as in tests/run.sh."""
    announced = inside = 0
    found = []
    for line in lines:
        announced += "vtx-tests: an OOM report is to come" in line
        if announced and " invoked oom-killer: " in line:
            announced -= 1
            inside = True
        if "oom-kill:" in line:
            inside = False
        if SPLAT.search(line) and not (inside and line.endswith("Call Trace:")):
            found.append(line)
    return found


class MachineError(Exception):
    """The host cannot be started."""


class Frames:
    """Splits the byte stream of port 0xe9 into the frames init.c writes."""

    HEAD = re.compile(rb"\x01([a-z])([0-9a-f]{4})")

    def __init__(self):
        self.buffer = b""
        self.noise = b""

    def feed(self, data):
        self.buffer += data
        while True:
            head = self.HEAD.search(self.buffer)
            if not head:
                keep = len(self.buffer) - 5
                if keep > 0:
                    self.noise += self.buffer[:keep]
                    self.buffer = self.buffer[keep:]
                return
            end = head.end() + int(head.group(2), 16)
            if len(self.buffer) < end:
                return
            self.noise += self.buffer[:head.start()]
            payload = self.buffer[head.end():end]
            self.buffer = self.buffer[end:]
            yield head.group(1).decode(), payload


class Bochs:
    """Debian's Bochs, 3.0 or 2.7: VMX, EPT and VPID on any machine."""

    name = "bochs"
    debugger = ""       # commands for it

    def __init__(self, options, work, cache):
        self.program = bochs.find(cache)
        self.cpus = options.cpus
        self.mem = options.mem
        self.model = self._model(options.model)
        self.work = work
        self.log = os.path.join(work, "bochs.log")
        self.description = f"{self.program.version} {self.model}"
        self.com1 = "mode=null"
        self.boot = SHORTCUTS if options.mitigations == "off" else ""
        # Among much else the CPUs tell their registers at the end.
        self.cpu_info = "".join(f", cpu{i}=report" for i in range(
            self.cpus)) if options.expect_end else ""

    def _model(self, wanted):
        """One of Bochs' own model names, given in full or by a part of it."""
        if not self.program.version:
            raise MachineError(f"{self.program.said}no Bochs: make deps installs it")
        models = self.program.models
        hits = [m for m in models if m == wanted] or \
               [m for m in models if wanted in m]
        if len(hits) != 1:
            raise MachineError(f"MODEL={wanted}: choose one of " +
                               " ".join(hits or models))
        return hits[0]

    def default_append(self):
        # Bochs' skylake_x reports for XSAVE's compacted format the size of the
        # standard one, which Linux warns about. XSAVE with AVX-512 and without
        # that format: APPEND=clearcpuid=xsavec,xsaves,rdrand,rdseed,ht.
        hidden = "xsave," if self.model == "corei7_skylake_x" else ""
        # The models' CPUID claims gigahertz; the TSC counts instructions. A CPU
        # idle in MWAIT may miss the write that is to wake it, until its next
        # interrupt, seconds later: bringing a CPU up took 2.6 s, and once for ever.
        # Leaves 1 and 4 differ on the number of cores, which Linux 6.12 warns about
        # where the CPU says by HT that leaf 1 tells it.
        return (f"clearcpuid={hidden}rdrand,rdseed,ht idle=halt tsc=reliable "
                f"tsc_early_khz={BOCHS_IPS // 1000} {self.boot}")

    def prepare(self, kernel, initrd, cmdline, cache, loader):
        """Writes the disks and the configuration; the argv to run."""
        # A link, because Bochs puts a lock file beside the name it opens.
        kernel_img = os.path.join(self.work, "kernel.img")
        os.symlink(image_of(kernel, cache, loader), kernel_img)
        data_img = os.path.join(self.work, "data.img")
        image.data_disk(data_img, cmdline, initrd)
        with open(os.path.join(self.work, "msrs"), "w", encoding="ascii") as f:
            f.write(BOCHS_MSRS)
        with open(os.path.join(self.work, "bochsrc"), "w", encoding="utf-8") as f:
            f.write(self._config(kernel_img, data_img))
        return self.program.start(self.work, self.cpus, cache, self.debugger)

    def serial(self, device, interactive):
        self.com1 = f"mode={'term' if interactive else 'file'}, dev={device}"

    def _config(self, kernel_img, data_img):
        def disk(path):
            return (f"type=disk, path={path}, mode=flat, heads=16, spt=63, "
                    f"cylinders={image.disk_cylinders(path)}")
        return f"""\
config_interface: textconfig
display_library: rfb, options="timeout=0"
plugin_ctrl: speaker=0, gameport=0, parallel=0
cpu: model={self.model}, count={self.cpus}, ips={BOCHS_IPS}, reset_on_triple_fault=0, msrs="{self.work}/msrs"
memory: guest={self.mem}, host={self.mem}
romimage: file={self.program.share}/BIOS-bochs-latest
vgaromimage: file={self.program.share}/VGABIOS-lgpl-latest
pci: enabled=1, chipset=i440fx
ata0-master: {disk(kernel_img)}
ata0-slave: {disk(data_img)}
boot: disk
clock: sync=none, time0=1700000000
com1: enabled=1, {self.com1}
port_e9_hack: enabled=1
log: {self.log}
panic: action=fatal
error: action=report
info: action=ignore{self.cpu_info}
debug: action=ignore
"""

    def vmx_errors(self):
        """The lines of Bochs' log that report a VMX failure."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return [line.rstrip() for line in f if VMX_ERROR.search(line)]
        except FileNotFoundError:
            return []

    def vmx_left_on(self):
        """CR4 with VMXE set, in the registers that a triple fault dumps.

        Those of a guest's triple fault are in the log, too, but not last.
        """
        with open(self.log, encoding="utf-8", errors="replace") as f:
            values = re.findall(r"CR4=0x([0-9a-f]+)", f.read())
        if len(values) < self.cpus:
            return "no registers in Bochs' log"
        return " ".join(v for v in values[-self.cpus:] if int(v, 16) & 1 << 13)


class Qemu:
    """QEMU on a /dev/kvm that gives its guests VMX."""

    name = "qemu"

    def __init__(self, options, work):
        self.options = options
        self.work = work
        self.description = "-cpu host,+vmx"
        self.chardev = "null,id=com1"

    @staticmethod
    def usable():
        try:
            with open("/sys/module/kvm_intel/parameters/nested",
                      encoding="ascii") as f:
                nested = f.read().strip() in ("Y", "1")
        except OSError:
            return False
        return nested and os.access("/dev/kvm", os.R_OK | os.W_OK) and \
            any(os.access(os.path.join(d, "qemu-system-x86_64"), os.X_OK)
                for d in os.environ.get("PATH", "").split(":"))

    @staticmethod
    def default_append():
        return ""

    def serial(self, device, interactive):
        kind = "serial" if interactive else "file"
        self.chardev = f"{kind},id=com1,path={device}"

    def prepare(self, kernel, initrd, cmdline, _cache, _loader):
        path = os.path.join(self.work, "initrd")
        with open(path, "wb") as f:
            f.write(initrd)
        return ["qemu-system-x86_64", "-machine", "pc,accel=kvm",
                "-cpu", "host,+vmx", "-smp", str(self.options.cpus),
                "-m", str(self.options.mem), "-no-user-config", "-nodefaults",
                "-display", "none", "-no-reboot",
                "-chardev", "stdio,id=e9,signal=off",
                "-device", "isa-debugcon,iobase=0xe9,chardev=e9",
                "-chardev", self.chardev, "-serial", "chardev:com1",
                *(("-bios", self.options.firmware) if self.options.firmware else ()),
                "-kernel", kernel.image, "-initrd", path, "-append", cmdline]

    @staticmethod
    def vmx_errors():
        return None

    @staticmethod
    def vmx_left_on():
        """Not told: that it ended at all must do."""
        return ""


def image_of(kernel, cache, loader):
    """The kernel's disk, made once per kernel and loader."""
    with open(kernel.image, "rb") as f:
        data = f.read()
    digest = hashlib.sha256(data + loader).hexdigest()[:16]
    path = os.path.join(cache, f"kernel-{digest}.img")
    if not os.path.exists(path):
        print(f"run-vm: unpacking {kernel.version} (once)", file=sys.stderr)
        image.kernel_disk(path, data, loader)
    return path
