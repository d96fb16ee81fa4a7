# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs with state on the device: compiled once, run entry by entry, compared with JAX.

A folder holds one program and the files of its runs. Those worth doing elsewhere (in a guest, whose
bits have to be equal) are listed in its runs.json, in order.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from called import Failed, call
from paths import output_file, use_checkout

use_checkout()

import jax  # noqa: E402  (after the checkout is on the path)
import numpy as np  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

import loom  # noqa: E402
from loom.paths import join  # noqa: E402

@dataclass(frozen=True)
class Tools:
    loomc: Path
    loom: Path
    device: str
    target: str

    def call(self, tool: Path, *words: Any) -> str:
        return call([tool, *words])


@dataclass(frozen=True)
class Run:
    """One `loom run`; files by their names in the program's folder."""

    name: str  # of the folder with its inputs and outputs
    entry: str
    inputs: dict[str, np.ndarray]
    steps: int | None = None  # with it inputs hold a batch a step
    restore: str | None = None
    save: str | None = None

    def row(self) -> dict[str, Any]:
        files = {name: str(output_file(Path(self.name), name)) for name in self.inputs}
        return {
            "entry": self.entry, "steps": self.steps, "inputs": files, "restore": self.restore,
            "save": self.save, "out": f"{self.name}/out",
        }  # fmt: skip


def flat(tree: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """Leaves by the path that the program gives them."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {join(prefix, keys): np.asarray(value) for keys, value in leaves}


def output(folder: Path, path: str) -> np.ndarray:
    return np.load(output_file(folder, path))


def check_exact(what: str, want: np.ndarray, got: np.ndarray) -> None:
    if got.size != want.size:
        raise Failed(f"{what}: shape {got.shape}, JAX's {want.shape}")
    wrong = int((want.astype(got.dtype) != got.reshape(want.shape)).sum())
    if wrong:
        raise Failed(f"{what}: {wrong} of {want.size} differ from JAX's bits")


def close(what: str, want: np.ndarray, got: np.ndarray, error: float) -> float:
    """How far apart two tensors are, by their norms; integers have to be equal."""
    if want.dtype.kind not in "fc":
        check_exact(what, want, got)
        return 0.0
    apart = float(np.linalg.norm(got.reshape(want.shape) - want) / max(np.linalg.norm(want), 1e-30))
    if not apart <= error:
        raise Failed(f"{what}: {apart:.2g} apart, relative; {error:.2g} allowed")
    return apart


class Folder:
    """One program, compiled in a folder of its own."""

    def __init__(self, name: str, tools: Tools, work: Path) -> None:
        self.tools, self.folder = tools, work / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.binary = self.folder / "m.loom"
        self.inputs: dict[str, list[str]] = {}
        self.rows: list[dict[str, Any]] = []

    def compile(self, *what: Any, **how: Any) -> None:
        """What `loom.export` takes, but for the path."""
        bundle = loom.export(*what, **how, path=self.folder / "bundle")
        self.inputs = {
            e.name: [t.path for t in e.inputs if t.role in ("input", "rng")]
            for e in bundle.entry_points
        }
        self.tools.call(
            self.tools.loomc, bundle.path, "--target", self.tools.target, "-o", self.binary
        )

    def saved(self, file: str, like: Any) -> Any:
        """The state in a file that --save wrote, as a tree like that one."""
        values = load_file(self.folder / file)
        leaves = [values[path].astype(v.dtype).reshape(v.shape) for path, v in flat(like).items()]
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def run(self, run: Run) -> Path:
        """The folder with the outputs."""
        place = self.folder / run.name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        words: list[Any] = []
        for name, value in run.inputs.items():
            file = output_file(place, name)
            np.save(file, value)
            words += ["--input", f"{name}={file}"]
            words += ["--batch-input", name] if run.steps is not None else []
        words += ["--steps", run.steps] if run.steps is not None else []
        for option, file in (("--restore", run.restore), ("--save", run.save)):
            words += [option, self.folder / file] if file else []
        self.tools.call(
            self.tools.loom, "run", self.binary, "--device", self.tools.device,
            "--entry", run.entry, "--output-dir", place / "out", *words,
        )  # fmt: skip
        return place / "out"

    def kept(self, run: Run) -> Path:
        """The same, on the list of those that may be run elsewhere."""
        out = self.run(run)
        self.rows.append(run.row())
        (self.folder / "runs.json").write_text(json.dumps(self.rows, indent=1) + "\n")
        return out


class Checks:
    """Runs checks, says how each ended, counts."""

    def __init__(self) -> None:
        self.passed, self.rows = 0, []

    def check(self, label: str, function: Callable[[], str]) -> bool:
        try:
            text, good = function(), True
        except (Failed, loom.LoomError) as e:
            text, good = str(e), False
        self.passed += good
        self.rows.append({"check": label, "passed": good, "text": text})
        print(f"{'pass' if good else 'FAIL'}  {label}: {text}", flush=True)
        return good

    def in_order(self, name: str, checks: list[tuple[str, Callable[[], str]]]) -> None:
        """Up to the first that fails."""
        all(self.check(f"{name}: {label}", function) for label, function in checks)

    def close(self, json_file: Path | None) -> int:
        if json_file:
            json_file.write_text(json.dumps(self.rows, indent=1) + "\n")
        failed = len(self.rows) - self.passed
        print(f"{self.passed} passed, {failed} failed, 0 skipped")
        return 1 if failed or not self.passed else 0


def options(description: str) -> argparse.ArgumentParser:
    """Those that every check of programs with state takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of loomc and loom")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--target", default="npu16")
    parser.add_argument("--device", default="sim")
    parser.add_argument("--json", type=Path, help="file for one row a check")
    return parser


def tools_of(o: argparse.Namespace) -> Tools:
    return Tools(o.bin / "loomc", o.bin / "loom", o.device, o.target)
