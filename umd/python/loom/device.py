# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`loom.Device`: an NPU, in this process or behind /dev/accel."""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import glob
import os

from . import capi, library
from .errors import DeviceError

SIM = "sim"
NODES = "/dev/accel"
CLASS = "/sys/class/accel"  # where a node's driver is named


@dataclasses.dataclass(frozen=True)
class Target:
    """What distinguishes one NPU from another. Sizes in bytes, memory in bytes a cycle."""

    rows: int
    cols: int
    sram_bytes: int
    acc_bytes: int
    vpu_lanes: int
    clock_khz: int
    memory_bytes_per_cycle: int
    isa: str
    features: int

    @classmethod
    def of(cls, raw: capi.loom_target) -> Target:
        return cls(
            raw.rows,
            raw.cols,
            raw.sram_bytes,
            raw.acc_bytes,
            raw.vpu_lanes,
            raw.clock_khz,
            raw.mem[0].bytes_per_cycle,
            f"{raw.isa_major}.{raw.isa_minor}",
            raw.features,
        )


@dataclasses.dataclass(frozen=True)
class DeviceStats:
    """Counters of a device: segments that the driver saw complete, that the device counted, that
    failed; resets; modelled cycles; segments that the CPU engine saw complete."""

    jobs_driver: int
    jobs_device: int
    jobs_faulted: int
    resets: int
    cycles: int
    cpu_segments: int


class Device:
    """An open NPU.

    spec: "sim" (in this process, as npu64), "sim:TARGET" (npu8, npu16, npu64, npu128) or
        "/dev/accel/accelN". None: the environment's LOOM_DEVICE, else the first /dev/accel node
        whose driver is loom, else "sim".

    Raises DeviceError: no such node, no permission, another driver's device, unknown target; and
    LibraryError where the library is missing. Usable from several threads, and in `with`.
    """

    def __init__(self, spec: str | None = None) -> None:
        lib = library.load()
        text = None if spec is None else os.fsencode(spec)
        self._lib = lib
        self._handle = capi.Handle.make(lib.loom_device_open, lib.loom_device_close, text)

    @classmethod
    def _sim_for(cls, target: capi.loom_target) -> Device:
        self = cls.__new__(cls)
        self._lib = library.load()
        self._handle = capi.Handle.make(
            self._lib.loom_device_open_sim, self._lib.loom_device_close, ctypes.byref(target)
        )
        return self

    @property
    def _open(self) -> ctypes.c_void_p:
        if self._handle.value is None:
            raise DeviceError("the device is closed; open it again: loom.Device(...)")
        return self._handle.value

    @property
    def name(self) -> str:
        """ "sim", or the node's path."""
        return self._lib.loom_device_name(self._open).decode()

    @property
    def target(self) -> Target:
        """What the NPU has."""
        return Target.of(self._lib.loom_device_target(self._open).contents)

    def stats(self) -> DeviceStats:
        """The counters now."""
        raw = capi.loom_device_stats()
        capi.call(self._lib.loom_device_get_stats, self._open, ctypes.byref(raw))
        return DeviceStats(*(getattr(raw, f.name) for f in dataclasses.fields(DeviceStats)))

    def close(self) -> None:
        """Close it. Programs on it take no calls any more; jobs under way end as they would."""
        self._handle.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._handle.value is None:
            return "<loom.Device, closed>"
        t = self.target
        return f"<loom.Device {self.name}: {t.rows} x {t.cols} array, {t.vpu_lanes} lanes>"


def nodes() -> list[tuple[str, str]]:
    """Each /dev/accel node and its driver's name ("" where that cannot be told), in order."""
    found = []
    for node in sorted(glob.glob(f"{NODES}/accel*"), key=lambda n: (len(n), n)):
        link = f"{CLASS}/{os.path.basename(node)}/device/driver"
        driver = os.path.basename(os.path.realpath(link)) if os.path.exists(link) else ""
        found.append((node, driver))
    return found


class _drm_version(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("patch", ctypes.c_int),
        ("name_len", ctypes.c_size_t),
        ("name", ctypes.c_void_p),
        ("date_len", ctypes.c_size_t),
        ("date", ctypes.c_void_p),
        ("desc_len", ctypes.c_size_t),
        ("desc", ctypes.c_void_p),
    ]


DRM_IOCTL_VERSION = 0xC0406400


def driver_version(node: str) -> str:
    """ "1.0.0", as the node's driver says it; "" where it does not."""
    raw = _drm_version()
    try:
        fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.ioctl(fd, DRM_IOCTL_VERSION, raw)
    except OSError:
        return ""
    finally:
        os.close(fd)
    return f"{raw.major}.{raw.minor}.{raw.patch}"
