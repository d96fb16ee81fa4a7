# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Boots a Linux guest in Loom's QEMU and works inside it.

    with Guest(Config(programs={"/bin/loom": path})) as guest:
        guest.load_driver()
        rc, out = guest.run("loom info")

Every wait has a hard limit; leaving the block ends QEMU. On the way out
check() is what a suite calls to see that the kernel had nothing to say."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import initramfs, kernel, qemu, util
from .qmp import Qmp, QmpError, connect
from .util import DevError

MAGIC = 0x4C4F4F4D
CHUNK = 256 * 1024
BOOT_LIMIT = {"debian": 120.0, "kasan": 400.0}
# What a kernel says when a driver went wrong.
BAD_DMESG = re.compile(
    r"KASAN|KFENCE|UBSAN|BUG:|WARNING:|possible circular|possible recursive|"
    r"inconsistent lock state|suspicious RCU|DMA-API|ODEBUG|kmemleak: \d+ new|"
    r"Oops|general protection|hung task|blocked for more than|soft lockup|"
    r"rcu_(?:sched|preempt).*(?:stall|detected)|refcount_t:|use-after-free|"
    r"sleeping function called|scheduling while atomic|Call Trace:")
# Lines of a healthy boot that name a checker.
HARMLESS = re.compile(r"DMA-API: (?:preallocated|debugging enabled)|"
                      r"use-after-free debug is enabled")
DEVICE_ID = "npu0"
DEFAULT_MODULES = ("vgem",)
MEMORY = 1024  # MiB
TIMEOUT = 300.0  # seconds for the command of run_command
# What init runs before its shell.
PROFILE = b"modprobe loom 2>/dev/null\ndmesg -n 4\n"


# Takes the stream, O for output or E for errors, and a piece of it.
Show = Callable[[str, bytes], None]


class GuestError(DevError):
    """The guest or its QEMU failed, with the end of its console."""


class GuestTimeout(GuestError):
    pass


class Result(NamedTuple):
    rc: int
    stdout: str


@dataclasses.dataclass
class Config:
    """One guest. `devices` are `-device` arguments: one loom by default,
    each put behind a root port of its own."""
    kernel: str = "debian"
    devices: tuple[str, ...] | None = None
    smp: int = 2
    memory: int = MEMORY
    cmdline: str = ""
    modules: tuple[str, ...] = DEFAULT_MODULES
    programs: dict[str, Path] = dataclasses.field(default_factory=dict)
    files: dict[str, Path | bytes] = dataclasses.field(default_factory=dict)
    disks: tuple[Path, ...] = ()  # read-only images: /dev/vda, /dev/vdb ...
    qemu_args: tuple[str, ...] = ()
    driver: bool = True  # put loom.ko in
    check_qemu_log: bool = True
    emulator: Path = qemu.OUTPUT


def device_arguments(config: Config) -> list[str]:
    devices = config.devices
    if devices is None:
        devices = ("loom",) if qemu.have_device() else ()
    args = []
    for i, device in enumerate(devices):
        port, name = f"rp{i}", f"npu{i}"
        args += ["-device", f"pcie-root-port,id={port},chassis={i + 1},"
                            f"slot={i + 1}"]
        if ",id=" not in device:
            device += f",id={name}"
        args += ["-device", f"{device},bus={port}"]
    return args


def disk_arguments(config: Config) -> list[str]:
    args = []
    for i, image in enumerate(config.disks):
        # A comma in a file name is written twice in QEMU's options.
        name = str(image).replace(",", ",,")
        args += ["-drive", f"if=none,id=disk{i},format=raw,readonly=on,"
                           f"file={name}",
                 "-device", f"virtio-blk-pci,drive=disk{i}"]
    return args


def register_place(name: str) -> tuple[int, int]:
    """Offset and width of a register, from the contract itself."""
    header = (util.ROOT / "uapi" / "loom_regs.h").read_text()
    m = re.search(rf"X\((0x[0-9a-f]+), {name}, (\d+),", header)
    if not m:
        raise DevError(f"uapi/loom_regs.h has no register {name}")
    return int(m.group(1), 16), int(m.group(2))


class Guest:
    def __init__(self, config: Config | None = None, *,
                 restore: Path | None = None) -> None:
        self.config = config or Config()
        self.restore_from = restore
        self.dir = Path(tempfile.mkdtemp(prefix="loom-guest-"))
        self.console = self.dir / "console.log"
        self.qemu_log = self.dir / "qemu.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port: socket.socket | None = None
        self.qmp: Qmp | None = None

    # --- life ------------------------------------------------------------

    def __enter__(self) -> Guest:
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self) -> None:
        self.process = subprocess.Popen(
            self.command_line(), stdin=subprocess.DEVNULL,
            stdout=(self.dir / "qemu.out").open("wb"),
            stderr=subprocess.STDOUT, cwd=self.dir)
        try:
            self.qmp = Qmp(self.dir / "qmp")
            self.port = connect(self.dir / "agent", 20.0)
            if self.restore_from:
                self.resume()
            self.hello(BOOT_LIMIT[self.config.kernel])
        except (OSError, QmpError) as e:
            raise self.failure(f"QEMU did not start: {e}") from e

    def command_line(self, shell: bool = False) -> list[str]:
        c = self.config
        if not c.emulator.is_file():
            raise DevError(f"{c.emulator} does not exist; ./dev build qemu")
        k = kernel.by_name(c.kernel)
        initrd = self.dir / "initrd"
        initrd.write_bytes(self.initrd(k))
        # no_timer_check: at boot the kernel waits ten ticks, counts the timer's
        # interrupts and panics if they are few ("IO-APIC + timer doesn't
        # work"). A busy host that deschedules QEMU just then is enough for it.
        cmdline = ("console=ttyS0 quiet panic=-1 mitigations=off oops=panic "
                   "softlockup_panic=1 no_timer_check "
                   f"{'loom.shell=1 ' if shell else ''}"
                   f"{c.cmdline}")
        args = [str(c.emulator), *qemu.firmware_args(), "-M", "q35",
                "-cpu", "max", "-smp", str(c.smp), "-m", str(c.memory),
                "-nodefaults", "-nographic", "-no-reboot",
                "-kernel", str(k.image), "-initrd", str(initrd),
                "-append", cmdline.strip()]
        args += ["-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                 "-device", "virtio-serial-pci",
                 "-chardev", f"socket,id=agent,path={self.dir}/agent,"
                             "server=on,wait=off",
                 "-device", "virtserialport,chardev=agent,name=loom.agent"]
        args += (["-serial", "mon:stdio"] if shell
                 else ["-serial", f"file:{self.console}"])
        args += ["-d", "guest_errors,unimp", "-D", str(self.qemu_log)]
        args += device_arguments(c) + disk_arguments(c)
        if self.restore_from:
            args += ["-incoming", "defer"]
        return args + list(c.qemu_args)

    def initrd(self, k: kernel.Kernel) -> bytes:
        c = self.config
        extra = []
        module = util.BUILD / f"kmod-{k.name}" / "accel" / "loom.ko"
        if c.driver and module.is_file():
            extra.append(module)
        return initramfs.make(k, list(c.modules), extra, c.programs, c.files)

    def close(self) -> None:
        if self.port:
            self.port.close()
        if self.qmp:
            self.qmp.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        keep = os.environ.get("LOOM_KEEP_GUEST")
        if keep:
            util.say(f"    guest files kept in {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def failure(self, what: str, kind: type[GuestError] = GuestError
                ) -> GuestError:
        lines = [what]
        if self.process and self.process.poll() is not None:
            lines.append(f"QEMU has ended with code {self.process.returncode}")
        for path in (self.dir / "qemu.out", self.console):
            if path.is_file() and path.stat().st_size:
                lines += [f"{path.name}:", util.tail(path)]
        return kind("\n".join(lines))

    # --- the agent's protocol ---------------------------------------------

    def send(self, op: str, arg: int, payload: bytes, path_bytes: int,
             deadline: float) -> None:
        assert self.port
        head = struct.pack("<IIIIQ", MAGIC, ord(op), arg, path_bytes,
                           len(payload))
        self.port.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            self.port.sendall(head + payload)
        except TimeoutError as e:
            raise self.failure("the guest takes no data",
                               GuestTimeout) from e
        except OSError as e:
            raise self.failure(f"the guest is gone: {e}") from e

    def receive(self, count: int, deadline: float) -> bytes:
        assert self.port
        data = bytearray()
        while len(data) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.failure("the guest does not answer", GuestTimeout)
            self.port.settimeout(left)
            try:
                part = self.port.recv(min(CHUNK, count - len(data)))
            except TimeoutError:
                continue
            except OSError as e:
                raise self.failure(f"the guest is gone: {e}") from e
            if not part:
                raise self.failure("the guest is gone")
            data += part
        return bytes(data)

    def transact(self, op: str, payload: bytes, *, arg: int = 0,
                 path_bytes: int = 0, limit: float = 60.0,
                 show: Show | None = None) -> tuple[int, bool, bytes, bytes]:
        """One request; returns status, timed out, output, error output.
        `show` is given what comes as it comes."""
        deadline = time.monotonic() + limit
        self.send(op, arg, payload, path_bytes, deadline)
        streams = {"O": bytearray(), "E": bytearray()}
        while True:
            kind, count = struct.unpack("<II", self.receive(8, deadline))
            data = self.receive(count, deadline)
            if chr(kind) == "X":
                status, timed_out = struct.unpack("<iI", data)
                return (status, bool(timed_out), bytes(streams["O"]),
                        bytes(streams["E"]))
            streams[chr(kind)] += data
            if show:
                show(chr(kind), data)

    def hello(self, limit: float) -> None:
        self.transact("H", b"", limit=limit)

    # --- what suites use ----------------------------------------------------

    def run_split(self, command: str, timeout: float = 60.0,
                  show: Show | None = None) -> tuple[int, bytes, bytes]:
        """Runs a shell command; returns its code, output, error output."""
        status, timed_out, out, err = self.transact(
            "R", command.encode(), arg=int(timeout * 1000),
            limit=timeout + 30.0, show=show)
        if timed_out:
            raise self.failure(
                f"`{command[:120]}` did not end within {timeout:.0f} s in the "
                f"guest\n{(out + err)[-2000:].decode(errors='replace')}",
                GuestTimeout)
        return status, out, err

    def run(self, command: str, timeout: float = 60.0) -> Result:
        """Runs a shell command; returns its code and both outputs as text."""
        rc, out, err = self.run_split(command, timeout)
        return Result(rc, (out + err).decode(errors="replace"))

    def check_run(self, command: str, timeout: float = 60.0) -> str:
        """The output, without the error output, of a command that has to
        succeed: what a caller parses is not mixed with what a shell says."""
        rc, out, err = self.run_split(command, timeout)
        if rc != 0:
            said = (out + err)[-4000:].decode(errors="replace")
            raise self.failure(f"`{command[:120]}` failed in the guest with "
                               f"code {rc}:\n{said}")
        return out.decode(errors="replace")

    def put(self, path: str, content: Path | bytes, mode: int = 0o644) -> None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        name = path.encode()
        status = self.transact("P", name + data, arg=mode,
                               path_bytes=len(name), limit=120.0)[0]
        if status:
            raise GuestError(f"cannot write {path} in the guest: "
                             f"{os.strerror(status)}")

    def put_program(self, path: str, host: Path) -> None:
        """A program and the libraries that the guest does not have yet."""
        self.put(path, host, 0o755)
        for library in initramfs.shared_libraries(host):
            if self.run(f"test -e {library}").rc:
                self.check_run(f"mkdir -p {library.parent}")
                self.put(str(library), library, 0o755)

    def get(self, path: str) -> bytes:
        status, _, data, _ = self.transact("G", path.encode(), limit=120.0)
        if status:
            raise GuestError(f"cannot read {path} in the guest: "
                             f"{os.strerror(status)}")
        return data

    def load_driver(self, parameters: str = "") -> None:
        self.check_run(f"modprobe loom {parameters}".strip(), timeout=120.0)

    def inject(self, name: str, value: object, device: str = DEVICE_ID) -> None:
        """Sets a property of the device while the guest runs."""
        assert self.qmp
        self.qmp.qom_set(f"/machine/peripheral/{device}", name, value)

    def register(self, name: str, index: int = 0) -> int:
        """Reads a register of the device from outside the guest."""
        assert self.qmp
        offset, bits = register_place(name)
        base = int(self.check_run(
            "for d in /sys/bus/pci/devices/*; do "
            "[ $(cat $d/vendor):$(cat $d/device) = 0x1af4:0x10f0 ] && "
            "head -n1 $d/resource; done").splitlines()[index].split()[0], 16)
        size = {32: "w", 64: "g"}[bits]
        text = self.qmp.command("human-monitor-command",
                                command_line=f"xp /1x{size} {base + offset:#x}")
        return int(text.split(":")[-1], 16)

    # --- snapshots ------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Stops the guest and writes its whole state."""
        assert self.qmp
        self.set_mapped_ram()
        self.qmp.command("stop")
        self.qmp.command("migrate", uri=f"file:{path}")
        self.qmp.migration_done()

    def resume(self) -> None:
        assert self.qmp
        self.set_mapped_ram()
        self.qmp.command("migrate-incoming", uri=f"file:{self.restore_from}")
        self.qmp.migration_done()
        self.qmp.command("cont")

    def set_mapped_ram(self) -> None:
        assert self.qmp
        self.qmp.command("migrate-set-capabilities", capabilities=[
            {"capability": "mapped-ram", "state": True}])

    # --- gates ------------------------------------------------------------------

    def dmesg(self) -> str:
        return self.check_run("dmesg")

    def check(self) -> None:
        """Raises if the kernel reported anything, or the device saw the
        driver break its rules."""
        bad = [line for line in self.dmesg().splitlines()
               if BAD_DMESG.search(line) and not HARMLESS.search(line)]
        if bad:
            raise GuestError("the guest's kernel reported:\n"
                             + "\n".join(bad[:40]))
        if self.config.check_qemu_log:
            self.check_log()

    def leaks(self) -> str:
        """What kmemleak says of the loaded driver; only the debug kernel has
        it. Twice: the first scan also reports what is still moving."""
        self.run("echo scan > /sys/kernel/debug/kmemleak; sleep 6; "
                 "echo scan > /sys/kernel/debug/kmemleak", 300.0)
        text = self.run("cat /sys/kernel/debug/kmemleak").stdout
        return text if "loom" in text else ""

    def check_log(self) -> None:
        text = self.qemu_log.read_text() if self.qemu_log.is_file() else ""
        if text.strip():
            raise GuestError("QEMU logged guest errors:\n" + text[:4000])


def interactive(config: Config) -> int:
    """A shell on the guest's serial console, in this terminal."""
    guest = Guest(config)
    util.say("==> booting; `exit` or Ctrl-A X ends the guest")
    try:
        # Ctrl-C belongs to the shell in the guest.
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        rc = subprocess.run(guest.command_line(shell=True),
                            cwd=guest.dir).returncode
        signal.signal(signal.SIGINT, old)
        return rc
    finally:
        guest.close()


def show(kind: str, data: bytes) -> None:
    """What a command in the guest prints, printed here."""
    stream = {"O": sys.stdout, "E": sys.stderr}[kind]
    stream.buffer.write(data)
    stream.flush()


def run_command(config: Config, command: str, timeout: float) -> int:
    with Guest(config) as guest:
        if guest.run("modinfo loom >/dev/null 2>&1 || "
                     "test -e /lib/modules/$(uname -r)/extra/loom.ko").rc == 0:
            guest.load_driver()
        rc, _, _ = guest.run_split(command, timeout, show)
        guest.check()
        return rc
