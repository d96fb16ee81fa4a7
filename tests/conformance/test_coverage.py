# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The judge of the conformance suite: what must be called wrong is."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import coverage  # noqa: E402

GOOD = coverage.Case("exp", "f32", "exp_case", ["f32"], "npu", "", "", 1.0, 1.0,
                     1e-7)


@pytest.fixture(scope="module")
def tolerances() -> coverage.Tolerances:
    return coverage.Tolerances()


def judged(case: coverage.Case, bounds: dict[str, dict[str, float]],
           tolerances: coverage.Tolerances) -> coverage.Case:
    copy = dataclasses.replace(case)
    coverage.judge(copy, bounds, tolerances)
    return copy


def test_within_bounds(tolerances: coverage.Tolerances) -> None:
    assert judged(GOOD, {"exp f32": {"ulps": 1}}, tolerances).status == "npu"


def test_beyond_the_bound(tolerances: coverage.Tolerances) -> None:
    bad = judged(GOOD, {"exp f32": {"ulps": 0.5}}, tolerances)
    assert bad.status == "wrong" and "1 ulp" in bad.reason


def test_without_a_bound_bits_are_equal(tolerances: coverage.Tolerances) -> None:
    assert judged(GOOD, {}, tolerances).status == "wrong"


def test_no_bound_excuses_what_jax_would_not(
        tolerances: coverage.Tolerances) -> None:
    far = dataclasses.replace(GOOD, tolerance=1e-3)
    bad = judged(far, {"exp f32": {"ulps": 1e9}}, tolerances)
    assert bad.status == "wrong" and "JAX" in bad.reason


def test_measured_bounds_leave_out_what_is_wrong(
        tolerances: coverage.Tolerances) -> None:
    far = dataclasses.replace(GOOD, tolerance=1e-3, ulps=5e4)
    assert coverage.measure([GOOD, far], tolerances) == {"exp f32": {"ulps": 1}}


def test_sums_count_by_the_largest_element(
        tolerances: coverage.Tolerances) -> None:
    cancelled = dataclasses.replace(GOOD, ulps=5000, scaled=2.5)
    assert coverage.measure([cancelled], tolerances) == {
        "exp f32": {"scaled": 3}}


@pytest.mark.parametrize("value,want", [(0, 0), (0.3, 0.5), (0.6, 1), (1, 1),
                                        (2.1, 3), (3.5, 4), (4.5, 6), (7, 8)])
def test_rounded_up(value: float, want: float) -> None:
    assert coverage.rounded_up(value) == want


def test_a_sample_does_not_narrow_bounds() -> None:
    old = {"exp f32": {"ulps": 3}, "dot f32": {"scaled": 2}}
    new = {"exp f32": {"ulps": 1}, "dot f32": {"scaled": 4}}
    assert coverage.merged(old, new) == {"exp f32": {"ulps": 3},
                                         "dot f32": {"scaled": 4}}


def test_worse_is_seen() -> None:
    old = {"exp f32": {"npu": 2, "refused": 1}}
    assert coverage.worse(old, {"exp f32": {"npu": 1, "cpu": 1,
                                            "refused": 1}}) == []
    assert coverage.worse(old, {"exp f32": {"npu": 1, "refused": 2}})
    assert coverage.worse(old, {"exp f32": {"npu": 2, "wrong": 1}})
    assert coverage.worse(old, {"exp f32": {"npu": 2, "crash": 1}})
    assert coverage.worse(old, {})
    assert coverage.worse({}, {"exp f32": {"wrong": 1}})
