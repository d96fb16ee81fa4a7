# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""compile.h in Python: an artifact becomes a program, a report and a placement, in memory."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from typing import Any

from . import capi, library
from .device import SIM, Device
from .errors import CompileError, LibraryError

MESSAGE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
SIM_TARGET = "npu64"  # LOOM_SIM_TARGET of uapi/loom_target.h


class loom_compile_options(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("target", POINTER(capi.loom_target)),
        ("entry", c_char_p),
        ("cpu_only", c_uint32),
        ("require_npu", c_uint32),
        ("in_place", c_uint32),
        ("rsvd", c_uint32),
        ("message", MESSAGE),
        ("opaque", c_void_p),
    ]


_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "loom_compile": (
        c_int,
        [
            c_char_p,
            c_size_t,
            POINTER(loom_compile_options),
            POINTER(c_void_p),
            POINTER(capi.loom_error),
        ],
    ),
    "loom_compiled_destroy": (None, [c_void_p]),
    "loom_compiled_report": (c_char_p, [c_void_p]),
    "loom_compiled_placement": (c_char_p, [c_void_p]),
    "loom_compiler_version": (c_char_p, []),
}


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What the compiler says of a program, as `loomc --report --json` and `--placement=json` do."""

    target: str
    clock_khz: int
    report: dict[str, Any]
    placement: dict[str, Any]


def _library() -> ctypes.CDLL:
    lib = library.load()
    try:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(lib, name)
            function.restype = result
            function.argtypes = arguments
    except AttributeError as e:
        raise LibraryError(f"{library.path()} holds no compiler ({e}); reinstall loom-npu") from None
    return lib


def version() -> str:
    """Name and version of the compiler."""
    return _library().loom_compiler_version().decode()


def _target(given: str | None) -> tuple[str, capi.loom_target]:
    """The named target, else that of the device that JAX would use; and what to call it."""
    spec = f"{SIM}:{given}" if given else _spec()
    with Device(spec) as device:
        raw = library.load().loom_device_target(device._open).contents
        name = device.name
        if name == SIM:
            name = (spec or SIM).partition(":")[2] or SIM_TARGET
        return name, capi.loom_target.from_buffer_copy(raw)


def _spec() -> str | None:
    """What the environment asks for."""
    device, target = os.environ.get("LOOM_DEVICE"), os.environ.get("LOOM_TARGET")
    return f"{SIM}:{target}" if target and device in (None, "", SIM) else device or None


def compile_artifact(
    artifact: bytes, entry: str, target: str | None = None, require_npu: bool = False
) -> Compiled:
    """Compile for a target (see _target). CompileError has all of the compiler's messages."""
    lib = _library()
    name, raw = _target(target)
    said: list[str] = []

    def say(_: Any, text: bytes) -> None:
        said.append(text.decode(errors="replace").strip())

    callback = MESSAGE(say)
    options = loom_compile_options(
        size=ctypes.sizeof(loom_compile_options),
        target=ctypes.pointer(raw),
        entry=entry.encode(),
        require_npu=require_npu,
        in_place=1,
        message=callback,
    )
    made, error = c_void_p(), capi.loom_error()
    code = lib.loom_compile(
        artifact, len(artifact), ctypes.byref(options), ctypes.byref(made), ctypes.byref(error)
    )
    if code < 0:
        raise CompileError("\n".join(said) or error.message.decode(errors="replace"))
    handle = capi.Handle(lib.loom_compiled_destroy, made)
    report = json.loads(lib.loom_compiled_report(made) or b"{}")
    placement = json.loads(lib.loom_compiled_placement(made) or b"{}")
    handle.close()
    return Compiled(name, raw.clock_khz, report, placement)
