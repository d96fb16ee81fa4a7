# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The comparison itself: what passes, and that everything else fails."""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import pytest
from compare import accuracy, compare, compare_model
from paths import load_tensor, save_tensor
from run import break_one_weight

BASE = np.array([[1.0, -50.0], [100.0, 0.0]], np.float32)


def off_by(error: float) -> np.ndarray:
    """BASE with its smallest element wrong by `error` of the largest."""
    wrong = BASE.copy()
    wrong[1, 1] += error * 100
    return wrong


@pytest.mark.parametrize(("dtype", "limit"), [("f32", 1e-4), ("bf16", 2e-2)])
def test_floats_are_held_to_the_largest_element(dtype, limit):
    assert compare(BASE, BASE, dtype).same
    assert compare(off_by(limit * 0.9), BASE, dtype).same
    beyond = compare(off_by(limit * 1.1), BASE, dtype)
    assert not beyond.same and "(1, 1)" in beyond.text
    assert beyond.error == pytest.approx(limit * 1.1, rel=1e-3)


def test_bf16_may_differ_as_much_as_jax_from_itself():
    off = off_by(2.4e-2)
    assert not compare(off, BASE, "bf16").same
    assert not compare(off, BASE, "bf16", jax_to_itself=1.8e-2).same
    assert compare(off, BASE, "bf16", jax_to_itself=2.0e-2).same
    assert not compare(off, BASE, "f32", jax_to_itself=1.0).same


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_stay_in_their_places(special):
    one = BASE.copy()
    one[0, 1] = special
    other = BASE.copy()
    other[1, 0] = special
    assert compare(one, one, "f32").same
    assert not compare(one, BASE, "f32").same
    assert not compare(BASE, one, "f32").same
    assert not compare(one, other, "f32").same
    wrong = one.copy()
    wrong[0, 0] = 2.0
    assert not compare(wrong, one, "f32").same


def test_infinities_of_other_sign_differ():
    assert not compare(np.array([np.inf], np.float32), np.array([-np.inf], np.float32), "f32").same


def test_zero_reference_allows_nothing():
    zero = np.zeros(3, np.float32)
    assert compare(zero, zero, "f32").same
    assert not compare(zero + np.float32(1e-30), zero, "f32").same


def test_integers_are_exact():
    a = np.array([1, 2, 3], np.int32)
    assert compare(a, a, "i32").same
    verdict = compare(a + np.array([0, 0, 1], np.int32), a, "i32")
    assert not verdict.same and "(2,)" in verdict.text
    assert not compare(a.astype(np.int64), a, "i32").same


def test_shapes_and_types_must_agree():
    assert not compare(BASE.reshape(4), BASE, "f32").same
    assert not compare(BASE.astype(np.int32), BASE, "f32").same
    with pytest.raises(ValueError, match="f64"):
        compare(BASE, BASE, "f64")


def test_bfloat16_bits(tmp_path):
    import ml_dtypes

    value = np.array([1.5, -2.0, 3e38], ml_dtypes.bfloat16)
    file = save_tensor(tmp_path, "a/b", value)
    assert np.load(file).dtype == np.uint16
    np.testing.assert_array_equal(load_tensor(file, "bf16"), value.astype(np.float32))


def test_accuracy_counts_nan_rows_as_wrong():
    logits = np.array([[0, 1], [1, 0], [np.nan, 0]], np.float32)
    assert accuracy(logits, np.array([1, 1, 0])) == pytest.approx(1 / 3)


def model_of(tmp_path, value, path="result"):
    save_tensor(tmp_path / "expected", path, value)
    row = {"path": path, "dtype": "f32", "shape": list(value.shape)}
    (tmp_path / "meta.json").write_text(json.dumps({"outputs": [row]}))
    return tmp_path


def test_missing_output_is_a_difference(tmp_path):
    model = model_of(tmp_path, BASE)
    verdict = compare_model(model, tmp_path / "none")["result"]
    assert not verdict.same and "not written" in verdict.text


def test_outputs_of_a_tree_lie_flat(tmp_path):
    model = model_of(tmp_path, BASE, "result/logits")
    save_tensor(tmp_path / "out", "result.logits", BASE)
    assert compare_model(model, tmp_path / "out")["result/logits"].same


def test_command_line(tmp_path):
    tool = Path(__file__).with_name("compare.py")
    model = model_of(tmp_path, BASE)

    def status(*words) -> int:
        return subprocess.run([sys.executable, tool, *words], capture_output=True).returncode

    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right_file = save_tensor(right, "result", BASE)
    wrong_file = save_tensor(wrong, "result", BASE * 1.01)
    assert status("--model", model, "--outputs", right) == 0
    assert status("--model", model, "--outputs", wrong) == 1
    assert status(right_file, right_file) == 0
    assert status(right_file, wrong_file) == 1
    assert status(right_file, tmp_path / "absent.npy") == 2
    assert status(right_file) == 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_breaking_a_weight_changes_one_element(tmp_path, dtype):
    import ml_dtypes  # noqa: F401  gives numpy the name bfloat16
    from safetensors.numpy import load_file, save_file

    weights = np.array([[1, -128], [3, 4]]).astype(dtype)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    save_file(
        {"params/w": weights, "params/b": np.ones(2, np.float32)}, bundle / "params.safetensors"
    )
    rows = [
        {"path": "params/b", "role": "param", "shape": [2]},
        {"path": "params/w", "role": "param", "shape": [2, 2]},
    ]
    (bundle / "model.json").write_text(json.dumps({"entry_points": [{"inputs": rows}]}))
    assert break_one_weight(bundle, tmp_path / "copy") == "params/w[1]"
    broken = load_file(tmp_path / "copy" / "params.safetensors")
    expected = weights.copy()
    expected[0, 1] = 127 if dtype == "int8" else 128
    np.testing.assert_array_equal(broken["params/w"], expected)
    np.testing.assert_array_equal(broken["params/b"], np.ones(2, np.float32))
