# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A QEMU under qtest: registers, ports, memory and clock over one socket, QMP
over another. No guest runs; the test is the CPU."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

TIMEOUT = 30.0
RAM_MIB = 64


class QmpError(Exception):
    """QEMU refused a command; str() is its description."""


class QemuExit(Exception):
    """QEMU ended before it could be used; str() is what it said."""


class _Lines:
    """A listening unix socket that QEMU connects to, read line by line."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.conn: socket.socket | None = None
        self.buffer = b""

    def accept(self, proc: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + TIMEOUT
        self.listener.settimeout(0.05)
        while True:
            try:
                self.conn, _ = self.listener.accept()
                self.conn.settimeout(TIMEOUT)
                return
            except TimeoutError:
                if proc.poll() is not None or time.monotonic() > end:
                    raise QemuExit("no connection") from None

    def send(self, line: str) -> None:
        assert self.conn
        self.conn.sendall(line.encode() + b"\n")

    def receive(self) -> str:
        assert self.conn
        while b"\n" not in self.buffer:
            chunk = self.conn.recv(1 << 20)
            if not chunk:
                raise QemuExit("QEMU closed the connection")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def close(self) -> None:
        if self.conn:
            self.conn.close()
        self.listener.close()


class Machine:
    """q35 with whatever `args` add. Use as a context manager."""

    def __init__(self, qemu: str, *args: str,
                 env: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="loom-qtest-"))
        self.log = self.folder / "stderr"
        self.guest_log = self.folder / "guest_errors"
        self.qtest = _Lines(self.folder / "qtest")
        self.qmp_lines = _Lines(self.folder / "qmp")
        self.events: list[dict[str, Any]] = []
        with open(self.log, "wb") as err:
            self.proc = subprocess.Popen(
                [qemu, "-machine", "q35", "-accel", "qtest", "-m", str(RAM_MIB),
                 "-nodefaults", "-display", "none",
                 "-L", "/usr/share/seabios", "-L", "/usr/share/qemu",
                 "-qtest", f"unix:{self.folder}/qtest", "-qtest-log", "none",
                 "-chardev", f"socket,id=qmp,path={self.folder}/qmp",
                 "-mon", "chardev=qmp,mode=control",
                 "-d", "guest_errors", "-D", str(self.guest_log), *args],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env=os.environ | (env or {}))
        try:
            # QEMU connects while it parses its options: QMP waits for no one,
            # qtest comes last, after the devices exist.
            self.qmp_lines.accept(self.proc)
            self.qtest.accept(self.proc)
            self.qmp_lines.receive()
            self.qmp("qmp_capabilities")
        except (QemuExit, OSError) as e:
            self.proc.kill()
            self.proc.wait()
            message = self.log.read_text().strip() or str(e)
            self._clean()
            raise QemuExit(message) from None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.proc.poll() is None:
            try:
                self.qmp_lines.send('{"execute": "quit"}')
                self.proc.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.proc.kill()
                self.proc.wait()
        self._clean()

    def _clean(self) -> None:
        self.qtest.close()
        self.qmp_lines.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- QMP ---------------------------------------------------------------

    def qmp(self, command: str, **args: Any) -> Any:
        self.qmp_lines.send(json.dumps({"execute": command,
                                        "arguments": args}))
        while True:
            reply = json.loads(self.qmp_lines.receive())
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise QmpError(reply["error"]["desc"])
            if "event" in reply:
                self.events.append(reply)

    def wait_event(self, name: str) -> dict[str, Any]:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    return event
            self.qmp("query-status")
            time.sleep(0.01)
        raise AssertionError(f"no event {name} within {TIMEOUT:.0f} s")

    def stop(self) -> None:
        self.qmp("stop")

    def cont(self) -> None:
        self.qmp("cont")

    def migrate_to(self, path: Path) -> None:
        self.qmp("migrate", uri=f"file:{path}")
        self.wait_migration()

    def wait_migration(self) -> None:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            status = self.qmp("query-migrate").get("status")
            if status == "completed":
                return
            if status == "failed":
                raise QmpError(self.log.read_text().strip() or "failed")
            time.sleep(0.01)
        raise AssertionError("the migration did not end")

    def guest_errors(self) -> str:
        return self.guest_log.read_text() if self.guest_log.exists() else ""

    # --- qtest -------------------------------------------------------------

    def command(self, line: str) -> str:
        self.qtest.send(line)
        while True:
            reply = self.qtest.receive()
            if reply.startswith("IRQ"):
                continue
            if not reply.startswith("OK"):
                raise AssertionError(f"qtest: {line!r}: {reply}")
            return reply[3:]

    def out32(self, port: int, value: int) -> None:
        self.command(f"outl {port:#x} {value:#x}")

    def in32(self, port: int) -> int:
        return int(self.command(f"inl {port:#x}"), 0)

    def out(self, port: int, value: int, size: int) -> None:
        letter = {1: "b", 2: "w", 4: "l"}[size]
        self.command(f"out{letter} {port:#x} {value:#x}")

    def read_u32(self, addr: int) -> int:
        return int(self.command(f"readl {addr:#x}"), 0)

    def read_u64(self, addr: int) -> int:
        return int(self.command(f"readq {addr:#x}"), 0)

    def write_u32(self, addr: int, value: int) -> None:
        self.command(f"writel {addr:#x} {value & 0xffffffff:#x}")

    def write_u64(self, addr: int, value: int) -> None:
        self.command(f"writeq {addr:#x} {value & (1 << 64) - 1:#x}")

    def read_sized(self, addr: int, size: int) -> int:
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        return int(self.command(f"read{letter} {addr:#x}"), 0)

    def write_sized(self, addr: int, value: int, size: int) -> None:
        letter = {1: "b", 2: "w", 4: "l", 8: "q"}[size]
        self.command(f"write{letter} {addr:#x} {value:#x}")

    def read(self, addr: int, length: int) -> bytes:
        if not length:
            return b""
        return base64.b64decode(self.command(f"b64read {addr:#x} {length}"))

    def write(self, addr: int, data: bytes) -> None:
        if data:
            text = base64.b64encode(data).decode()
            self.command(f"b64write {addr:#x} {len(data)} {text}")

    def step(self, ns: int) -> None:
        self.command(f"clock_step {ns}")

    # --- PCI configuration, by the ports of the host bridge -----------------

    def config_read(self, bdf: int, reg: int) -> int:
        self.out32(0xcf8, 0x80000000 | bdf << 8 | reg & 0xfc)
        return self.in32(0xcfc)

    def config_write(self, bdf: int, reg: int, value: int,
                     size: int = 4) -> None:
        self.out32(0xcf8, 0x80000000 | bdf << 8 | reg & 0xfc)
        self.out(0xcfc + (reg & 3), value, size)


def default_qemu() -> str:
    here = Path(__file__).resolve().parents[2]
    return os.environ.get("LOOM_QEMU",
                          str(here / "build/qemu/qemu-system-x86_64"))
