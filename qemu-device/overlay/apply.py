#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hooks hw/loom into an unpacked QEMU source tree: three anchored edits and
one device list; and mends QEMU itself by the patches in this folder, each of
which says why. The device's own files are put into hw/loom by the caller.

Each anchor must occur exactly once and each patch apply without fuzz: a QEMU
that changed shape is refused here, instead of building an emulator without the
device."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    anchor: str  # a whole line
    added: str  # the line put after it


EDITS = (
    Edit("hw/meson.build", "subdir('nvme')", "subdir('loom')"),
    Edit("hw/Kconfig", "source nvme/Kconfig", "source loom/Kconfig"),
    # Trace headers are generated before hw/ is entered, so this one cannot
    # live in hw/loom.
    Edit("meson.build", "    'hw/nvme',", "    'hw/loom',"),
)
HERE = Path(__file__).resolve().parent
DEVICES = HERE / "loom.mak"
PATCHES = tuple(sorted(HERE.glob("*.patch")))
DEVICES_IN_TREE = "configs/devices/x86_64-softmmu/loom.mak"


class OverlayError(Exception):
    pass


def edited(text: str, edit: Edit) -> str:
    lines = text.split("\n")
    if edit.added in lines:
        raise OverlayError(f"{edit.file}: '{edit.added.strip()}' is there "
                           "already; apply the overlay to a fresh source")
    hits = [i for i, line in enumerate(lines) if line == edit.anchor]
    if len(hits) != 1:
        raise OverlayError(f"{edit.file}: the anchor '{edit.anchor.strip()}' "
                           f"occurs {len(hits)} times, must be once; this QEMU "
                           "needs another anchor in qemu-device/overlay/apply.py")
    lines.insert(hits[0] + 1, edit.added)
    return "\n".join(lines)


def patch(source: Path, file: Path, *options: str) -> None:
    done = subprocess.run(["patch", "-p1", "--fuzz=0", "--batch", "--forward",
                           "-i", file, *options], cwd=source, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise OverlayError(f"{file.name} does not apply to this QEMU; where it "
                           "mends it in another way, remove the patch:\n"
                           f"{done.stdout.strip()}")


def apply(source: Path, patches: Sequence[Path] = PATCHES) -> None:
    """All or nothing: every edit and patch is tried before the first is made."""
    results = {}
    for edit in EDITS:
        path = source / edit.file
        if not path.is_file():
            raise OverlayError(f"{path} does not exist; is this a QEMU source?")
        results[path] = edited(path.read_text(), edit)
    for file in patches:
        patch(source, file, "--dry-run")
    for path, text in results.items():
        path.write_text(text)
    for file in patches:
        patch(source, file)
    shutil.copyfile(DEVICES, source / DEVICES_IN_TREE)


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print(f"usage: {argv[0]} QEMU-SOURCE", file=sys.stderr)
        return 2
    try:
        apply(Path(argv[1]))
    except OverlayError as e:
        print(f"apply.py: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
