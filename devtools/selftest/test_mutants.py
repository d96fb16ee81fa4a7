# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A mutant that no longer applies tests nothing until its deep suite runs."""

import subprocess

import pytest

from devtools.util import ROOT

PATCHES = sorted((ROOT / "tests" / "mutants").glob("*/*.patch"))


def test_each_room_has_some():
    for room in ("model", "driver", "compiler", "plugin"):
        assert sum(p.parent.name == room for p in PATCHES) >= 10


@pytest.mark.parametrize("patch", PATCHES,
                         ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_it_applies_to_the_checkout(patch):
    done = subprocess.run(["patch", "-p1", "-F0", "--dry-run", "--force", "-i",
                           patch], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
