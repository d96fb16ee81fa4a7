#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package loom on the driver, without JAX: Device, load, Program, Instance, Job on /dev/accel/accel0, held against
an NPU in the same process; what is refused; what doctor says of the node.

runtime.py --export BUNDLE (on the host, with JAX); runtime.py PROGRAM (in a guest, as root)."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import loom
from loom import doctor

NODE = "/dev/accel/accel0"
NOBODY = 65534
RNG = np.random.default_rng(5)
X = RNG.standard_normal((8, 6), np.float32)
Y = RNG.standard_normal((8, 3), np.float32)
WIDE = RNG.standard_normal(40)  # of f64: for the CPU engine, which is in the kernel
STATE = {"w": RNG.standard_normal((6, 3), np.float32), "count": np.int32(0)}
CHECKS: list[Callable[[Path], None]] = []


def check(function: Callable[[Path], None]) -> Callable[[Path], None]:
    CHECKS.append(function)
    return function


def export(bundle: Path) -> None:
    import jax
    import jax.numpy as jnp

    def train(state: Any, x: Any, y: Any) -> Any:
        error = x @ state["w"] - y
        w = state["w"] - 0.1 * (x.T @ error) / x.shape[0]
        return {"w": w, "count": state["count"] + 1}, (error**2).mean()

    def both(state: Any, x: Any) -> Any:
        return {"out": x @ state["w"], "count": state["count"]}

    def wide(x: Any) -> Any:
        return jnp.sort(x) * 2

    with jax.enable_x64(True):
        entries = {"train": loom.Entry.update(train, X, Y), "both": loom.Entry.read(both, X),
                   "wide": loom.Entry.call(wide, WIDE)}
        loom.export(None, entries=entries, state=STATE, path=bundle)


def raises(kind: type[loom.LoomError], text: str, function: Callable[[], Any]) -> None:
    try:
        function()
    except kind as e:
        assert text in str(e) and "\n" not in str(e), e
    else:
        raise AssertionError(f"nothing was raised, where {kind.__name__} with {text!r} was expected")


def as_nobody(code: Callable[[], str]) -> str:
    """What a function gives in a process that may not open the node."""
    out, into = os.pipe()
    if not (pid := os.fork()):
        try:
            os.setgroups([])
            os.setuid(NOBODY)
            os.write(into, code().encode())
        except Exception:
            os.write(into, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return text


@check
def the_node_is_the_default(program: Path) -> None:
    with loom.Device() as device:
        assert device.name == NODE, device
        assert (device.target.rows, device.target.cols) == (16, 16), device.target
        assert device.target == loom.Device("sim:npu16").target
    assert loom.load(program).device.name == NODE


@check
def same_bits_and_cycles(program: Path) -> None:
    """Five steps and what follows them; in segments of both engines."""
    here, there = loom.load(program, "sim").instance(), loom.load(program, NODE).instance()
    for name, arrays in (*[("train", (X, Y))] * 5, ("both", (X,)), ("wide", (WIDE,))):
        a, b = here.submit(name, *arrays), there.submit(name, *arrays)
        for want, have in zip(leaves(a.wait()), leaves(b.wait()), strict=True):
            assert have.dtype == want.dtype and have.tobytes() == want.tobytes(), name
        assert (a.cycles, a.cpu_cycles, a.segments) == (b.cycles, b.cpu_cycles, b.segments), name
        assert a.utilisation == b.utilisation
    np.testing.assert_array_equal(there.wide(WIDE), np.sort(WIDE) * 2)
    for path, value in here.read_state().items():
        assert there.read_state(path).tobytes() == value.tobytes(), path


def leaves(value: Any) -> list[np.ndarray]:
    return [value[k] for k in sorted(value)] if isinstance(value, dict) else [value]


@check
def state_is_the_instances(program: Path) -> None:
    shared = loom.load(program, NODE)
    one, other = shared.instance(), shared.instance()
    one.train(X, Y)
    assert one.read_state("count") == 1 and other.read_state("count") == 0
    one.write_state({"w": np.zeros((6, 3), np.float32), "count": 7})
    out = one.both(X)
    assert out["result/count"] == 7 and not out["result/out"].any()
    one.reset()
    assert one.read_state("w").tobytes() == STATE["w"].tobytes()
    raises(loom.ArgumentError, "no state 'v'", lambda: one.read_state("v"))


@check
def jobs_in_order_from_threads(program: Path) -> None:
    model = loom.load(program, NODE).instance()
    jobs = [model.submit("train", X, Y) for _ in range(10)]
    losses = [float(job.wait()) for job in jobs]
    assert all(a > b for a, b in zip(losses, losses[1:], strict=False)), losses
    assert all(job.done() for job in jobs)
    threads = [threading.Thread(target=lambda: [model.train(X, Y) for _ in range(5)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert model.read_state("count") == 30


@check
def the_driver_counts(program: Path) -> None:
    with loom.Device(NODE) as device:
        before = device.stats()
        model = loom.load(program, device).instance()
        jobs = [model.submit("train", X, Y), model.submit("wide", WIDE)]
        for job in jobs:
            job.wait()
        after = device.stats()
    segments = sum(job.segments for job in jobs)
    ran = after.jobs_driver - before.jobs_driver + after.cpu_segments - before.cpu_segments
    assert ran == segments > 0, (before, after, segments)
    assert after.cycles > before.cycles and after.jobs_faulted == before.jobs_faulted


@check
def what_cannot_be_is_refused(program: Path) -> None:
    raises(loom.DeviceError, "accel77: no such device", lambda: loom.Device("/dev/accel/accel77"))
    raises(loom.DeviceError, "/dev/null", lambda: loom.Device("/dev/null"))
    raises(loom.ProgramError, "No such file", lambda: loom.load("nothing.loom", NODE))
    damaged = Path("/tmp/damaged.loom")
    data = bytearray(program.read_bytes())
    data[500] ^= 1
    damaged.write_bytes(data)
    raises(loom.ProgramError, "damaged.loom", lambda: loom.load(damaged, NODE))
    model = loom.load(program, NODE).instance()
    raises(loom.ArgumentError, "not given: y", lambda: model.train(X))
    device = loom.Device(NODE)
    device.close()
    raises(loom.DeviceError, "closed", lambda: device.stats())


@check
def a_node_that_may_not_be_opened(program: Path) -> None:
    def open_it() -> str:
        try:
            loom.Device(NODE)
        except loom.DeviceError as e:
            return str(e)
        return "it was opened"

    mode = os.stat(NODE).st_mode
    os.chmod(NODE, 0o600)
    try:
        refused = as_nobody(open_it)
        assert f"{NODE}: no permission; join the group render" in refused, refused
        told = as_nobody(lambda: "\n".join(map(str, doctor.nodes())))
    finally:
        os.chmod(NODE, mode)
    assert told.startswith(f"FAIL  {NODE} ") and "may not be opened; run: sudo usermod -aG render" in told, told


@check
def doctor_sees_the_driver(program: Path) -> None:
    (node,) = doctor.nodes()
    assert (node.what, node.state) == (NODE, doctor.OK), node
    version = node.found.removeprefix("driver loom ")
    assert [part.isdigit() for part in version.split(".")] == [True] * 3, node
    (chosen,) = doctor.chosen()
    assert chosen.state == doctor.OK and chosen.found.startswith(f"{NODE}: 16 x 16 array"), chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, nargs="?")
    parser.add_argument("--export", type=Path)
    options = parser.parse_args()
    if options.export:
        export(options.export)
        return 0
    failed = 0
    for function in CHECKS:
        try:
            function(options.program)
            print(f"ok   {function.__name__}", flush=True)
        except Exception:
            failed += 1
            text = traceback.format_exc().strip().splitlines()
            print(f"FAIL {function.__name__}: {text[-1]}\n" + "\n".join("     " + t for t in text), flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
