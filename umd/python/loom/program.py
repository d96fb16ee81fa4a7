# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.load`: a compiled program on a device, its entry points and its state."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from . import arrays, capi, library
from .device import SIM, Device, Target
from .errors import ArgumentError, ProgramError

if TYPE_CHECKING:
    from .instance import Instance


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A named array of a program. shape in elements, outermost first; slot and offset (bytes) are
    where it lies; role is input, output, param, state or rng."""

    path: str
    dtype: np.dtype
    shape: tuple[int, ...]
    role: str
    slot: int
    offset: int
    nbytes: int

    def __str__(self) -> str:
        return f"{self.path}: {self.dtype}{list(self.shape)}"


@dataclasses.dataclass(frozen=True)
class EntryInfo:
    """An entry point: the arrays a call takes, in order, and those it returns.

    macs: products of one call; cycles: the compiler's estimate, modelled; segments and of them
    cpu_segments: pieces that one engine runs; state: paths of the state it uses.
    """

    name: str
    number: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    state: tuple[str, ...]
    macs: int
    cycles: int
    segments: int
    cpu_segments: int

    def __str__(self) -> str:
        takes = ", ".join(map(str, self.inputs))
        gives = ", ".join(map(str, self.outputs))
        return f"{self.name}({takes}) -> {gives or 'nothing'}"


class Program:
    """A program loaded on a device; made by `loom.load`. Code and constants are there once, for
    all instances.

    entries: EntryInfo by name; state: TensorInfo by path; target: the NPU it was compiled for;
    device: where it is loaded; path: the file.
    """

    def __init__(self, device: Device, path: str) -> None:
        lib = library.load()
        self._lib = lib
        self._handle = capi.Handle.make(
            lib.loom_program_open,
            lib.loom_program_destroy,
            device._open,
            os.fsencode(path),
            kind=ProgramError,
        )
        self.device = device
        self.path = path
        self._device_target = capi.loom_target.from_buffer_copy(
            lib.loom_device_target(device._open).contents
        )
        tables = _Tables(lib.loom_program_get_view(self._handle.value).contents)
        self.target = Target.of(tables.view.target.contents)
        self.entries: Mapping[str, EntryInfo] = MappingProxyType(
            {e.name: e for e in tables.entries()}
        )
        self.state: Mapping[str, TensorInfo] = MappingProxyType(tables.state())
        self._slot_bytes = tables.slot_bytes()

    def instance(self) -> Instance:
        """A model of one's own: state at its initial values. Raises DeviceError (no memory)."""
        from .instance import Instance

        return Instance(self)

    def entry(self, name: str | None = None) -> EntryInfo:
        """The entry point of that name; None: the only one, else "__call__". ArgumentError."""
        if name is None:
            name = next(iter(self.entries)) if len(self.entries) == 1 else "__call__"
        if name not in self.entries:
            raise ArgumentError(
                f"{self.path} has no entry point {name!r}; it has: {', '.join(self.entries)}"
            )
        return self.entries[name]

    def __repr__(self) -> str:
        names = ", ".join(self.entries)
        return f"<loom.Program {self.path} on {self.device.name}: {names}>"


class _Tables:
    """The rows of a program that the library has checked, read once."""

    def __init__(self, view: capi.loom_prog_view) -> None:
        self.view = view

    def text(self, offset: int) -> str:
        return ctypes.string_at(self.view.strings + offset).decode(errors="replace")

    def tensor(self, index: int) -> TensorInfo:
        t = self.view.tensors[index]
        path = self.text(t.name)
        return TensorInfo(
            path,
            arrays.dtype_of(t.dtype, path),
            tuple(t.dims[: t.rank]),
            capi.ROLES[t.role],
            t.slot,
            t.offset,
            t.bytes,
        )

    def kind(self, tensor: TensorInfo) -> tuple[int, int]:
        slot = self.view.slots[tensor.slot]
        return slot.kind, slot.flags

    def is_argument(self, tensor: TensorInfo) -> bool:
        kind, flags = self.kind(tensor)
        return kind == capi.SLOT_ARG and not flags & capi.SLOT_HIDDEN

    def is_state(self, tensor: TensorInfo) -> bool:
        return self.kind(tensor)[0] == capi.SLOT_STATE

    def entries(self) -> Iterator[EntryInfo]:
        for number in range(self.view.n_entries):
            e = self.view.entries[number]
            rows = range(e.first_tensor, e.first_tensor + e.n_tensors)
            tensors = [self.tensor(i) for i in rows]
            segments = range(e.first_segment, e.first_segment + e.n_segments)
            yield EntryInfo(
                self.text(e.name),
                number,
                tuple(t for t in tensors if t.role != "output" and self.is_argument(t)),
                tuple(t for t in tensors if t.role == "output"),
                tuple(dict.fromkeys(t.path for t in tensors if self.is_state(t))),
                e.macs,
                e.cycles,
                e.n_segments,
                sum(self.view.segments[s].engine == capi.ENGINE_CPU for s in segments),
            )

    def state(self) -> dict[str, TensorInfo]:
        tensors = (self.tensor(i) for i in range(self.view.n_tensors))
        found: dict[str, TensorInfo] = {}
        for t in tensors:
            if self.is_state(t):
                found.setdefault(t.path, t)
        return dict(sorted(found.items()))

    def slot_bytes(self) -> dict[int, int]:
        return {i: self.view.slots[i].bytes for i in range(self.view.n_slots)}


def load(path: str | os.PathLike[str], device: Device | str | None = None) -> Program:
    """Load a program that `loomc` made.

    path: the .loom file.
    device: a Device, or what Device() takes. "sim", and None where there is neither LOOM_DEVICE
        nor a /dev/accel node of Loom: an NPU in this process such as the program was compiled for.

    Raises ProgramError (no such file, damaged, for a device with other units), DeviceError,
    LibraryError.
    """
    file = os.fspath(path)
    if os.path.isdir(file):
        raise ProgramError(
            f"{file} is a directory; compile the bundle first: loomc {file} -o m.loom",
            -errno.EISDIR,
        )
    if isinstance(device, Device):
        return Program(device, file)
    return Program(_device_for(file, device), file)


def _device_for(path: str, spec: str | None) -> Device:
    spec = spec if spec is not None else os.environ.get("LOOM_DEVICE") or None
    if spec is not None and spec != SIM:
        return Device(spec)
    device = None if spec == SIM else Device()
    if device is not None and device.name != SIM:
        return device
    target = capi.loom_target()
    read = library.load().loom_program_read_target
    capi.call(read, os.fsencode(path), ctypes.byref(target), kind=ProgramError)
    return Device._sim_for(target)
