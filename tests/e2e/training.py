# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train on the device and compare every step with JAX on the CPU.

    python tests/e2e/training.py --bin DIR --work DIR [--steps N] [--program NAME]...
                                 [--device SPEC] [--accuracy]

--bin holds `loomc` and `loom`. A program (train_programs.py) is exported with its entry points and
JAX's initial state, compiled once, and then
  - each step is run from JAX's own state before it: the loss within 1e-4, relative;
  - all steps are run one after the other on one instance: each loss no further from JAX's than 3
    times what JAX's own moves when its initial parameters change by 2e-7;
  - what is exact (dropout masks, random bits, keys in the state) is equal bit for bit.
With --accuracy the digits CNN is initialised, trained (330 steps) and evaluated on the device
alone, to at least 97 %. One line a check; ends with `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paths import output_file, use_checkout

use_checkout()

import jax  # noqa: E402  (after the checkout is on the path)
import numpy as np  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402
from train_programs import PROGRAMS, Program, seed_words  # noqa: E402

import loom  # noqa: E402
from loom.paths import join  # noqa: E402

STEP_ERROR = 1e-4  # of the loss, relative
NUDGE = 2e-7  # change of the initial parameters
NUDGED_RUNS = 4
SPREAD = 3.0
# A loss that no nudge moves by more than its own rounding.
FLOOR = 1e-6
TRAIN_STEPS, LEAST_ACCURACY = 330, 0.97
# Without --program: those whose operations the compiler takes.
RUNNING = ("moves", "mlp")
TIME_LIMIT = 1200


class Failed(Exception):
    """A check that did not pass."""


@dataclass(frozen=True)
class Tools:
    loomc: Path
    loom: Path
    device: str
    target: str

    def call(self, tool: Path, *words: Any) -> str:
        done = subprocess.run(
            [str(w) for w in (tool, *words)], capture_output=True, text=True, timeout=TIME_LIMIT
        )
        if done.returncode:
            text = (done.stderr.strip() or done.stdout.strip() or "said nothing").splitlines()
            raise Failed(f"{tool.name}: exit {done.returncode}: {' / '.join(text[:3])}")
        return done.stdout


@dataclass
class Trace:
    """JAX's run: states[k] before step k, results[k] of it."""

    states: list[dict[str, np.ndarray]]
    results: list[dict[str, np.ndarray]]


def flat(tree: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """Leaves by the path that the program gives them."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {join(prefix, keys): np.asarray(value) for keys, value in leaves}


def trace(step: Callable[..., Any], state: Any, batches: list[Any]) -> Trace:
    states, results = [flat(state)], []
    for batch in batches:
        state, result = step(state, *batch)
        states.append(flat(state))
        results.append(flat(result, "result"))
    return Trace(states, results)


def nudged(state: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)

    def move(value: jax.Array) -> np.ndarray:
        value = np.asarray(value)
        return value * (1 + np.float32(NUDGE) * rng.choice([-1, 1], value.shape).astype(np.float32))

    return {**state, "params": jax.tree.map(move, state["params"])}


class Training:
    """One program, exported and compiled in a folder of its own."""

    def __init__(self, name: str, tools: Tools, work: Path, steps: int) -> None:
        self.tools, self.folder = tools, work / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.program: Program = PROGRAMS[name]()
        self.batches = list(itertools.islice(self.program.batches(), steps))
        self.state = jax.jit(self.program.init)(seed_words(0))
        self.binary = self.folder / "m.loom"

    def compile(self, entries: dict[str, loom.Entry], state: Any) -> None:
        bundle = loom.export(
            self.program.model, entries=entries, state=state, path=self.folder / "bundle"
        )
        self.inputs = [t.path for t in bundle.entry("train").of_role("input")]
        self.tools.call(
            self.tools.loomc, bundle.path, "--target", self.tools.target, "-o", self.binary
        )

    def run(self, entry: str, inputs: dict[str, np.ndarray], *more: Any) -> Path:
        """The folder with the outputs; inputs with several batches come one a step."""
        place = self.folder / entry
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        words: list[Any] = []
        for name, value in inputs.items():
            np.save(place / f"{name}.npy", value)
            words += ["--input", f"{name}={place / name}.npy"]
        self.tools.call(
            self.tools.loom, "run", self.binary, "--device", self.tools.device, "--entry", entry,
            "--output-dir", place / "out", *words, *more,
        )  # fmt: skip
        return place / "out"

    def train(self, first: int, count: int, *more: Any) -> Path:
        batches = self.batches[first : first + count]
        joined = {
            name: np.concatenate(parts) for name, parts in zip(self.inputs, zip(*batches), strict=True)
        }
        batched = [w for name in self.inputs for w in ("--batch-input", name)]
        return self.run("train", joined, "--steps", count, *batched, *more)


def output(folder: Path, path: str) -> np.ndarray:
    return np.load(output_file(folder, path))


def exact_paths(results: dict[str, np.ndarray]) -> list[str]:
    return [path for path in results if path.startswith("result/exact/")]


def check_exact(what: str, want: np.ndarray, got: np.ndarray) -> None:
    if got.size != want.size:
        raise Failed(f"{what}: shape {got.shape}, JAX's {want.shape}")
    wrong = int((want.astype(got.dtype) != got.reshape(want.shape)).sum())
    if wrong:
        raise Failed(f"{what}: {wrong} of {want.size} differ from JAX's bits")


def each_step(t: Training, jax_run: Trace) -> str:
    """Every step from JAX's own state before it."""
    worst = 0.0
    for k, result in enumerate(jax_run.results):
        before, after = t.folder / "before.safetensors", t.folder / "after.safetensors"
        save_file(jax_run.states[k], before)
        out = t.train(k, 1, "--restore", before, "--save", after)
        want, got = float(result["result/loss"]), float(output(out, "result/loss").reshape(()))
        error = abs(got - want) / abs(want)
        worst = max(worst, error)
        if not error <= STEP_ERROR:
            raise Failed(f"step {k}: loss {got:.8g}, JAX's {want:.8g}: {error:.2g} apart, relative")
        for path in exact_paths(result):
            check_exact(f"step {k}: {path}", result[path], output(out, path))
        new = load_file(after)
        for path, value in jax_run.states[k + 1].items():
            if value.dtype.kind in "iu":
                check_exact(f"step {k}: state {path}", value, new[path])
    return f"{len(jax_run.results)} steps, loss within {worst:.1e}"


def free_run(t: Training, jax_run: Trace, step: Callable[..., Any]) -> str:
    """All steps on one instance, against what JAX's own losses are worth."""
    want = np.array([float(r["result/loss"]) for r in jax_run.results])
    moved = np.zeros_like(want)
    for seed in range(NUDGED_RUNS):
        other = trace(step, nudged(t.state, seed), t.batches)
        losses = np.array([float(r["result/loss"]) for r in other.results])
        moved = np.maximum(moved, np.abs(losses - want))
    out = t.train(0, len(want), "--save", t.folder / "trained.safetensors")
    # For who runs the same elsewhere.
    how = {"steps": len(want), "inputs": t.inputs}
    (t.folder / "free.json").write_text(json.dumps(how) + "\n")
    got = output(out, "result/loss").reshape(-1)
    # What a step may have moved, a later one may show.
    limit = SPREAD * np.maximum(np.maximum.accumulate(moved), FLOOR * np.abs(want))
    apart = np.abs(got - want)
    if not (apart <= limit).all():
        k = int(np.argmax(apart > limit))
        raise Failed(
            f"step {k}: loss {got[k]:.8g}, JAX's {want[k]:.8g}: {apart[k]:.2g} apart, "
            f"{limit[k]:.2g} allowed"
        )
    for path in exact_paths(jax_run.results[0]):
        # `loom run` joins the steps along the first dimension.
        whole = np.concatenate([np.atleast_1d(r[path]) for r in jax_run.results])
        check_exact(path, whole, output(out, path))
    return f"loss {want[0]:.4f} to {got[-1]:.4f}, at most {(apart / limit).max() * SPREAD:.2f} spreads"


def compare(name: str, tools: Tools, work: Path, steps: int) -> list[tuple[str, Callable[[], str]]]:
    """The checks of one program, in order."""
    t = Training(name, tools, work, steps)
    step = jax.jit(t.program.train)
    jax_run: list[Trace] = []

    def compiled() -> str:
        t.compile({"train": loom.Entry.update(t.program.train, *t.batches[0])}, t.state)
        jax_run.append(trace(step, t.state, t.batches))
        return f"{t.binary.stat().st_size} bytes"

    return [
        ("compiles", compiled),
        ("each step", lambda: each_step(t, jax_run[0])),
        ("free run", lambda: free_run(t, jax_run[0], step)),
    ]


def accuracy(tools: Tools, work: Path) -> str:
    """init, train and eval of the digits CNN, each with the state that the one before saved."""
    from digits import load

    t = Training("digits_cnn", tools, work / "accuracy", TRAIN_STEPS)
    data = load(0)
    batch = data.test_images[:60]
    t.compile(
        {
            "init": loom.Entry.create(t.program.init, seed_words(0)),
            "train": loom.Entry.update(t.program.train, *t.batches[0]),
            "eval": loom.Entry.read(t.program.evaluate, batch),
        },
        None,
    )
    first, last = t.folder / "init.safetensors", t.folder / "trained.safetensors"
    t.run("init", {"seed": seed_words(0)}, "--save", first)
    t.train(0, TRAIN_STEPS, "--restore", first, "--save", last)
    out = t.run("eval", {"x": data.test_images}, "--batch-input", "x", "--restore", last)
    right = (output(out, "result").argmax(-1) == data.test_labels).mean()
    if right < LEAST_ACCURACY:
        raise Failed(f"{100 * right:.1f} % of the test images, {100 * LEAST_ACCURACY:.0f} wanted")
    return f"{100 * right:.1f} % of the test images after {TRAIN_STEPS} steps"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--program", action="append", choices=sorted(PROGRAMS))
    parser.add_argument("--target", default="npu16")
    parser.add_argument("--device", default="sim")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--json", type=Path, help="file for one row a check")
    o = parser.parse_args()
    tools = Tools(o.bin / "loomc", o.bin / "loom", o.device, o.target)
    passed, failed, rows = 0, 0, []

    def check(label: str, function: Callable[[], str]) -> bool:
        nonlocal passed, failed
        try:
            text, good = function(), True
        except (Failed, loom.LoomError, subprocess.TimeoutExpired) as e:
            text, good = str(e), False
        passed, failed = passed + good, failed + (not good)
        rows.append({"check": label, "passed": good, "text": text})
        print(f"{'pass' if good else 'FAIL'}  {label}: {text}", flush=True)
        return good

    for name in o.program or (() if o.accuracy else RUNNING):
        for label, function in compare(name, tools, o.work, o.steps):
            if not check(f"{name}: {label}", function):
                break
    if o.accuracy:
        check("digits_cnn: accuracy on the device", lambda: accuracy(tools, o.work))
    if o.json:
        o.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
