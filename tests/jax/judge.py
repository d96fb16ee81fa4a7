# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does a program say on Loom what it says on the CPU?

    step N  loss X     the first 20 within 1e-3 (of the loss, where it is above 1, unless asked
                       otherwise); the last no further than 3 times what the CPU's own last moves
                       when the initial parameters change by 2e-7
    value NAME X       within 1e-5, relative
    accuracy X         within 1e-2, or 3 times what the CPU's own moves
    tokens ...         equal, where the CPU's own are the same after every nudge

Other lines are for people.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from spread import FLOOR, SPREAD

FIRST, FIRST_ERROR, VALUE_ERROR, SHARE_ERROR = 20, 1e-3, 1e-5, 1e-2
PRINTED = 1e-7  # losses have seven decimals
LOSS = re.compile(r"^step +(\d+) +loss (\S+)$")
VALUE = re.compile(r"^value (\S+) (\S+)$")
SHARE = re.compile(r"^(accuracy|bits a character) (\S+)$")


@dataclass
class Said:
    """What one run of a program printed."""

    losses: list[float] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)

    @staticmethod
    def of(text: str) -> Said:
        said = Said()
        for line in text.splitlines():
            if found := LOSS.match(line):
                said.losses.append(float(found[2]))
            elif found := VALUE.match(line):
                said.values[found[1]] = float(found[2])
            elif found := SHARE.match(line):
                said.shares[found[1]] = float(found[2])
            elif line.startswith("tokens "):
                said.tokens.append(line)
        return said


def runs(text: str) -> list[Said]:
    """The run as it stands, then the nudged ones."""
    return [Said.of(part) for part in re.split(r"^== nudge \d+$", text, flags=re.M)]


def moved(cpu: Said, nudged: list[Said]) -> float:
    """How far the CPU's own last loss is from itself, by a nudge; not less than its rounding."""
    last = cpu.losses[-1]
    return max(FLOOR * abs(last), *(abs(n.losses[-1] - last) for n in nudged))


def wrong_losses(loom: Said, cpu: Said, nudged: list[Said], absolute: bool) -> str:
    if len(loom.losses) != len(cpu.losses):
        return f"{len(loom.losses)} losses, {len(cpu.losses)} expected"
    have, want = np.array(loom.losses), np.array(cpu.losses)
    apart = np.abs(have - want)
    first = FIRST_ERROR * (1 if absolute else np.maximum(1, np.abs(want[:FIRST])))
    # Not the other way round: a NaN is not within anything.
    if not (apart[:FIRST] <= first).all():
        k = int(np.argmax(~(apart[:FIRST] <= first)))
        return f"step {k}: loss {have[k]:.7f}, CPU {want[k]:.7f}: {apart[k]:.2g} apart"
    limit = SPREAD * moved(cpu, nudged) + PRINTED
    if not apart[-1] <= limit:
        return (
            f"last loss {have[-1]:.7f}, CPU {want[-1]:.7f}: {apart[-1]:.2g} apart, "
            f"{limit:.2g} allowed"
        )
    return ""


def wrong_numbers(loom: Said, cpu: Said, nudged: list[Said]) -> str:
    if loom.values.keys() != cpu.values.keys() or loom.shares.keys() != cpu.shares.keys():
        return "other values than on the CPU were printed"
    for name, want in cpu.values.items():
        if not abs(loom.values[name] - want) <= VALUE_ERROR * max(abs(want), 1e-3):
            return f"{name} is {loom.values[name]:.9g}, CPU {want:.9g}"
    for name, want in cpu.shares.items():
        spread = max((abs(n.shares[name] - want) for n in nudged), default=0.0)
        if not abs(loom.shares[name] - want) <= max(SHARE_ERROR, SPREAD * spread):
            return f"{name} is {loom.shares[name]:.4f}, CPU {want:.4f}"
    if all(n.tokens == cpu.tokens for n in nudged) and loom.tokens != cpu.tokens:
        return "other tokens than on the CPU"
    return ""


def wrong(loom: Said, cpu: Said, nudged: list[Said], absolute: bool = False) -> str:
    """Empty, or what differs; absolute: the first losses within 1e-3, however large they are."""
    if not (cpu.losses or cpu.values or cpu.tokens):
        return "the program printed nothing that can be compared"
    if cpu.losses:
        if not nudged:
            raise ValueError("a training run is judged by nudged runs; there is none")
        if text := wrong_losses(loom, cpu, nudged, absolute):
            return text
    return wrong_numbers(loom, cpu, nudged)


def summary(loom: Said, cpu: Said, nudged: list[Said]) -> str:
    parts = []
    if cpu.losses:
        apart = np.abs(np.array(loom.losses) - np.array(cpu.losses))
        parts.append(
            f"{len(apart)} losses, the first {min(FIRST, len(apart))} within "
            f"{apart[:FIRST].max():.1e}, the last {apart[-1]:.1e} (the CPU's own moves "
            f"{moved(cpu, nudged):.1e})"
        )
    if cpu.values:
        parts.append(f"{len(cpu.values)} values")
    if cpu.tokens:
        parts.append(f"{sum(len(t.split()) - 1 for t in cpu.tokens)} tokens")
    return ", ".join(parts)
