# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the driver's objects import, and which of them use floating-point
registers."""

from __future__ import annotations

import re
from pathlib import Path

from . import util
from .checks import Report
from .util import DevError, ROOT

# The core is the same source everywhere: of libraries it has these alone.
LIBRARY = {"memcpy", "memmove", "memset", "memcmp"}
# What the kernel's way to compile puts into every object.
KERNEL = re.compile(r"__fentry__|__stack_chk_fail|__warn_printk"
                    r"|__x86_return_thunk|__x86_indirect_thunk_\w+")
CORE = re.compile(r"loom_\w+")
FLOAT_REGISTERS = re.compile(r"%[xyz]?mm\d|%st\b")
# Of a unit that begins and ends sections of floats: nobody else does.
SECTIONS = re.compile(r"kernel_fpu_\w+")
SECTION_UNIT = "loom_cpu"


def float_units(kbuild: str) -> set[str]:
    """The units that accel/Kbuild compiles with floating-point registers."""
    found = re.search(r"^loom-cpu-fp := ((?:.*\\\n)*.*)$", kbuild, re.M)
    if not found:
        raise DevError("accel/Kbuild has no loom-cpu-fp")
    return {word.removeprefix("core/")
            for word in found[1].replace("\\\n", " ").split()}


def foreign(imports: list[str]) -> list[str]:
    """Of what a unit of the core imports, what it must not."""
    return [name for name in imports
            if name not in LIBRARY and not KERNEL.fullmatch(name)
            and not CORE.fullmatch(name)]


def imports_of(path: Path) -> list[str]:
    out = util.capture(["nm", "-u", path])
    return [line.split()[-1] for line in out.stdout.splitlines() if line.strip()]


def uses_floats(path: Path) -> bool:
    code = util.capture(["objdump", "-d", "--no-show-raw-insn", path]).stdout
    if "Disassembly" not in code:
        raise DevError(f"objdump shows no code of {path}")
    return bool(FLOAT_REGISTERS.search(code))


def check(accel: Path) -> Report:
    """accel: where the objects of loom.ko lie."""
    floats = float_units((ROOT / "accel" / "Kbuild").read_text())
    units = sorted(p for p in (*accel.glob("loom_*.o"), *accel.glob("core/*.o")))
    missing = floats - {p.stem for p in units}
    report = Report(failed=[f"{accel}: no object of {name}"
                            for name in sorted(missing)])
    for path in units:
        why = judge(path, path.stem in floats)
        report.failed += [f"{path.name}: {text}" for text in why]
        report.passed += not why
    return report


def judge(path: Path, may_use_floats: bool) -> list[str]:
    why = []
    imports = imports_of(path)
    if path.parent.name == "core" and foreign(imports):
        why.append("imports " + ", ".join(foreign(imports)))
    if path.stem != SECTION_UNIT and any(map(SECTIONS.fullmatch, imports)):
        why.append(f"begins or ends sections of floats; {SECTION_UNIT} does")
    if uses_floats(path) != may_use_floats:
        why.append("has no floating-point registers, but is compiled for them"
                   if may_use_floats else "uses floating-point registers")
    return why
