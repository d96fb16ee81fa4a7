# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.counters()`: what JAX's plugin did in this process."""

from __future__ import annotations

import ctypes
import dataclasses

from . import library


class loom_pjrt_counters(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "compile_requests",
            "compiled",
            "memory_hits",
            "disk_hits",
            "compile_ns",
            "executables",
            "executed",
            "executions",
            "inline_runs",
            "failures",
            "live_buffers",
            "live_bytes",
            "peak_bytes",
        )
    ]


@dataclasses.dataclass(frozen=True)
class Counters:
    """Since the process began.

    compile_requests: programs that JAX asked to compile; of these compiled, or found in memory
        (memory_hits) or on disk (disk_hits); compile_ns: nanoseconds in the compiler
    executables: programs loaded on a device; executed: of these, run at least once
    executions: runs; of these inline_runs on the calling thread, and failures
    live_buffers, live_bytes, peak_bytes: arrays on devices, now and at most
    """

    compile_requests: int
    compiled: int
    memory_hits: int
    disk_hits: int
    compile_ns: int
    executables: int
    executed: int
    executions: int
    inline_runs: int
    failures: int
    live_buffers: int
    live_bytes: int
    peak_bytes: int


def counters() -> Counters:
    """The plugin's counters now; all 0 where JAX has not used loom. LibraryError."""
    function = library.load().loom_pjrt_get_counters
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.POINTER(loom_pjrt_counters), ctypes.c_size_t]
    raw = loom_pjrt_counters()
    function(ctypes.byref(raw), ctypes.sizeof(raw))
    return Counters(*(getattr(raw, f.name) for f in dataclasses.fields(Counters)))
