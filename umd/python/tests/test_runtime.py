# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""loom.load, Program, Instance, Job, Device: the bits of `loom run`, and errors that help."""

from __future__ import annotations

import hashlib
import json
import threading

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import loom
from loom import Entry

RNG = np.random.default_rng(3)
X = RNG.standard_normal((8, 6), np.float32)
Y = RNG.standard_normal((8, 3), np.float32)
HALF = X.astype(ml_dtypes.bfloat16)
BITS = RNG.integers(0, 2, (5,)).astype(bool)
STATE = {"w": RNG.standard_normal((6, 3), np.float32), "count": np.int32(0)}


def train(state, x, y):
    error = x @ state["w"] - y
    w = state["w"] - 0.1 * (x.T @ error) / x.shape[0]
    return {"w": w, "count": state["count"] + 1}, (error**2).mean()


def both(state, x):
    return {"out": x @ state["w"], "count": state["count"]}


def typed(half, bits, scale):
    return {"half": half * 2, "bits": ~bits, "scale": scale + 1}


@pytest.fixture(scope="module")
def program(tmp_path_factory, tool):
    folder = tmp_path_factory.mktemp("runtime")
    entries = {
        "train": Entry.update(train, X, Y),
        "both": Entry.read(both, X),
        "typed": Entry.call(typed, HALF, BITS, jnp.int32(1)),
    }
    loom.export(None, entries=entries, state=STATE, path=folder / "m.bundle")
    tool("loomc", folder / "m.bundle", "-o", folder / "m.loom")
    return folder / "m.loom"


@pytest.fixture
def model(program):
    return loom.load(program, "sim").instance()


def hashes(tool, program, entry, inputs, folder, *more):
    """What `loom run` says of its outputs: sha256 by name."""
    args = []
    for name, value in inputs.items():
        file = folder / f"{name}.npy"
        np.save(file, value.view(np.uint16) if value.dtype == ml_dtypes.bfloat16 else value)
        args += ["--input", f"{name}={file}"]
    out = tool("loom", "run", program, "--device", "sim", "--entry", entry, "--json", *args, *more)
    told = json.loads(out.splitlines()[-1])
    return {o["name"]: o["sha256"] for o in told["outputs"]}, told


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_same_bits_and_cycles_as_loom_run(program, model, tool, tmp_path):
    told, numbers = hashes(tool, program, "typed", {"half": HALF, "bits": BITS, "scale": np.asarray(1, "i4")}, tmp_path)
    job = model.submit("typed", HALF, BITS, 1)
    out = job.wait()
    assert {k: sha(v) for k, v in out.items()} == told
    assert (job.cycles, job.cpu_cycles) == (numbers["cycles"], numbers["cpu_cycles"])
    assert (job.instructions, job.segments) == (numbers["instructions"], numbers["segments"])
    assert job.utilisation == numbers["utilisation"]
    assert out["result/half"].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(out["result/bits"], ~BITS)
    assert out["result/scale"].shape == ()


def test_training_and_state_as_loom_run(program, model, tool, tmp_path):
    saved = tmp_path / "s.safetensors"
    told, _ = hashes(tool, program, "train", {"x": X, "y": Y}, tmp_path, "--steps", "5", "--save", saved)
    losses = [model.train(X, Y) for _ in range(5)]
    assert sha(np.stack(losses)) == told["result"]
    assert losses[-1] < losses[0]
    from safetensors.numpy import load_file

    state = model.read_state()
    file = load_file(saved)
    assert file.keys() == state.keys() == {"w", "count"}
    for path in file:
        np.testing.assert_array_equal(state[path], file[path])
    assert state["count"] == 5
    np.testing.assert_array_equal(model.read_state("w"), file["w"])


def test_write_state_and_reset(model):
    np.testing.assert_array_equal(model.read_state("w"), STATE["w"])
    model.write_state({"w": np.zeros((6, 3), np.float32), "count": 7})
    out = model.both(X)
    np.testing.assert_array_equal(out["result/out"], np.zeros((8, 3), np.float32))
    assert out["result/count"] == 7
    model.reset()
    np.testing.assert_array_equal(model.read_state("w"), STATE["w"])


def test_instances_share_no_state(program):
    shared = loom.load(program, "sim")
    one, other = shared.instance(), shared.instance()
    one.train(X, Y)
    assert one.read_state("count") == 1
    assert other.read_state("count") == 0


def test_jobs_in_order_and_by_path(model):
    jobs = [model.submit("train", X, **{"y": Y}) for _ in range(20)]
    count = model.both(X)["result/count"]
    assert count == 20
    losses = [job.wait() for job in jobs]
    assert all(a > b for a, b in zip(losses, losses[1:], strict=False))
    assert all(job.done() for job in jobs)
    np.testing.assert_array_equal(jobs[3].wait(), losses[3])


def test_arrays_may_change_after_submit(model):
    x = X.copy()
    job = model.submit("both", x)
    x[:] = np.nan
    np.testing.assert_array_equal(job.wait()["result/out"], model.both(X)["result/out"])


def test_threads(program):
    shared = loom.load(program, "sim")
    model = shared.instance()
    threads = [
        threading.Thread(target=lambda: [model.train(X, Y) for _ in range(10)]) for _ in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert model.read_state("count") == 40


def test_what_a_program_says(program):
    p = loom.load(program, "sim")
    assert list(p.entries) == ["train", "both", "typed"]
    entry = p.entry("train")
    assert str(entry) == "train(x: float32[8, 6], y: float32[8, 3]) -> result: float32[]"
    assert set(entry.state) == {"w", "count"}
    assert entry.cycles > 0 and entry.macs >= 2 * 8 * 6 * 3
    assert p.state["w"].shape == (6, 3)
    assert (p.target.rows, p.target.cols, p.device.name) == (16, 16, "sim")
    assert "train, both, typed" in repr(p)


BAD_CALLS = {
    "missing": (lambda m: m.train(X), "not given: y: float32[8, 3]"),
    "too many": (lambda m: m.train(X, Y, Y), "takes 2 arrays, but 3"),
    "type": (lambda m: m.train(X, Y.astype(float)), "x.astype('float32')"),
    "shape": (lambda m: m.train(X, Y[:3]), "y has shape (8, 3), but the array given (3, 3)"),
    "unknown": (lambda m: m.call("train", X, z=Y), "no input 'z'"),
    "twice": (lambda m: m.call("train", X, Y, x=X), "given twice"),
    "entry": (lambda m: m.call("nothing"), "it has: train, both, typed"),
    "no default": (lambda m: m(X), "no entry point '__call__'"),
    "number": (lambda m: m.typed(HALF, BITS, 1 << 40), "scale"),
    "state": (lambda m: m.read_state("v"), "no state 'v'"),
    "state shape": (lambda m: m.write_state({"w": X}), "w has shape (6, 3)"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call(model, name):
    call, text = BAD_CALLS[name]
    with pytest.raises(loom.ArgumentError) as e:
        call(model)
    assert text in str(e.value) and "\n" not in str(e.value)
    assert model.read_state("count") == 0


def test_unknown_method(model):
    with pytest.raises(AttributeError, match="no 'fit'; its entry points: train, both"):
        model.fit(X)


BAD_LOADS = {
    "no file": ("nothing.loom", "sim", loom.ProgramError, "No such file"),
    "bundle": ("m.bundle", "sim", loom.ProgramError, "loomc"),
    "no program": ("m.bundle/model.json", "sim", loom.ProgramError, "loomc"),
    "smaller device": ("m.loom", "sim:npu8", loom.ProgramError, "--target"),
    "target": ("m.loom", "sim:npu7", loom.DeviceError, "npu8, npu16"),
    "node": ("m.loom", "/dev/accel/accel77", loom.DeviceError, "no such device"),
    "spec": ("m.loom", "gpu", loom.DeviceError, "sim, sim:TARGET or /dev/accel"),
}


@pytest.mark.parametrize("name", BAD_LOADS)
def test_bad_load(program, name):
    file, device, kind, text = BAD_LOADS[name]
    with pytest.raises(kind) as e:
        loom.load(program.parent / file, device)
    assert text in str(e.value) and e.value.code < 0 and "\n" not in str(e.value)


def test_damaged_program(program, tmp_path):
    data = bytearray(program.read_bytes())
    data[500] ^= 1
    (tmp_path / "bad.loom").write_bytes(data)
    with pytest.raises(loom.ProgramError, match="CRC|checksum|damaged"):
        loom.load(tmp_path / "bad.loom", "sim")


def test_device_from_the_environment(program, monkeypatch):
    monkeypatch.setenv("LOOM_DEVICE", "sim:npu64")
    assert loom.load(program).device.target.rows == 64
    monkeypatch.setenv("LOOM_DEVICE", "/dev/accel/accel77")
    with pytest.raises(loom.DeviceError, match="accel77"):
        loom.load(program)
    monkeypatch.delenv("LOOM_DEVICE")
    assert loom.load(program).device.name in ("sim", "/dev/accel/accel0")


def test_closed_device(program):
    with loom.Device("sim") as device:
        model = loom.load(program, device).instance()
        model.train(X, Y)
        assert device.stats().jobs_device == 1
        assert "64 x 64" in repr(device)
    assert "closed" in repr(device)
    with pytest.raises(loom.DeviceError, match="closed"):
        device.stats()


FAILING = """
import sys, numpy as np, loom
m = loom.load(sys.argv[1], "sim").instance()
x = np.eye(4, dtype="f8")
try:
    m(x)
except loom.JobError as e:
    print(e.fault, e.code, e.segment, str(e))
try:
    m(x)
except loom.JobError as e:
    print("lost", e.code)
m.reset()
print(m(x).sum())
"""


def test_failed_job_and_reset(tmp_path, tool, python):
    """A CPU operation that ends with TRAP: the message names it, the instance is lost until reset."""
    import jax

    with jax.enable_x64(True):
        loom.export(lambda x: x + 1, (np.eye(4),), path=tmp_path / "f.bundle")
    tool("loomc", tmp_path / "f.bundle", "-o", tmp_path / "f.loom")
    done = python(FAILING, str(tmp_path / "f.loom"), LOOM_CPU_FAIL="0.0")
    assert done.returncode == 0, done.stderr
    first, lost, after = done.stdout.splitlines()
    assert first.startswith("TRAP -5 0 ") and "test_runtime.py" in first
    assert lost == "lost -5"
    assert float(after) == 20.0
