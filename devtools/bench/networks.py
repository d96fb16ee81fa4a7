# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bundles and programs of the networks that are measured, made once into
build/bench and again when what makes them changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .. import host, setup, util
from ..util import run

SCRIPT = util.ROOT / "tests" / "bench" / "networks.py"
MAKERS = (SCRIPT, util.ROOT / "tests" / "e2e" / "zoo.py",
          util.ROOT / "tests" / "e2e" / "control.py",
          util.ROOT / "tests" / "e2e" / "models.py")
FOLDER = util.BUILD / "bench"


def folder(name: str) -> Path:
    return FOLDER / name


def bundle(name: str) -> Path:
    """The exported bundle of a network of tests/bench/networks.py."""
    place = folder(name)
    stamp = place / "made-by"
    key = util.digest(*(p.read_text() for p in MAKERS))
    if not (stamp.is_file() and stamp.read_text() == key):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        with util.step(f"export {name}"):
            run([setup.venv_python(), SCRIPT, "export", name, place],
                "bench-export", env=setup.python_env())
        stamp.write_text(key)
    return place / "bundle"


def param_bytes(name: str) -> int:
    bundle(name)
    return json.loads((folder(name) / "facts.json").read_text())["param_bytes"]


def program(name: str, target: str) -> Path:
    """Compiled by the loomc of this moment; not again within one run."""
    path = folder(name) / f"{target}.loom"
    source = bundle(name)
    if path.is_file() and path.stat().st_mtime >= host.loomc().stat().st_mtime:
        return path
    run([host.loomc(), source, "--target", target, "-o", path],
        "bench-compile")
    return path


def script(*words: str) -> list[str]:
    return [str(setup.venv_python()), str(SCRIPT), *words]
