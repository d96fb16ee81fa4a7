# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loom's Python side.

`JAX_PLATFORMS=loom,cpu` makes JAX use the NPU: nothing of this package needs to be imported.
`loom.placement(f, *args)` and `loom.report(f, *args)` say where a function runs and how long.
`loom.export` turns a function or a Flax module into a bundle, which `loomc` compiles into a
program; `loom.load` runs such a program, with numpy arrays. `python -m loom doctor` says what is
found and what is missing. Importing this package does not import jax.
"""

from .activity import Counters, counters
from .bundle import Bundle, EntryPoint, Tensor, load_bundle
from .device import Device, DeviceStats, Target
from .entries import Entry
from .errors import (
    ArgumentError,
    BundleError,
    CompileError,
    DeviceError,
    ExportError,
    JobError,
    LibraryError,
    LoomError,
    ProgramError,
    VersionError,
)
from .exporter import export
from .inspection import Layer, PlacedOperation, Placement, Report, placement, report
from .instance import Instance, Job
from .program import EntryInfo, Program, TensorInfo, load
from .versions import __version__

__all__ = [
    "ArgumentError",
    "Bundle",
    "BundleError",
    "CompileError",
    "Counters",
    "Device",
    "DeviceError",
    "DeviceStats",
    "Entry",
    "EntryInfo",
    "EntryPoint",
    "ExportError",
    "Instance",
    "Job",
    "JobError",
    "Layer",
    "LibraryError",
    "LoomError",
    "PlacedOperation",
    "Placement",
    "Program",
    "ProgramError",
    "Report",
    "Target",
    "Tensor",
    "TensorInfo",
    "VersionError",
    "__version__",
    "counters",
    "export",
    "load",
    "load_bundle",
    "placement",
    "report",
]
