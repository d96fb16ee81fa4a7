# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The judge of bad_input.py has to reject each way in which a tool can take bad input badly."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bad_input
import pytest
from bad_cases import Case, cuts, flips
from bad_input import judge, run

GOOD = "loomc: error: a.npy: shape 3, expected 4; pass an array of shape 4\n"


def case(**fields) -> Case:
    return Case("case", ["true"], words=("a.npy", "shape"), **fields)


def test_a_clear_refusal_passes():
    assert judge(case(), 1, GOOD, 10, False) == []


@pytest.mark.parametrize(
    ("status", "said", "memory", "late", "why"),
    [
        (0, "", 10, False, "was accepted"),
        (-11, GOOD, 10, False, "signal 11"),
        (134, GOOD, 10, False, "status 134"),
        (1, "", 10, False, "said nothing"),
        (1, GOOD * 4, 10, False, "said 4 lines"),
        (1, "error: b.npy: shape; pass another\n", 10, False, "does not say 'a.npy'"),
        (1, "error: a.npy: shape 3\n", 10, False, "no remedy"),
        (1, "loom run: /use/a.npy: shape 3\n", 10, False, "no remedy"),
        (1, GOOD + "at \ufffd", 10, False, "no text"),
        (1, GOOD + "at \x1b[31m", 10, False, "no text"),
        (1, GOOD + "Assertion `x' failed.\n", 10, False, "broke"),
        (1, GOOD + "terminate called after throwing\n", 10, False, "broke"),
        (1, GOOD + "error: std::bad_alloc\n", 10, False, "broke"),
        (1, GOOD.strip() + "x" * 2000, 10, False, "2000 characters"),
        (1, GOOD, 2000, False, "took 2000 MiB"),
        (-9, "", 10, True, "no end"),
    ],
)
def test_everything_else_fails(status, said, memory, late, why):
    assert any(why in wrong for wrong in judge(case(), status, said, memory, late))


def test_an_output_left_behind_fails(tmp_path):
    out = tmp_path / "out.loom"
    assert judge(case(absent=(out,)), 1, GOOD, 10, False) == []
    out.write_text("half")
    assert judge(case(absent=(out,)), 1, GOOD, 10, False) == ["left out.loom behind"]


def test_harmless_damage_may_succeed_but_not_crash():
    assert judge(case(may_succeed=True), 0, "", 10, False) == []
    assert judge(case(may_succeed=True), -6, "", 10, False)
    assert judge(case(may_succeed=True), 0, "AddressSanitizer: x", 10, False)


def test_run_sees_status_words_signal_and_time(monkeypatch):
    shell = [sys.executable, "-c"]
    status, said, memory, late = run(
        Case("", [*shell, "import sys; sys.exit('no')"]), dict(os.environ)
    )
    assert (status, said.strip(), late) == (1, "no", False) and memory > 1
    status, *_ = run(Case("", [*shell, "import os; os.abort()"]), dict(os.environ))
    assert status == -6
    monkeypatch.setattr(bad_input, "TIME_LIMIT", 0.3)
    *_, late = run(Case("", [*shell, "import time; time.sleep(30)"]), dict(os.environ))
    assert late


def test_flips_turn_one_bit_in_every_part():
    data = bytes(range(100))
    made = flips(data, 10, 0, begin=50)
    assert [at // 5 for at, _ in made] == list(range(10, 20))
    for at, changed in made:
        assert [i for i in range(100) if changed[i] != data[i]] == [at]
        assert bin(changed[at] ^ data[at]).count("1") == 1


def test_cuts_are_shorter():
    assert cuts(bytes(100)) == [1, 4, 9, 25, 50, 90, 99]
