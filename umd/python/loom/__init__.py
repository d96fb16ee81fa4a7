# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loom's Python side: `loom.export` turns a JAX function or a Flax module into a bundle.

A bundle is a directory with one StableHLO portable artifact for each entry point, a table of
names, types and roles (`model.json`), and the weights (`params.safetensors`). `loomc` compiles
it into a program for the NPU. Importing this package does not import jax; `export` does.
"""

from .bundle import Bundle, EntryPoint, Tensor, load_bundle
from .entries import Entry
from .errors import BundleError, ExportError, LoomError
from .exporter import export
from .versions import __version__

__all__ = [
    "Bundle",
    "BundleError",
    "Entry",
    "EntryPoint",
    "ExportError",
    "LoomError",
    "Tensor",
    "__version__",
    "export",
    "load_bundle",
]
