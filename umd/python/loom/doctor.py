# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m loom doctor`: what is found, what is missing, and what to do about it."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from . import compiler, device, library, versions
from .errors import LibraryError, LoomError

OK, NOTE, FAIL = "ok", "note", "fail"
SECONDS = 120.0  # that JAX may take to find the device
VARIABLES = (
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_USE_SHARDY_PARTITIONER",
    "PJRT_NAMES_AND_LIBRARY_PATHS",
    "LOOM_LIBRARY",
    "LOOM_DEVICE",
    "LOOM_TARGET",
    "LOOM_SIM_DEVICES",
    "LOOM_CACHE_DIR",
    "LOOM_CACHE_BYTES",
    "LOOM_MEMORY_LIMIT",
    "LOOM_CPU",
    "LOOM_ISA",
    "LOOM_THREADS",
    "LOOM_HAZARDS",
    "LOOM_LOOP_SECONDS",
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line: state is "ok", "note" or "fail"; a failure has a remedy."""

    what: str
    state: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {OK: "ok  ", NOTE: "    ", FAIL: "FAIL"}[self.state]
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{mark}  {self.what:<18}  {self.found}{tail}"


Findings = Iterator[Finding]


def python() -> Findings:
    """The interpreter and this package."""
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info[:2] >= (3, 11)
    yield Finding("Python", OK if enough else FAIL, version, "" if enough else "use 3.11 or newer")
    yield Finding("loom-npu", OK, f"{versions.__version__}, {Path(__file__).resolve().parent}")


def packages() -> Findings:
    """jax, jaxlib and flax against the tested ones."""
    tested = f"tested with {', '.join(versions.PLUGIN_JAX)}"
    for name in ("jax", "jaxlib"):
        found = versions.installed(name)
        good = found is not None and versions.minor(found) in versions.plugin_minors()
        pin = f"run: pip install {name}=={versions.PLUGIN_JAX[0]}"
        said = f"{found or 'is missing'} ({tested})"
        yield Finding(name, OK if good else FAIL, said, "" if good else pin)
    series, pin = versions.TESTED_FLAX
    found = versions.installed("flax")
    if found is None:
        yield Finding("flax", NOTE, f"is not installed, and only Flax programs need it: {pin}")
    elif found.startswith(series):
        yield Finding("flax", OK, found)
    else:
        yield Finding("flax", NOTE, f"{found}; tested with {series}x, as {pin}")


def plugin() -> Findings:
    """The library, and how JAX finds it."""
    try:
        major, minor = library.pjrt_version()
    except LoomError as e:
        yield Finding("plugin library", FAIL, str(e))
        return
    path = library.path()
    size = path.stat().st_size / 2**20
    yield Finding("plugin library", OK, f"{path}, {size:.1f} MiB, PJRT API {major}.{minor}")
    try:
        yield Finding("compiler", OK, compiler.version())
    except LoomError as e:
        yield Finding("compiler", FAIL, str(e))


def registration() -> Findings:
    """Whether JAX will look at this package."""
    ours = [e.value for e in metadata.entry_points(group="jax_plugins") if e.name == "loom"]
    if ours:
        yield Finding("registration", OK, f"entry point jax_plugins: {ours[0]}")
    elif importlib.util.find_spec("jax_plugins") and importlib.util.find_spec("jax_plugins.loom"):
        yield Finding("registration", OK, "package jax_plugins.loom of a checkout")
    else:
        yield Finding(
            "registration", FAIL, "JAX does not know of the plugin", "run: pip install loom-npu"
        )


def nodes() -> Findings:
    """The /dev/accel nodes."""
    found = device.nodes()
    if not found:
        yield Finding("/dev/accel", NOTE, "no node here: programs run in this process (sim)")
    for node, driver in found:
        if driver != "loom":
            said = f"belongs to the driver {driver}" if driver else "has no driver that /sys names"
            yield Finding(node, NOTE, said)
        elif not os.access(node, os.R_OK | os.W_OK):
            group = f"run: sudo usermod -aG render {os.environ.get('USER', '$USER')}, log in again"
            yield Finding(node, FAIL, "may not be opened", group)
        elif version := device.driver_version(node):
            yield Finding(node, OK, f"driver loom {version}")
        else:
            again = "run: sudo dmesg | grep loom; sudo modprobe -r loom && sudo modprobe loom"
            yield Finding(node, FAIL, "the driver loom does not answer", again)


def chosen() -> Findings:
    """The device that programs run on."""
    try:
        with device.Device() as d:
            t = d.target
            said = f"{d.name}: {t.rows} x {t.cols} array, {t.vpu_lanes} lanes, ISA {t.isa}"
    except LibraryError:
        return  # told already
    except LoomError as e:
        remedy = "unset LOOM_DEVICE to run in this process" if "LOOM_DEVICE" in os.environ else ""
        yield Finding("device", FAIL, str(e), remedy)
        return
    yield Finding("device", OK, said)


def cache() -> Findings:
    """Compiled programs kept on disk."""
    place = cache_dir()
    if place is None:
        yield Finding("compile cache", NOTE, "is switched off: nothing is kept on disk")
        return
    files = [p for p in place.rglob("*") if p.is_file()] if place.is_dir() else []
    size = sum(p.stat().st_size for p in files) / 2**20
    there = place
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding("compile cache", FAIL, f"{place} cannot be made", "set LOOM_CACHE_DIR")
    else:
        yield Finding("compile cache", OK, f"{place}: {len(files)} files, {size:.1f} MiB")


def cache_dir() -> Path | None:
    """Where the plugin keeps compiled programs; None: nowhere."""
    if os.environ.get("LOOM_CACHE_BYTES") == "0":
        return None
    if (given := os.environ.get("LOOM_CACHE_DIR")) is not None:
        return Path(given) if given else None
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "loom" / "pjrt"


def variables() -> Findings:
    """What the environment says."""
    for name in VARIABLES:
        if name in os.environ:
            yield _variable(name, os.environ[name])
    if "JAX_PLATFORMS" not in os.environ:
        yield Finding("JAX_PLATFORMS", NOTE, "is not set: loom is JAX's default, the CPU beside it")


def _variable(name: str, value: str) -> Finding:
    names = value.split(",")
    if name == "JAX_PLATFORMS" and value and "loom" not in names:
        return Finding(name, NOTE, f"{value}: JAX does not use loom; set JAX_PLATFORMS=loom,cpu")
    if name == "JAX_PLATFORMS" and names == ["loom"]:
        return Finding(name, NOTE, "loom: JAX has no CPU beside it; loom,cpu is better")
    if name == "PJRT_NAMES_AND_LIBRARY_PATHS" and "loom" in value:
        return Finding(
            name, FAIL, f"{value}: a second way to register loom, without donation", f"unset {name}"
        )
    return Finding(name, NOTE, value)


PROBE = "import jax; print(*jax.devices('loom')); print(jax.jit(lambda x: x + 1)(1.0))"


def jax_run() -> Findings:
    """What JAX itself says, in a process of its own."""
    if versions.installed("jax") is None:
        return
    env = {**os.environ, "JAX_PLATFORMS": "loom,cpu"}
    try:
        out = subprocess.run(
            [sys.executable, "-c", PROBE], env=env, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        yield Finding("JAX", FAIL, f"did not answer within {SECONDS:.0f} s", "report it as a defect")
        return
    lines = [line for line in (out.stdout + out.stderr).splitlines() if line.strip()]
    if out.returncode == 0 and out.stdout.splitlines()[-1:] == ["2.0"]:
        yield Finding("JAX", OK, f"{out.stdout.splitlines()[0]} adds 1 to 1.0")
    else:
        last = lines[-1] if lines else f"ended with status {out.returncode}"
        yield Finding("JAX", FAIL, last, "mend the failures above; if there are none, report this one")


CHECKS: tuple[Callable[[], Findings], ...] = (
    python,
    packages,
    registration,
    plugin,
    nodes,
    chosen,
    cache,
    variables,
    jax_run,
)


def main(as_json: bool = False) -> int:
    """Print all findings; 0 where nothing failed, else 1."""
    findings = [f for check in CHECKS for f in check()]
    bad = [f for f in findings if f.state == FAIL]
    if as_json:
        print(json.dumps({"ok": not bad, "findings": [dataclasses.asdict(f) for f in findings]}))
    else:
        print("\n".join(map(str, findings)))
        print(f"{len(bad)} of {len(findings)} failed" if bad else "nothing is missing")
    return 1 if bad else 0
