# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""loom.h and compile.h in ctypes: structs, functions, and errors turned into exceptions.

A test compares every struct here with what a C compiler makes of the headers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p
from ctypes import c_uint8 as u8
from ctypes import c_uint16 as u16
from ctypes import c_uint32 as u32
from typing import Any

from .errors import DeviceError

u64 = c_uint64

# enum loom_slot_kind, enum loom_tensor_role, LOOM_SLOT_HIDDEN
SLOT_STATE, SLOT_ARG, SLOT_HIDDEN = 1, 3, 0x2
ROLES = ("input", "output", "param", "state", "rng")
ENGINE_CPU = 1


class loom_error(ctypes.Structure):
    _fields_ = [("code", c_int), ("message", c_char * 1024)]


class loom_mem_class(ctypes.Structure):
    _fields_ = [("bytes_per_cycle", u32), ("latency", u32), ("outstanding", u32), ("rsvd", u32)]


class loom_target(ctypes.Structure):
    _fields_ = [
        ("isa_major", u32),
        ("isa_minor", u32),
        ("features", u64),
        ("rows", u16),
        ("cols", u16),
        ("sram_bytes", u32),
        ("acc_bytes", u32),
        ("sram_partitions", u16),
        ("sram_banks", u16),
        ("vpu_lanes", u32),
        ("mem_classes", u32),
        ("clock_khz", u32),
        ("int8_div", u8),
        ("bf16_div", u8),
        ("f32_div", u8),
        ("rsvd0", u8),
        ("mem", loom_mem_class * 2),
        ("rsvd", u32 * 2),
    ]


class loom_device_stats(ctypes.Structure):
    _fields_ = [
        ("jobs_driver", u64),
        ("jobs_device", u64),
        ("jobs_faulted", u64),
        ("resets", u64),
        ("cycles", u64),
        ("cpu_segments", u64),
    ]


class loom_binding(ctypes.Structure):
    _fields_ = [("slot", u32), ("rsvd", u32), ("buffer", c_void_p), ("offset", u64)]


class loom_job_desc(ctypes.Structure):
    _fields_ = [
        ("entry", u32),
        ("n_bindings", u32),
        ("bindings", POINTER(loom_binding)),
        ("n_waits", u32),
        ("waits", POINTER(c_void_p)),
        ("report_entries", u32),
        ("run_report_bytes", u64),
    ]


class loom_completion(ctypes.Structure):
    _fields_ = [
        ("seqno", u32),
        ("fault", u16),
        ("slot", u16),
        ("unit", u32),
        ("loc", u32),
        ("offset", u64),
        ("limit", u64),
        ("cycles", u64),
        ("insns", u64),
        ("aux", u32),
        ("phase", u32),
        ("mxu_busy", u64),
    ]


class loom_result(ctypes.Structure):
    _fields_ = [
        ("status", c_int),
        ("segment", u32),
        ("end", loom_completion),
        ("cycles", u64),
        ("insns", u64),
        ("macs", u64 * 3),
        ("message", c_char * 512),
        ("cpu_cycles", u64),
        ("segments", u64),
    ]


class loom_prog_slot(ctypes.Structure):
    _fields_ = [
        ("name", u32),
        ("kind", u8),
        ("rights", u8),
        ("mem_class", u8),
        ("flags", u8),
        ("bytes", u64),
        ("const_offset", u64),
    ]


class loom_prog_tensor(ctypes.Structure):
    _fields_ = [
        ("name", u32),
        ("slot", u32),
        ("dtype", u8),
        ("rank", u8),
        ("role", u8),
        ("rsvd", u8),
        ("donated_to", u32),
        ("offset", u64),
        ("bytes", u64),
        ("dims", u32 * 8),
    ]


class loom_prog_entry(ctypes.Structure):
    _fields_ = [
        ("name", u32),
        ("flags", u32),
        ("first_tensor", u32),
        ("n_tensors", u32),
        ("first_segment", u32),
        ("n_segments", u32),
        ("first_step", u32),
        ("n_steps", u32),
        ("macs", u64),
        ("cycles", u64),
        ("rsvd", u64 * 2),
    ]


class loom_prog_segment(ctypes.Structure):
    _fields_ = [
        ("engine", u8),
        ("rsvd", u8 * 3),
        ("first", u32),
        ("count", u32),
        ("rsvd2", u32),
        ("insn_budget", u64),
        ("cycle_budget", u64),
    ]


class loom_prog_view(ctypes.Structure):
    _fields_ = [
        ("header", c_void_p),
        ("target", POINTER(loom_target)),
        ("strings", c_void_p),
        ("npu_code", c_void_p),
        ("cpu_code", c_void_p),
        ("slots", POINTER(loom_prog_slot)),
        ("tensors", POINTER(loom_prog_tensor)),
        ("entries", POINTER(loom_prog_entry)),
        ("segments", POINTER(loom_prog_segment)),
        ("steps", c_void_p),
        ("scopes", c_void_p),
        ("locs", c_void_p),
        ("layers", c_void_p),
        ("n_strings", u32),
        ("n_units", u32),
        ("n_cpu_rows", u32),
        ("n_slots", u32),
        ("n_tensors", u32),
        ("n_entries", u32),
        ("n_segments", u32),
        ("n_steps", u32),
        ("n_scopes", u32),
        ("n_locs", u32),
        ("n_layers", u32),
    ]


_ERROR = POINTER(loom_error)
_HANDLE = POINTER(c_void_p)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "loom_device_open": (c_int, [c_char_p, _HANDLE, _ERROR]),
    "loom_device_open_sim": (c_int, [POINTER(loom_target), _HANDLE, _ERROR]),
    "loom_device_close": (None, [c_void_p]),
    "loom_device_name": (c_char_p, [c_void_p]),
    "loom_device_target": (POINTER(loom_target), [c_void_p]),
    "loom_device_get_stats": (c_int, [c_void_p, POINTER(loom_device_stats), _ERROR]),
    "loom_buffer_create": (c_int, [c_void_p, u64, _HANDLE, _ERROR]),
    "loom_buffer_destroy": (None, [c_void_p]),
    "loom_buffer_data": (c_void_p, [c_void_p]),
    "loom_program_open": (c_int, [c_void_p, c_char_p, _HANDLE, _ERROR]),
    "loom_program_load": (c_int, [c_void_p, c_char_p, c_size_t, _HANDLE, _ERROR]),
    "loom_program_read_target": (c_int, [c_char_p, POINTER(loom_target), _ERROR]),
    "loom_program_destroy": (None, [c_void_p]),
    "loom_program_get_view": (POINTER(loom_prog_view), [c_void_p]),
    "loom_instance_create": (c_int, [c_void_p, _HANDLE, _ERROR]),
    "loom_instance_destroy": (None, [c_void_p]),
    "loom_instance_reset": (c_int, [c_void_p, _ERROR]),
    "loom_instance_read_state": (c_int, [c_void_p, u32, u64, c_void_p, u64, _ERROR]),
    "loom_instance_write_state": (c_int, [c_void_p, u32, u64, c_void_p, u64, _ERROR]),
    "loom_submit": (c_int, [c_void_p, POINTER(loom_job_desc), _HANDLE, _ERROR]),
    "loom_event_wait": (c_int, [c_void_p, c_int64, POINTER(loom_result)]),
    "loom_event_destroy": (None, [c_void_p]),
    "loom_utilisation": (c_double, [POINTER(loom_target), POINTER(loom_result)]),
    "loom_fault_name": (c_char_p, [u32]),
    "loom_dtype_name": (c_char_p, [u32]),
}


def declare(library: ctypes.CDLL) -> None:
    """Give each function its types. AttributeError where the library lacks one."""
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments


def check(code: int, error: loom_error, kind: type[DeviceError] = DeviceError) -> None:
    """Raise `kind` with the library's own sentence where a function failed."""
    if code < 0:
        text = error.message.decode(errors="replace") or f"error {code}"
        raise kind(text, code)


def call(function: Any, *arguments: Any, kind: type[DeviceError] = DeviceError) -> None:
    """Call a function whose last argument is a struct loom_error."""
    error = loom_error()
    check(function(*arguments, ctypes.byref(error)), error, kind)


class Handle:
    """An object of the library, destroyed with this one or by close(), once."""

    def __init__(self, destroy: Callable[[c_void_p], None], value: c_void_p) -> None:
        self._destroy = destroy
        self.value: c_void_p | None = value

    @classmethod
    def make(
        cls, create: Any, destroy: Any, *arguments: Any, kind: type[DeviceError] = DeviceError
    ) -> Handle:
        """What create(*arguments, &out, &error) makes."""
        value = c_void_p()
        call(create, *arguments, ctypes.byref(value), kind=kind)
        return cls(destroy, value)

    def close(self) -> None:
        value, self.value = self.value, None
        if value is not None:
            self._destroy(value)

    def __del__(self) -> None:
        self.close()
