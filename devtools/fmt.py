# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layout: clang-format for C++ (kernel and QEMU code keep their own styles,
which checkpatch looks after)."""

from __future__ import annotations

from pathlib import Path

from . import util
from .util import DevError, run, say

FOLDERS = ("umd", "compiler", "tests")
SUFFIXES = (".cpp", ".cc", ".h", ".hpp")


def sources() -> list[Path]:
    """C++ files of the checkout that git does not ignore."""
    out = util.capture(["git", "ls-files", "-co", "--exclude-standard",
                        *FOLDERS])
    found = [util.ROOT / line for line in out.stdout.splitlines()
             if line.endswith(SUFFIXES)]
    return [p for p in found if p.is_file() and has_style(p)]


def has_style(path: Path) -> bool:
    return any((d / ".clang-format").is_file() for d in path.parents
               if d == util.ROOT or util.ROOT in d.parents)


def main(check: bool) -> int:
    files = sources()
    if not files:
        raise DevError("no C++ source lies under a .clang-format, so nothing "
                       "says how it is laid out")
    if not check:
        run(["clang-format", "-i", *files], "fmt", append=False)
        say(f"    {len(files)} files laid out")
        return 0
    try:
        run(["clang-format", "--dry-run", "-Werror", *files], "fmt",
            append=False)
    except DevError:
        bad = sorted({line.split(":")[0] for line in
                      (util.LOGS / "fmt.log").read_text().splitlines()
                      if "[-Wclang-format-violations]" in line})
        raise DevError(f"{len(bad)} files are not laid out by clang-format; "
                       "./dev fmt does it:\n" + "\n".join(bad)) from None
    say(f"    {len(files)} files are laid out")
    return 0
