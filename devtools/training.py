# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs with state, train steps and others: against JAX in-process, then
bit for bit in a guest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import e2e, guest, loomrun, runners, setup, util
from .checks import Report
from .util import DevError, ROOT

WORK = util.BUILD / "training"
DEEP_WORK = util.BUILD / "training-deep"
IN_GUEST = ("moves", "mlp", "digits_cnn", "lstm")
DEEP_STEPS = 100
LIMIT = 2700.0


def script(name: str, work: Path, *options: str) -> Report:
    e2e.link_tools()
    return runners.counted(
        [setup.venv_python(), e2e.FOLDER / f"{name}.py", "--bin", e2e.BIN,
         "--work", work, *options], f"test-{name}-sim",
        env={**setup.python_env(), "LOOM_HAZARDS": "1"}, timeout=LIMIT)


def in_process(work: Path = WORK, *options: str) -> Report:
    report = script("training", work, *options)
    report.add(script("state", work / "state"))
    return report


def page(*options: str) -> Report:
    """What docs/flax.md tells a reader to do."""
    e2e.link_tools()
    return runners.counted(
        [setup.venv_python(), e2e.FOLDER / "page.py", ROOT / "docs" / "flax.md",
         "--bin", e2e.BIN, "--work", WORK / "page", *options],
        "-".join(["test-page", *(o.strip("-") for o in options)]))


def deep_in_process() -> tuple[Report, dict[str, Any]]:
    """What it checked, and what each program said."""
    shutil.rmtree(DEEP_WORK, ignore_errors=True)
    DEEP_WORK.mkdir(parents=True)
    rows = DEEP_WORK / "rows.json"
    steps = str(DEEP_STEPS)
    report, counts = in_process(DEEP_WORK, "--steps", steps, "--json",
                                str(rows)), {"steps": DEEP_STEPS}
    counts |= told(rows)
    report.add(script("training", DEEP_WORK, "--accuracy", "--json", str(rows)))
    return report, counts | told(rows)


def told(rows: Path) -> dict[str, str]:
    return {row["check"]: row["text"] for row in json.loads(rows.read_text())}


def left_in(work: Path, part: str = "") -> list[str]:
    """The programs whose runs an in-process check has left."""
    names = sorted(str(p.parent.relative_to(work))
                   for p in (work / part).rglob("runs.json"))
    if not names:
        raise DevError(f"{work / part} holds no runs; ./dev test training-sim "
                       "makes them, for the deep suite ./dev test --deep "
                       "training")
    return names


def in_guest(work: Path, names: Sequence[str]) -> Report:
    """The runs that the in-process check left on its list: the same outputs and
    the same state, to the bit."""
    report = Report()
    with guest.Guest(loomrun.guest_config("npu16", hazards=True)) as g:
        g.load_driver()
        for name in names:
            folder = work / name
            wrong = runs(g, name, folder)
            if wrong:
                report.failed.append(f"{name}: other bits than in-process in "
                                     + ", ".join(wrong))
            else:
                report.passed += 1
        g.check()
    return report


def runs(g: guest.Guest, name: str, folder: Path) -> list[str]:
    """The files that differ from those in-process. A state that one run saves
    here is what the next begins with."""
    listed = folder / "runs.json"
    if not listed.is_file():
        raise DevError(f"{name} was not run in-process; ./dev test training-sim "
                       "does it")
    place = f"/data/{name}"
    g.check_run(f"mkdir -p {place}")
    g.put(f"{place}/m.loom", folder / "m.loom")
    wrong = [file for row in json.loads(listed.read_text())
             for file in one_run(g, place, folder, row)]
    g.check_run(f"rm -rf {place}")
    return wrong


def one_run(g: guest.Guest, place: str, folder: Path,
            row: dict[str, Any]) -> list[str]:
    words = ["--entry", row["entry"], "--output-dir", f"{place}/{row['out']}"]
    for tensor, file in row["inputs"].items():
        g.check_run(f"mkdir -p {place}/{Path(file).parent}")
        g.put(f"{place}/{file}", folder / file)
        words += ["--input", f"{tensor}={place}/{file}"]
        words += ["--batch-input", tensor] if row["steps"] else []
    words += ["--steps", str(row["steps"])] if row["steps"] else []
    for option in ("restore", "save"):
        if row[option]:
            words += [f"--{option}", f"{place}/{row[option]}"]
    rc, _, err = g.run_split(f"loom run {place}/m.loom --device {loomrun.NODE} "
                             + " ".join(words), loomrun.RUN_LIMIT)
    if rc:
        raise DevError(f"loom run in the guest ended with code {rc}: "
                       + err.decode(errors="replace").strip()[-2000:])
    made = [str(p.relative_to(folder))
            for p in sorted((folder / row["out"]).glob("*.npy"))]
    made += [row["save"]] if row["save"] else []
    return [f for f in made
            if g.get(f"{place}/{f}") != (folder / f).read_bytes()]
