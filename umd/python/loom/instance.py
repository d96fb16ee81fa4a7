# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.Instance`: a program's own state, and calls of its entry points."""

from __future__ import annotations

import ctypes
import errno
import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import arrays, capi
from .errors import ArgumentError, JobError
from .program import EntryInfo, Program, TensorInfo

# How long a wait stays in the library before Python may handle a signal, in seconds.
SLICE = 0.1
Outputs = np.ndarray | dict[str, np.ndarray] | None


class Instance:
    """A model: a program and state of its own; made by `Program.instance()`.

    An entry point is a method: `model.train(x, y)`, and `model(x)` for "__call__". Arrays go in by
    position or by path (`model.call("train", x, **{"batch/y": y})`), as numpy arrays or anything
    that numpy.asarray takes, in exactly the entry point's types and shapes. What comes out is a
    numpy array; a dict by path where there are several; None where there is none.

    Calls run in the order of submission. Usable from several threads.
    """

    def __init__(self, program: Program) -> None:
        lib = program._lib
        self.program = program
        self._lib = lib
        self._lock = threading.Lock()
        self._idle: dict[int, list[_Memory]] = {}
        self._handle = capi.Handle.make(
            lib.loom_instance_create, lib.loom_instance_destroy, program._handle.value
        )

    def call(self, name: str | None = None, /, *args: Any, **named: Any) -> Outputs:
        """Run an entry point and wait for it. name None: the only one, else "__call__".

        Raises ArgumentError (type, shape, number or name of an array), JobError (the device
        failed; its message names cause, instruction, module path and source line).
        """
        return self.submit(name, *args, **named).wait()

    def submit(self, name: str | None = None, /, *args: Any, **named: Any) -> Job:
        """Start an entry point and return at once; `Job.wait()` gives its outputs. The arrays are
        copied, so they may change at once. Raises as `call` does."""
        entry = self.program.entry(name)
        values = arrays.bind(entry, args, named)
        with self._lock:
            memory = self._take(entry)
            for tensor, value in zip(entry.inputs, values, strict=True):
                memory.view(tensor)[...] = value
            return Job(self, entry, memory)

    def __call__(self, *args: Any, **named: Any) -> Outputs:
        return self.call(None, *args, **named)

    def __getattr__(self, name: str) -> Callable[..., Outputs]:
        program = self.__dict__.get("program")
        if program is None or name not in program.entries:
            has = "" if program is None else f"; its entry points: {', '.join(program.entries)}"
            raise AttributeError(f"{type(self).__name__} has no {name!r}{has}")
        return functools.partial(self.call, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.program.entries]

    def read_state(self, path: str | None = None) -> Any:
        """A copy of the state after the calls so far: the array at `path`, or a dict of all by
        path. Raises ArgumentError (no such state), DeviceError (-EIO: lost, see reset)."""
        if path is not None:
            return self._read(self._state(path))
        return {p: self._read(t) for p, t in self.program.state.items()}

    def write_state(self, values: Mapping[str, Any]) -> None:
        """Set state by path, after the calls so far; all values are checked before the first is
        written. Raises as read_state does, and ArgumentError for another type or shape."""
        fitted = [(self._state(p), arrays.fit(self._state(p), v)) for p, v in values.items()]
        for tensor, value in fitted:
            with self._lock:
                capi.call(
                    self._lib.loom_instance_write_state,
                    self._handle.value,
                    tensor.slot,
                    tensor.offset,
                    value.ctypes.data,
                    tensor.nbytes,
                )

    def reset(self) -> None:
        """Give state its first values again, and accept calls again after a failed one."""
        with self._lock:
            capi.call(self._lib.loom_instance_reset, self._handle.value)

    def _state(self, path: str) -> TensorInfo:
        if path not in self.program.state:
            has = ", ".join(self.program.state) or "none"
            raise ArgumentError(f"{self.program.path} has no state {path!r}; it has: {has}")
        return self.program.state[path]

    def _read(self, tensor: TensorInfo) -> np.ndarray:
        value = np.empty(tensor.shape, tensor.dtype)
        with self._lock:
            capi.call(
                self._lib.loom_instance_read_state,
                self._handle.value,
                tensor.slot,
                tensor.offset,
                value.ctypes.data,
                tensor.nbytes,
            )
        return value

    def _take(self, entry: EntryInfo) -> _Memory:
        idle = self._idle.setdefault(entry.number, [])
        return idle.pop() if idle else _Memory(self.program, entry)

    def _give_back(self, entry: EntryInfo, memory: _Memory) -> None:
        with self._lock:
            self._idle[entry.number].append(memory)

    def __repr__(self) -> str:
        return f"<loom.Instance of {self.program.path} on {self.program.device.name}>"


class _Memory:
    """Buffers for the arguments of one call, one for each slot."""

    def __init__(self, program: Program, entry: EntryInfo) -> None:
        lib = program._lib
        slots = sorted({t.slot for t in (*entry.inputs, *_outside(program, entry))})
        self._buffers = {}
        self._places = {}
        for slot in slots:
            size = program._slot_bytes[slot]
            buffer = capi.Handle.make(
                lib.loom_buffer_create, lib.loom_buffer_destroy, program.device._open, size
            )
            self._buffers[slot] = buffer
            self._places[slot] = (ctypes.c_uint8 * size).from_address(
                lib.loom_buffer_data(buffer.value)
            )
        rows = [capi.loom_binding(s, 0, self._buffers[s].value, 0) for s in slots]
        self.bindings = (capi.loom_binding * len(rows))(*rows)

    def view(self, tensor: TensorInfo) -> np.ndarray:
        """The tensor's bytes in its slot. Not to be used longer than this object lives."""
        flat = np.frombuffer(self._places[tensor.slot], np.uint8)
        part = flat[tensor.offset : tensor.offset + tensor.nbytes]
        return part.view(tensor.dtype).reshape(tensor.shape)


def _outside(program: Program, entry: EntryInfo) -> list[TensorInfo]:
    """Outputs that the caller binds: new state stays inside."""
    inside = {t.slot for t in program.state.values()}
    return [t for t in entry.outputs if t.slot not in inside]


class Job:
    """A call under way. After wait(): cycles (modelled; of them cpu_cycles on the CPU engine),
    instructions, segments, and utilisation: the share of the array's peak that was used."""

    cycles: int
    cpu_cycles: int
    instructions: int
    segments: int
    utilisation: float

    def __init__(self, instance: Instance, entry: EntryInfo, memory: _Memory) -> None:
        self._lib = lib = instance._lib
        self._instance = instance
        self._memory: _Memory | None = memory
        self._lock = threading.Lock()
        self.entry = entry
        self._outputs: Outputs = None
        self._error: JobError | None = None
        desc = capi.loom_job_desc(
            entry=entry.number, n_bindings=len(memory.bindings), bindings=memory.bindings
        )
        self._handle = capi.Handle.make(
            lib.loom_submit,
            lib.loom_event_destroy,
            instance._handle.value,
            ctypes.byref(desc),
            kind=JobError,
        )

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        with self._lock:
            return self._memory is None or self._poll(0.0)

    def wait(self, timeout: float | None = None) -> Outputs:
        """Its outputs, once it has ended. timeout in seconds, None: for ever.

        Raises JobError where the job failed, TimeoutError where it has not ended yet (it goes on).
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self._memory is not None:
                left = SLICE if end is None else max(0.0, min(SLICE, end - time.monotonic()))
                if not self._poll(left) and end is not None and time.monotonic() >= end:
                    raise TimeoutError(f"{self.entry.name} has not ended within {timeout} s")
        if self._error is not None:
            raise self._error
        return self._outputs

    def _poll(self, seconds: float) -> bool:
        result = capi.loom_result()
        code = self._lib.loom_event_wait(
            self._handle.value, int(seconds * 1e9), ctypes.byref(result)
        )
        if code == -errno.ETIME:
            return False
        self._finish(code, result)
        return True

    def _finish(self, code: int, result: capi.loom_result) -> None:
        memory, self._memory = self._memory, None
        assert memory is not None
        self._handle.close()
        status = code or result.status
        if status:
            fault = result.end.fault
            name = self._lib.loom_fault_name(fault).decode() if fault else None
            text = result.message.decode(errors="replace") or "waiting for a job failed"
            self._error = JobError(text, status, name, result.segment)
        else:
            self._outputs = self._collect(memory)
            self.cycles, self.cpu_cycles = result.cycles, result.cpu_cycles
            self.instructions, self.segments = result.insns, result.segments
            target = ctypes.byref(self._instance.program._device_target)
            self.utilisation = self._lib.loom_utilisation(target, ctypes.byref(result))
        self._instance._give_back(self.entry, memory)

    def _collect(self, memory: _Memory) -> Outputs:
        found = {
            t.path: memory.view(t).copy() for t in _outside(self._instance.program, self.entry)
        }
        if len(found) == 1:
            return next(iter(found.values()))
        return found or None
