# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small client of QEMU's monitor protocol."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any


class QmpError(Exception):
    pass


class Qmp:
    def __init__(self, path: Path, timeout: float = 20.0) -> None:
        self.socket = connect(path, timeout)
        self.socket.settimeout(timeout)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.events: list[dict[str, Any]] = []
        self.receive()  # the greeting
        self.command("qmp_capabilities")

    def receive(self) -> dict[str, Any]:
        try:
            line = self.lines.readline()
        except TimeoutError as e:
            raise QmpError("QEMU's monitor does not answer") from e
        if not line:
            raise QmpError("QEMU closed its monitor")
        return json.loads(line)

    def command(self, name: str, **arguments: Any) -> Any:
        message: dict[str, Any] = {"execute": name}
        if arguments:
            message["arguments"] = {k.replace("_", "-"): v
                                    for k, v in arguments.items()}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            reply = self.receive()
            if "event" in reply:
                self.events.append(reply)
            elif "error" in reply:
                raise QmpError(f"{name}: {reply['error'].get('desc')}")
            else:
                return reply.get("return")

    def qom_get(self, path: str, name: str) -> Any:
        return self.command("qom-get", path=path, property=name)

    def qom_set(self, path: str, name: str, value: Any) -> None:
        self.command("qom-set", path=path, property=name, value=value)

    def migration_done(self, timeout: float = 60.0) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status = self.command("query-migrate")
            if status.get("status") == "completed":
                return
            if status.get("status") == "failed":
                raise QmpError("migration failed: "
                               + str(status.get("error-desc", "no reason given")))
            time.sleep(0.005)
        raise QmpError(f"migration did not end within {timeout:.0f} s")

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


def connect(path: Path, timeout: float) -> socket.socket:
    """Connects to a unix socket that QEMU is about to make."""
    end = time.monotonic() + timeout
    while True:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(str(path))
            return s
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.005)
