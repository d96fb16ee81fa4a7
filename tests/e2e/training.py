# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train on the device and compare every step with JAX on the CPU.

    python tests/e2e/training.py --bin DIR --work DIR [--steps N] [--program NAME]...
                                 [--device SPEC] [--accuracy]

--bin holds `loomc` and `loom`. A program (train_programs.py) is exported with its entry points
init, train and eval and JAX's initial state, compiled once, and then
  - each step is run from JAX's own state before it: the loss within 1e-4, relative;
  - all steps are run one after the other on one instance: each loss no further from JAX's than 3
    times what JAX's own moves when its initial parameters change by 2e-7;
  - what is exact (dropout masks, random bits, keys in the state) is equal bit for bit;
  - init gives JAX's initial state, and what eval answers from the state that init and train left
    on the device is what JAX answers from it.
With --accuracy the digits CNN is initialised, trained (330 steps) and evaluated on the device
alone, to at least 97 %. One line a check; ends with `N passed, N failed, N skipped`. What was run
lies in --work, with a list of the runs (runs.json), so that it can be run elsewhere.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import load_file, save_file
from spread import SPREAD, limits, nudged
from state_runs import (
    Checks,
    Failed,
    Folder,
    Run,
    Tools,
    check_exact,
    close,
    flat,
    options,
    output,
    tools_of,
)
from train_programs import PROGRAMS, Batch, Program, seed_words

import loom

STEP_ERROR = 1e-4  # of the loss, relative
# A ReLU that a nudge carries over its kink changes the steps after it a thousandfold, in one run of
# a few: fewer runs than these often miss it.
NUDGED_RUNS = 16
INIT_ERROR = 2e-6  # of a tensor's norm: initialisers go through erf_inv
EVAL_ERROR = 1e-4  # of an answer's norm
TRAIN_STEPS, TEST_BATCH, LEAST_ACCURACY = 330, 60, 0.97


@dataclass
class Trace:
    """JAX's run: states[k] before step k, results[k] of it."""

    states: list[dict[str, np.ndarray]]
    results: list[dict[str, np.ndarray]]


def trace(step: Callable[..., Any], state: Any, batches: list[Any]) -> Trace:
    states, results = [flat(state)], []
    for batch in batches:
        state, result = step(state, *batch)
        states.append(flat(state))
        results.append(flat(result, "result"))
    return Trace(states, results)


class Training(Folder):
    """One program of train_programs.py."""

    def __init__(self, name: str, tools: Tools, work: Path, steps: int) -> None:
        super().__init__(name, tools, work)
        self.program: Program = PROGRAMS[name]()
        self.batches = list(itertools.islice(self.program.batches(), steps))
        self.state = jax.jit(self.program.init)(seed_words(0))

    def entries(self, eval_batch: Batch | None = None) -> dict[str, loom.Entry]:
        program, batch = self.program, self.batches[0]
        eval_batch = batch[: program.eval_inputs] if eval_batch is None else eval_batch
        return {
            "init": loom.Entry.create(program.init, seed_words(0)),
            "train": loom.Entry.update(program.train, *batch),
            "eval": loom.Entry.read(program.evaluate, *eval_batch),
        }

    def init(self, save: str) -> Run:
        return Run("init", "init", {"seed": seed_words(0)}, save=save)

    def train(self, name: str, first: int, count: int, restore: str | None, save: str) -> Run:
        batches = self.batches[first : first + count]
        joined = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        inputs = dict(zip(self.inputs["train"], joined, strict=True))
        return Run(name, "train", inputs, count, restore, save)

    def eval(self, restore: str, batch: Batch, steps: int | None = None) -> Run:
        inputs = dict(zip(self.inputs["eval"], batch, strict=True))
        return Run("eval", "eval", inputs, steps, restore)


def exact_paths(results: dict[str, np.ndarray]) -> list[str]:
    return [path for path in results if path.startswith("result/exact/")]


def each_step(t: Training, jax_run: Trace) -> str:
    """Every step from JAX's own state before it."""
    worst = 0.0
    for k, result in enumerate(jax_run.results):
        save_file(jax_run.states[k], t.folder / "before.st")
        out = t.run(t.train("step", k, 1, "before.st", "after.st"))
        want, got = float(result["result/loss"]), float(output(out, "result/loss").reshape(()))
        error = abs(got - want) / abs(want)
        worst = max(worst, error)
        if not error <= STEP_ERROR:
            raise Failed(f"step {k}: loss {got:.8g}, JAX's {want:.8g}: {error:.2g} apart, relative")
        for path in exact_paths(result):
            check_exact(f"step {k}: {path}", result[path], output(out, path))
        new = load_file(t.folder / "after.st")
        for path, value in jax_run.states[k + 1].items():
            if value.dtype.kind in "iu":
                check_exact(f"step {k}: state {path}", value, new[path])
    return f"{len(jax_run.results)} steps, loss within {worst:.1e}"


def free_run(t: Training, jax_run: Trace, step: Callable[..., Any]) -> str:
    """All steps on one instance, against what JAX's own losses are worth."""
    want = np.array([float(r["result/loss"]) for r in jax_run.results])
    others = []
    for seed in range(NUDGED_RUNS):
        state = {**t.state, "params": nudged(t.state["params"], seed)}
        other = trace(step, state, t.batches)
        others.append(np.array([float(r["result/loss"]) for r in other.results]))
    out = t.kept(t.train("free", 0, len(want), None, "free.st"))
    got = output(out, "result/loss").reshape(-1)
    limit = limits(want, others)
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


def initialises(t: Training) -> str:
    t.kept(t.init("init.st"))
    got, worst = load_file(t.folder / "init.st"), 0.0
    for path, want in flat(t.state).items():
        if path not in got:
            raise Failed(f"init.st has no {path}")
        worst = max(worst, close(path, want, got[path], INIT_ERROR))
    return f"{len(got)} tensors of state, within {worst:.1e}"


def evaluates(t: Training) -> str:
    """init, train and eval of the device's own state, which JAX then evaluates as well."""
    t.kept(t.train("train", 0, len(t.batches), "init.st", "trained.st"))
    batch = t.batches[0][: t.program.eval_inputs]
    out, worst = t.kept(t.eval("trained.st", batch)), 0.0
    answers = flat(jax.jit(t.program.evaluate)(t.saved("trained.st", t.state), *batch), "result")
    for path, want in answers.items():
        worst = max(worst, close(path, want, output(out, path), EVAL_ERROR))
    return f"{len(answers)} answers, within {worst:.1e}"


def compare(name: str, tools: Tools, work: Path, steps: int) -> list[tuple[str, Callable[[], str]]]:
    """The checks of one program, in order."""
    t = Training(name, tools, work, steps)
    step = jax.jit(t.program.train)
    jax_run: list[Trace] = []

    def compiled() -> str:
        t.compile(t.program.model, entries=t.entries(), state=t.state)
        jax_run.append(trace(step, t.state, t.batches))
        return f"{t.binary.stat().st_size} bytes"

    return [
        ("compiles", compiled),
        ("each step", lambda: each_step(t, jax_run[0])),
        ("free run", lambda: free_run(t, jax_run[0], step)),
        ("init", lambda: initialises(t)),
        ("eval", lambda: evaluates(t)),
    ]


def accuracy(tools: Tools, work: Path) -> str:
    """init, train and eval of the digits CNN, each with the state that the one before saved."""
    from digits import load

    t = Training("digits_cnn", tools, work / "accuracy", TRAIN_STEPS)
    data = load(0)
    steps, rest = divmod(len(data.test_images), TEST_BATCH)
    assert not rest, "a batch would be cut short"
    t.compile(t.program.model, entries=t.entries((data.test_images[:TEST_BATCH],)))
    t.kept(t.init("init.st"))
    t.kept(t.train("train", 0, TRAIN_STEPS, "init.st", "trained.st"))
    out = t.kept(t.eval("trained.st", (data.test_images,), steps))
    right = (output(out, "result").argmax(-1) == data.test_labels).mean()
    if right < LEAST_ACCURACY:
        raise Failed(f"{100 * right:.1f} % of the test images, {100 * LEAST_ACCURACY:.0f} wanted")
    return f"{100 * right:.1f} % of the test images after {TRAIN_STEPS} steps"


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--program", action="append", choices=sorted(PROGRAMS))
    parser.add_argument("--accuracy", action="store_true")
    o = parser.parse_args()
    tools, checks = tools_of(o), Checks()
    for name in o.program or (() if o.accuracy else PROGRAMS):
        checks.in_order(name, compare(name, tools, o.work, o.steps))
    if o.accuracy:
        checks.check("digits_cnn: accuracy on the device", lambda: accuracy(tools, o.work))
    return checks.close(o.json)


if __name__ == "__main__":
    sys.exit(main())
