# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m loom doctor`: exit status, remedies, JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import environment

from loom import device
from loom import doctor as doctors


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
    for word in ("PJRT API 0.", "64 x 64 array", "adds 1 to 1.0", str(tmp_path / "cache")):
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


@pytest.fixture
def machine(monkeypatch):
    """machine(accel0="loom", accel1=""): a /dev/accel, and /sys with its drivers, where every user
    may look. Its nodes are files, which answer no ioctl."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    monkeypatch.setattr(device, "NODES", str(root / "dev"))
    monkeypatch.setattr(device, "CLASS", str(root / "class"))

    def make(**drivers: str) -> Path:
        (root / "dev").mkdir()
        for name, driver in drivers.items():
            (root / "dev" / name).touch(0o660)
            if driver:
                (root / "drivers" / driver).mkdir(parents=True, exist_ok=True)
                (root / "class" / name / "device").mkdir(parents=True)
                (root / "class" / name / "device" / "driver").symlink_to(root / "drivers" / driver)
        return root / "dev"

    yield make
    shutil.rmtree(root)


def node_lines() -> list[tuple[str, str, str]]:
    return [(Path(f.what).name, f.state, f.found) for f in doctors.nodes()]


def test_no_node(machine):
    """Neither without a folder nor with an empty one."""
    expected = [("accel", "note", "no node here: programs run in this process (sim)")]
    assert node_lines() == expected
    machine()
    assert node_lines() == expected


def test_nodes_in_order_each_with_its_driver(machine, monkeypatch):
    """Only loom's own is asked for a version."""
    folder = machine(accel10="loom", accel2="ivpu", accel0="")
    monkeypatch.setattr(device, "driver_version", {str(folder / "accel10"): "1.2.3"}.get)
    assert node_lines() == [
        ("accel0", "note", "has no driver that /sys names"),
        ("accel2", "note", "belongs to the driver ivpu"),
        ("accel10", "ok", "driver loom 1.2.3"),
    ]


def test_a_node_that_does_not_answer(machine):
    machine(accel0="loom")
    (found,) = doctors.nodes()
    assert (found.state, found.found) == ("fail", "the driver loom does not answer")
    assert "dmesg" in found.remedy and "modprobe loom" in found.remedy


def test_a_node_that_may_not_be_opened(machine, monkeypatch):
    """As another user, for root may open anything."""
    monkeypatch.setenv("USER", "ada")
    (machine(accel0="loom") / "accel0").chmod(0o000)
    out, into = os.pipe()
    if not (child := os.fork()):
        if os.getuid() == 0:
            os.setgroups([])
            os.setuid(65534)
        os.write(into, "\n".join(map(str, doctors.nodes())).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as f:
        told = f.read()
    assert os.waitpid(child, 0)[1] == 0
    assert told.startswith("FAIL  ") and told.count("\n") == 0, told
    assert told.endswith("may not be opened; run: sudo usermod -aG render ada, log in again")


def test_nodes_are_part_of_the_whole(machine, monkeypatch, capsys):
    """A node that does not answer makes doctor fail."""
    machine(accel0="loom")
    monkeypatch.setattr(doctors, "CHECKS", (doctors.nodes,))
    assert doctors.main() == 1
    assert "1 of 1 failed" in capsys.readouterr().out
