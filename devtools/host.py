# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds everything that runs on the host, with CMake and ninja."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from . import util
from .util import DevError, run, step


@dataclasses.dataclass(frozen=True)
class Flavour:
    """A build tree: its folder in build/, CMake's options, its compiler."""
    name: str
    options: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    targets: tuple[str, ...] = ("all",)

    @property
    def dir(self) -> Path:
        return util.BUILD / self.name


HOST = Flavour("host")
# MLIR's own libraries are not instrumented, so the compiler's unit tests run
# in HOST alone, and what needs a compiler elsewhere takes HOST's.
OF_HOST = ("-DLOOM_COMPILER=OFF", "-DLOOM_COMPILER_LIBRARY="
           f"{HOST.dir / 'umd' / 'pjrt' / 'libloom_compile.so'}")
# The pure cores and the plugin under ASan and UBSan.
SANITIZED = Flavour("sanitized", ("-DLOOM_SANITIZE=address;undefined",
                                  *OF_HOST))
# What threads share, under TSan: the tests that have the label "threads".
THREADS = Flavour("threads", ("-DLOOM_SANITIZE=thread", *OF_HOST),
                  targets=("loom_pjrt_test",))
# The compiler builds its own fuzzers, as tests of HOST.
FUZZ = Flavour("fuzz", ("-DLOOM_SANITIZE=address;undefined", "-DLOOM_FUZZ=ON",
                        "-DLOOM_COMPILER=OFF"),
               (("CC", "clang"), ("CXX", "clang++")), ("fuzzers",))


def build_beside(flavour: Flavour) -> Path:
    """A tree that takes the compiler from HOST."""
    build(HOST, ("loom_compile",))
    return build(flavour)


def build(flavour: Flavour = HOST, targets: tuple[str, ...] = ()) -> Path:
    """Configures on first use, then brings the tree up to date."""
    with util.locked(util.BUILD / f".{flavour.name}.lock"), \
            step(f"build {flavour.name}"):
        log = f"build-{flavour.name}"
        env = dict(flavour.env)
        # Given again each time: CMake keeps what it was first told.
        run(["cmake", "-S", util.ROOT, "-B", flavour.dir, "-G", "Ninja",
             *flavour.options], log, env=env, append=False)
        run(["ninja", "-C", flavour.dir, f"-j{util.jobs()}",
             *(targets or flavour.targets)], log, env=env)
    return flavour.dir


def find_program(name: str, flavour: Flavour = HOST) -> Path:
    """A built program by its name, wherever its room put it."""
    found = [p for p in flavour.dir.rglob(name)
             if p.is_file() and p.stat().st_mode & 0o111]
    if not found:
        raise DevError(f"no program `{name}` in {flavour.dir}; "
                       "./dev build host builds it")
    return min(found, key=lambda p: len(p.parts))


def loomc() -> Path:
    return find_program("loomc")


def loom() -> Path:
    return find_program("loom")
