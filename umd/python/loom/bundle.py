# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bundle on disk: a directory of model.json, artifacts and safetensors.

    model.json            names, types, shapes and roles of every entry point's flat inputs/outputs
    NAME.vhlo.bc          StableHLO portable artifact of entry point NAME
    params.safetensors    value of every input with role "param", keyed by its path
    state.safetensors     initial value of every input with role "state"; only where there are any

A bundle is written beside its final place and renamed into it, so a reader sees the old one or
the new one, never half of one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BundleError

if TYPE_CHECKING:
    import numpy as np

FORMAT = "loom-bundle"
VERSION = 1
MODEL_FILE = "model.json"
PARAMS_FILE = "params.safetensors"
STATE_FILE = "state.safetensors"


@dataclass(frozen=True)
class Tensor:
    """One flat input or output of an entry point.

    index: position among the artifact's arguments (or results).
    path:  slash-separated place in the user's tree, e.g. "params/Conv_0/kernel"; unique.
    role:  inputs: "param", "state", "rng" or "input"; outputs: "output" or "state".
    dtype: f32 bf16 f16 i32 u32 i16 u16 i8 u8 i1.
    shape: sizes, outermost first; [] is a scalar.
    """

    index: int
    path: str
    role: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class EntryPoint:
    """One callable of the model.

    donated: indices of inputs whose buffer an output takes over; the artifact's
             tf.aliasing_output attributes say which output.
    """

    name: str
    artifact: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    donated: list[int] = field(default_factory=list)

    def of_role(self, role: str) -> list[Tensor]:
        """The inputs with this role, in flat order."""
        return [t for t in self.inputs if t.role == role]


@dataclass(frozen=True)
class Bundle:
    """A bundle that lies at `path`."""

    path: Path
    producer: dict[str, str]
    entry_points: list[EntryPoint]

    def entry(self, name: str = "__call__") -> EntryPoint:
        """The entry point called `name`; BundleError lists the names where there is none."""
        for entry in self.entry_points:
            if entry.name == name:
                return entry
        names = ", ".join(e.name for e in self.entry_points)
        raise BundleError(f"{self.path}: no entry point {name!r}; it has: {names}")

    def params(self) -> dict[str, np.ndarray]:
        """The weights by path, read from params.safetensors."""
        from safetensors.numpy import load_file

        return load_file(self.path / PARAMS_FILE)


def write_bundle(
    path: Path,
    producer: dict[str, str],
    entry_points: list[EntryPoint],
    artifacts: dict[str, bytes],
    params: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
) -> Bundle:
    """Write a bundle to `path`, replacing a bundle that is there and nothing else.

    artifacts: file name -> bytes. params, state: path -> value.
    BundleError: `path` exists and is not a bundle, or the disk refuses.
    """
    refuse_foreign(path)
    scratch: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        scratch.chmod(0o777 & ~_umask())
        _fill(scratch, producer, entry_points, artifacts, params, state)
        _swap(scratch, path)
    except OSError as e:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise BundleError(f"{path}: cannot write the bundle: {e}; choose a writable path=") from e
    return Bundle(path, producer, entry_points)


def refuse_foreign(path: Path) -> None:
    """BundleError if something that is not a bundle (or an empty directory) lies at `path`."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir():
        model = path / MODEL_FILE
        if not any(path.iterdir()) or (model.is_file() and _is_bundle(model)):
            return
    raise BundleError(
        f"{path}: exists and is not a loom bundle, so it is left alone; "
        "remove it or choose another path="
    )


def load_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read model.json of the bundle at `path`. BundleError: not a bundle, or another version."""
    path = Path(path)
    model = path / MODEL_FILE
    try:
        doc = json.loads(model.read_text())
    except (OSError, ValueError) as e:
        raise BundleError(f"{model}: cannot read: {e}; export the model again") from e
    if not isinstance(doc, dict) or doc.get("format") != FORMAT:
        raise BundleError(f'{model}: has no "format": "{FORMAT}"; export the model again')
    if doc.get("version") != VERSION:
        raise BundleError(
            f"{model}: bundle version {doc.get('version')}, this package reads version {VERSION}; "
            "export the model again with this package"
        )
    try:
        entries = [_entry(e) for e in doc["entry_points"]]
    except (KeyError, TypeError) as e:
        raise BundleError(f"{model}: malformed entry point ({e}); export the model again") from e
    return Bundle(path, doc.get("producer", {}), entries)


def _entry(doc: dict) -> EntryPoint:
    def tensors(rows: list[dict]) -> list[Tensor]:
        return [Tensor(**{**row, "shape": tuple(row["shape"])}) for row in rows]

    return EntryPoint(
        doc["name"],
        doc["artifact"],
        tensors(doc["inputs"]),
        tensors(doc["outputs"]),
        list(doc["donated"]),
    )


def _is_bundle(model: Path) -> bool:
    try:
        doc = json.loads(model.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(doc, dict) and doc.get("format") == FORMAT


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fill(
    where: Path,
    producer: dict[str, str],
    entry_points: list[EntryPoint],
    artifacts: dict[str, bytes],
    params: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
) -> None:
    from safetensors.numpy import save_file

    for name, data in artifacts.items():
        (where / name).write_bytes(data)
    for name, tensors in ((PARAMS_FILE, params), (STATE_FILE, state)):
        if tensors or name == PARAMS_FILE:
            save_file(tensors, where / name)
            # safetensors makes its files private to the user; the bundle is as open as its artifacts.
            (where / name).chmod(0o666 & ~_umask())
    doc = {
        "format": FORMAT,
        "version": VERSION,
        "producer": producer,
        "entry_points": [asdict(e) for e in entry_points],
    }
    (where / MODEL_FILE).write_text(json.dumps(doc, indent=1) + "\n")


def _swap(scratch: Path, path: Path) -> None:
    if not path.exists():
        scratch.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.rename(old)  # an empty directory may be renamed over
    try:
        scratch.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
