# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training programs: against JAX in-process, then bit for bit in a guest."""

from __future__ import annotations

import json
from pathlib import Path

from . import e2e, guest, loomrun, runners, setup, util
from .checks import Report
from .util import DevError

WORK = util.BUILD / "training"
IN_GUEST = ("moves", "mlp")
DEEP_STEPS = 100
LIMIT = 3000.0


def in_process(*options: str, work: Path = WORK) -> Report:
    e2e.link_tools()
    return runners.counted(
        [setup.venv_python(), e2e.FOLDER / "training.py", "--bin", e2e.BIN,
         "--work", work, *options], "test-training-sim",
        env={**setup.python_env(), "LOOM_HAZARDS": "1"}, timeout=LIMIT)


def in_guest() -> Report:
    """The free runs that the in-process check left: the same losses, the same
    state after the last step, to the bit."""
    report = Report()
    with guest.Guest(loomrun.guest_config("npu16", hazards=True)) as g:
        g.load_driver()
        for name in IN_GUEST:
            folder = WORK / name
            if not (folder / "free.json").is_file():
                raise DevError(f"{name} was not trained in-process; "
                               "./dev test training-sim does it")
            wrong = free_run(g, name, folder)
            if wrong:
                report.failed.append(f"{name}: other bits than in-process in "
                                     + ", ".join(wrong))
            else:
                report.passed += 1
        g.check()
    return report


def free_run(g: guest.Guest, name: str, folder: Path) -> list[str]:
    """What differs from the run in-process, whose options lie beside it."""
    run = json.loads((folder / "free.json").read_text())
    place = f"/data/{name}"
    g.check_run(f"mkdir -p {place}")
    g.put(f"{place}/m.loom", folder / "m.loom")
    words = []
    for tensor in run["inputs"]:
        g.put(f"{place}/{tensor}.npy", folder / "train" / f"{tensor}.npy")
        words += ["--input", f"{tensor}={place}/{tensor}.npy",
                  "--batch-input", tensor]
    rc, _, err = g.run_split(
        f"loom run {place}/m.loom --device {loomrun.NODE} --entry train "
        f"--steps {run['steps']} --output-dir {place}/out "
        f"--save {place}/trained.safetensors " + " ".join(words),
        loomrun.RUN_LIMIT)
    if rc:
        raise DevError(f"loom run in the guest ended with code {rc}: "
                       + err.decode(errors="replace").strip()[-2000:])
    files = {"trained.safetensors": folder / "trained.safetensors",
             **{f"out/{p.name}": p
                for p in sorted((folder / "train" / "out").iterdir())}}
    return [here for here, there in files.items()
            if g.get(f"{place}/{here}") != there.read_bytes()]
