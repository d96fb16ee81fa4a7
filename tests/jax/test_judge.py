# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The judge of programs: what must differ is seen to differ."""

from __future__ import annotations

import copy

from judge import Said, runs, wrong

TEXT = "\n".join(
    [f"step {i:4d}  loss {2.0 - i / 20:.7f}" for i in range(25)]
    + ["value mean 0.5", "accuracy 0.9700", "tokens 1 2 3", "a line for people"]
)


def said() -> tuple[Said, list[Said]]:
    cpu = Said.of(TEXT)
    near = copy.deepcopy(cpu)
    near.losses = [loss * (1 + 1e-6) for loss in cpu.losses]
    return cpu, [near, copy.deepcopy(near)]


def test_reads() -> None:
    parts = runs(f"{TEXT}\n== nudge 0\n{TEXT}\n== nudge 1\n{TEXT}\n")
    assert len(parts) == 3 and parts[0] == parts[1] == parts[2] == Said.of(TEXT)
    cpu = parts[0]
    assert len(cpu.losses) == 25 and cpu.values == {"mean": 0.5}
    assert cpu.shares == {"accuracy": 0.97} and cpu.tokens == ["tokens 1 2 3"]


def test_equal() -> None:
    cpu, nudged = said()
    assert wrong(copy.deepcopy(cpu), cpu, nudged) == ""


def test_losses() -> None:
    cpu, nudged = said()
    for step, by, word in ((3, 2.1e-3, "step 3"), (24, 1e-4, "last loss"), (5, float("nan"), "step 5")):
        loom = copy.deepcopy(cpu)
        loom.losses[step] += by
        assert word in wrong(loom, cpu, nudged)
    loom = copy.deepcopy(cpu)
    loom.losses[22] += 1.0  # neither of the first nor the last
    assert wrong(loom, cpu, nudged) == ""
    loom.losses.pop()
    assert "24 losses" in wrong(loom, cpu, nudged)


def test_a_last_loss_is_judged_by_last_losses() -> None:
    cpu, nudged = said()
    nudged[0].losses[23] += 0.5
    loom = copy.deepcopy(cpu)
    loom.losses[24] += 1e-4
    assert "last loss" in wrong(loom, cpu, nudged)
    nudged[1].losses[24] -= 4e-5
    assert wrong(loom, cpu, nudged) == ""


def test_absolute() -> None:
    cpu, nudged = said()
    loom = copy.deepcopy(cpu)
    loom.losses[0] += 1.5e-3  # of 2.0
    assert wrong(loom, cpu, nudged) == ""
    assert "step 0" in wrong(loom, cpu, nudged, absolute=True)


def test_values() -> None:
    cpu, nudged = said()
    for change, word in (
        ({"values": {"mean": 0.50001}}, "mean"),
        ({"values": {}}, "other values"),
        ({"shares": {"accuracy": 0.95}}, "accuracy"),
        ({"tokens": ["tokens 1 2 4"]}, "tokens"),
    ):
        loom = copy.deepcopy(cpu)
        for name, value in change.items():
            setattr(loom, name, value)
        assert word in wrong(loom, cpu, nudged)


def test_tokens_that_a_nudge_changes() -> None:
    cpu, nudged = said()
    nudged[0].tokens = ["tokens 9"]
    loom = copy.deepcopy(cpu)
    loom.tokens = ["tokens 1 2 4"]
    assert wrong(loom, cpu, nudged) == ""


def test_nothing_to_compare() -> None:
    assert "nothing" in wrong(Said(), Said(), [])
