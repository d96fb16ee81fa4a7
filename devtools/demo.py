# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""./dev demo: a Flax model from training to an interrupt, and back.

Train with JAX, export, compile, run the test images in-process and through
the kernel driver in a guest, then compare everything that must be equal."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import guest, host, kernel, loomrun, npy, qemu, setup, util
from .util import DevError, run, say

DEMO = util.BUILD / "demo"
TRAIN = DEMO / "train"
EXPORTER = "tests/e2e/export_digits.py"
TRAIN_SOURCES = ("examples/digits.py", EXPORTER, "umd/python/loom",
                 "umd/python/requirements.txt")
LEAST_ACCURACY = 0.97


@dataclasses.dataclass(frozen=True)
class Run:
    """What one backend made of all test images."""
    logits: bytes
    cycles: int
    utilisation: float
    jobs_driver: int
    jobs_device: int

    def hash(self) -> str:
        return hashlib.sha256(self.logits).hexdigest()


@dataclasses.dataclass
class Outcome:
    target: str
    jax_accuracy: float
    sim_accuracy: float
    guest_accuracy: float
    sim: Run
    guest: Run
    images: int
    seconds: dict[str, float]

    @property
    def bits_equal(self) -> bool:
        return self.sim.hash() == self.guest.hash()

    def as_json(self) -> dict[str, Any]:
        return {"jax_accuracy": self.jax_accuracy,
                "sim_accuracy": self.sim_accuracy,
                "guest_accuracy": self.guest_accuracy,
                "bits_equal": self.bits_equal,
                "cycles_sim": self.sim.cycles,
                "cycles_guest": self.guest.cycles,
                "utilisation": self.guest.utilisation,
                "jobs_driver": self.guest.jobs_driver,
                "jobs_device": self.guest.jobs_device}


class Clock:
    """Seconds a stage, for the table."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str, what: str) -> Iterator[None]:
        start = time.monotonic()
        with util.step(what):
            yield
        self.seconds[name] = round(time.monotonic() - start, 2)


# --- the stages -----------------------------------------------------------------

def inputs_digest(*names: str) -> str:
    parts: list[str | bytes] = []
    for name in names:
        path = util.ROOT / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        parts += [p.read_bytes() for p in files]
    return util.digest(*parts)


def train(fresh: bool) -> None:
    """The digits CNN, its export and JAX's own answers in build/demo/train."""
    stamp = TRAIN / "inputs"
    key = inputs_digest(*TRAIN_SOURCES)
    if not fresh and stamp.is_file() and stamp.read_text() == key:
        say("    trained already; nothing it is made from has changed")
        return
    run([setup.venv_python(), util.ROOT / EXPORTER, "--out",
         TRAIN, "--quiet"], "demo-train", env=setup.python_env(),
        append=False)
    stamp.write_text(key)


def compile_model(target: str) -> Path:
    program = DEMO / f"digits-{target}.loom"
    run([host.loomc(), TRAIN / "bundle", "--target", target, "-o", program],
        "demo-compile", append=False)
    return program


def interface() -> loomrun.Interface:
    return loomrun.Interface.of_bundle(TRAIN / "bundle")


def images() -> bytes:
    """All test images in one file; `loom run` cuts it into jobs."""
    return (TRAIN / "images.npy").read_bytes()


def taken(line: dict[str, Any], output: bytes) -> Run:
    """What one `loom run --json` said."""
    return Run(npy.parse(output).data, int(line["cycles"]),
               float(line["utilisation"]), int(line["jobs_driver"]),
               int(line["jobs_device"]))


def run_sim(program: Path, target: str) -> Run:
    model = interface()
    line, outputs = loomrun.in_process(
        program, model, {model.inputs[0]: images()}, DEMO / "sim",
        f"sim:{target}", batched=model.inputs[0])
    return taken(line, outputs[model.outputs[0]])


def run_guest(program: Path, target: str) -> Run:
    model = interface()
    with guest.Guest(loomrun.guest_config(target)) as g:
        g.load_driver()
        line, outputs = loomrun.in_guest(
            g, program, model, {model.inputs[0]: images()},
            batched=model.inputs[0])
        # The device's own register: neither driver nor library is asked.
        result = dataclasses.replace(taken(line, outputs[model.outputs[0]]),
                                     jobs_device=g.register("JOBS_RETIRED"))
        g.check()
    return result


def accuracy(logits: bytes) -> float:
    """Share of test images whose largest logit is the label's."""
    labels = npy.load(TRAIN / "labels.npy").values()
    values = npy.f32(logits)
    classes = len(values) // len(labels)
    right = 0
    for i, label in enumerate(labels):
        row = values[i * classes:(i + 1) * classes]
        right += row.index(max(row)) == label
    return right / len(labels)


def pipeline(target: str, fresh: bool) -> Outcome:
    clock = Clock()
    with clock.stage("setup", "setup"):
        setup.setup()
    with clock.stage("build", "build the tools, QEMU and the driver"):
        host.build()
        qemu.build()
        kernel.build_module(kernel.debian())
    with clock.stage("train", "train the digits CNN with Flax, export it"):
        train(fresh)
    with clock.stage("compile", f"compile it for {target}"):
        program = compile_model(target)
    with clock.stage("sim", "run the test images in-process"):
        sim = run_sim(program, target)
    with clock.stage("guest", "boot a guest, run them through loom.ko"):
        in_guest = run_guest(program, target)
    jax = accuracy(npy.load(TRAIN / "jax_logits.npy").data)
    count = npy.load(TRAIN / "images.npy").shape[0]
    return Outcome(target, jax, accuracy(sim.logits), accuracy(in_guest.logits),
                   sim, in_guest, count, clock.seconds)


# --- the table --------------------------------------------------------------------

def table(o: Outcome) -> str:
    rows = [
        ("", "JAX (CPU)", f"sim {o.target}", f"guest {o.target}"),
        ("accuracy", f"{o.jax_accuracy:.2%}", f"{o.sim_accuracy:.2%}",
         f"{o.guest_accuracy:.2%}"),
        ("cycles", "", f"{o.sim.cycles:,}", f"{o.guest.cycles:,}"),
        ("MXU utilisation", "", f"{o.sim.utilisation:.1%}",
         f"{o.guest.utilisation:.1%}"),
        ("jobs, driver", "", "", str(o.guest.jobs_driver)),
        ("jobs, device", "", "", str(o.guest.jobs_device)),
        ("SHA-256 of outputs", "", o.sim.hash()[:16], o.guest.hash()[:16]),
    ]
    widths = [max(len(r[c]) for r in rows) for c in range(4)]
    lines = ["  ".join(cell.ljust(w) if c == 0 else cell.rjust(w)
                       for c, (cell, w) in enumerate(zip(r, widths)))
             for r in rows]
    lines.insert(1, "-" * len(lines[0]))
    lines.append("")
    lines.append(f"{o.images} test images; outputs "
                 + ("equal bit for bit" if o.bits_equal else "DIFFER"))
    lines.append("seconds: " + ", ".join(f"{k} {v}"
                                         for k, v in o.seconds.items()))
    return "\n".join(lines)


def verify(o: Outcome) -> None:
    """The promises, each by name when it is broken."""
    broken = []
    if not o.bits_equal:
        broken.append("sim and guest give different bits")
    if o.sim.cycles != o.guest.cycles:
        broken.append(f"sim took {o.sim.cycles} cycles, guest {o.guest.cycles}")
    if not o.jax_accuracy == o.sim_accuracy == o.guest_accuracy:
        broken.append(f"accuracy: JAX {o.jax_accuracy}, sim {o.sim_accuracy}, "
                      f"guest {o.guest_accuracy}")
    if o.guest_accuracy < LEAST_ACCURACY:
        broken.append(f"accuracy {o.guest_accuracy} is under {LEAST_ACCURACY}")
    if o.guest.jobs_driver != o.guest.jobs_device or not o.guest.jobs_device:
        broken.append(f"loom.ko counted {o.guest.jobs_driver} jobs, the device "
                      f"{o.guest.jobs_device}")
    if broken:
        raise DevError("; ".join(broken))


def main(as_json: bool, target: str, fresh: bool) -> int:
    outcome = pipeline(target, fresh)
    say("\n" + table(outcome))
    if as_json:
        say(json.dumps(outcome.as_json()))
    verify(outcome)
    return 0
