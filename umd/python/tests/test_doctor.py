# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m loom doctor`: exit status, remedies, JSON."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import environment


def doctor(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loom", "doctor", *args],
        env=environment("", env),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_nothing_is_missing(tmp_path):
    done = doctor(LOOM_DEVICE="sim", LOOM_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "nothing is missing"
    for word in ("PJRT API 0.", "16 x 16 array", "adds 1 to 1.0", str(tmp_path / "cache")):
        assert word in done.stdout


def test_json(tmp_path):
    done = doctor("--json", LOOM_DEVICE="sim", LOOM_CACHE_DIR=str(tmp_path))
    told = json.loads(done.stdout)
    assert told["ok"] is True and done.returncode == 0
    assert {f["what"] for f in told["findings"]} >= {"jax", "plugin library", "device", "JAX"}
    assert all(f["remedy"] for f in told["findings"] if f["state"] == "fail")


TROUBLE = {
    "library": ({"LOOM_LIBRARY": "/nothing.so"}, "plugin library"),
    "device": ({"LOOM_DEVICE": "/dev/accel/accel77"}, "device"),
    "target": ({"LOOM_DEVICE": "sim:npu9"}, "device"),
    "twice": ({"PJRT_NAMES_AND_LIBRARY_PATHS": "loom:/x.so"}, "PJRT_NAMES_AND_LIBRARY_PATHS"),
    "cache": ({"LOOM_CACHE_DIR": "/dev/null/loom"}, "compile cache"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_has_a_remedy(name):
    env, what = TROUBLE[name]
    done = doctor("--json", **env)
    assert done.returncode == 1
    failed = {f["what"]: f for f in json.loads(done.stdout)["findings"] if f["state"] == "fail"}
    assert what in failed
    assert all(f["remedy"] or "; " in f["found"] for f in failed.values())


def test_platforms_without_loom_are_noted():
    done = doctor("--json", JAX_PLATFORMS="cpu", LOOM_DEVICE="sim")
    found = {f["what"]: f["found"] for f in json.loads(done.stdout)["findings"]}
    assert "set JAX_PLATFORMS=loom,cpu" in found["JAX_PLATFORMS"]
