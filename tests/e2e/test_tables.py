# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of docs/results/models.md: every number is a row's, and nothing is left out."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
from paths import ROOT
from run import REFUSAL
from tables import BEGIN, END, replaced, tables

RAN = {
    "model": "net",
    "real_size": "Net, 224 x 224",
    "dtype": "f32",
    "target": "npu16",
    "error": 7.04e-7,
    "cycles": 1500,
    "roofline": 1000,
    "code_bytes": 64000,
    "sram_peak": 210,
    "sram_live_bound": 200,
    "bytes": 11280,
    "bandwidth": 0.94,
    "passed": True,
}


def result(*rows: dict) -> dict:
    counts = {"real_size": list(rows)}
    host = {"commit": "0123456789ab", "cpu": "C", "cpus": 2}
    return {**host, "passed": 3, "failed": 1, "counts": counts}


def test_a_row_says_what_was_measured():
    text = tables(result(RAN))
    row = "| Net, 224 x 224 | f32 | npu16 | 7.0e-7 | - | 1,500 | 1,000 | 1.500 | 1.05 | 2,000 |"
    assert row in text
    assert "Commit 0123456" in text and "1 failed" in text


def test_recurrent_networks_are_measured_by_bandwidth():
    text = tables(result({**RAN, "real_size": "LSTM", "jax_to_itself": 0.012}))
    assert "| LSTM | f32 | npu16 | 7.0e-7 | 1.2e-2 | 1,500 | 11,280 | 94 % |" in text
    assert "1.500" not in text


def test_refusals_and_failures_are_shown():
    base = {key: RAN[key] for key in ("model", "real_size", "dtype", "target")}
    text = tables(result({**base, "refused": "too small"}, {**base, "why": "wrong"}))
    assert "| npu16 | `too small` |" in text
    assert "FAILED" in text and "| npu16 | `wrong` |" in text
    text = tables(result({**RAN, "why": "error 0.1 of 0.02"}))
    assert "| 7.0e-7 FAILED |" in text and "`error 0.1 of 0.02`" in text


def test_only_what_is_between_the_marks_is_replaced():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no <!-- tables"):
        replaced("before", "new")


def test_the_page_has_the_numbers_of_the_last_run():
    folder = ROOT / "docs" / "results"
    page = (folder / "models.md").read_text()
    assert replaced(page, tables(json.loads((folder / "zoo.json").read_text()))) == page


@pytest.mark.parametrize(
    "text",
    [
        "loomc: error: the program has more than 524288 units of code: split the model",
        "loomc: error: zoo.py:9:1: Net/Dense_0: the program has too much code",
        "loomc: error: out of memory",
    ],
)
def test_a_refusal_has_to_name_layer_and_remedy(text):
    assert not REFUSAL.search(text)
    assert REFUSAL.search("zoo.py:9:1: Net/Dense_0: too much code: choose a target with more SRAM")
