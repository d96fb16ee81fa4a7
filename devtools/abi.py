# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The plugin's declarations against published headers of the PJRT C API. A
header is taken once, out of a wheel of the package index, and kept outside
the checkout."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from . import runners, setup, util
from .checks import Report
from .util import DevError, ROOT, run, step

CHECK = ROOT / "umd" / "pjrt" / "tests" / "abi_check.py"
INCLUDE = "tensorflow/include/"  # in the wheel
NAME = "xla/pjrt/c/pjrt_c_api.h"
HEADERS = (NAME, "xla/pjrt/c/pjrt_c_api_profiler_extension.h",
           "xla/backends/profiler/plugin/profiler_c_api.h")
# No wheel has the minor that the plugin is written for: one before, one after.
RELEASES = {"2.21.0": 90, "2.22.0rc0": 115}


def header(release: str) -> Path:
    """pjrt_c_api.h of that release of tensorflow-cpu, others beside it."""
    home = util.cache_dir() / f"pjrt-headers-{release}"
    with util.locked(home.with_name(home.name + ".lock")):
        if not (home / NAME).is_file():
            fetch(release, home)
    return home / NAME


def fetch(release: str, home: Path) -> None:
    part = home.with_name(home.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    with step(f"take the PJRT headers out of tensorflow-cpu {release} (some 300 MB)"):
        run([setup.venv_python(), "-m", "pip", "download", "--no-deps",
             "--disable-pip-version-check", "--only-binary=:all:", "-d", part,
             f"tensorflow-cpu=={release}"], "pjrt-header")
        wheel = next(part.glob("*.whl"))
        with zipfile.ZipFile(wheel) as z:
            missing = set(HEADERS) - {n.removeprefix(INCLUDE)
                                      for n in z.namelist()}
            if missing:
                raise DevError(f"{wheel.name} has no {min(missing)}; name "
                               "another release in devtools/abi.py")
            for name in HEADERS:
                place = part / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(z.read(INCLUDE + name))
        wheel.unlink()
    shutil.rmtree(home, ignore_errors=True)
    part.rename(home)


def compare() -> tuple[Report, dict[str, Any]]:
    """Every structure's offsets and sizes and every slot, and how many."""
    report, counts = Report(), {}
    for release, minor in RELEASES.items():
        one = runners.counted(
            [setup.venv_python(), CHECK, header(release), "--minor",
             str(minor)], f"abi-{minor}")
        counts[f"minor {minor}"] = one.passed
        one.failed = [f"minor {minor}: {text}" for text in one.failed]
        report.add(one)
    return report, {"facts": counts}
