# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is wrong with a wheel is seen."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from devtools import smoke, wheel

C = "\n".join(["#include <stdio.h>", "#define API __attribute__((visibility(\"default\")))", "{}",
               "API const char *GetPjrtApi(void) {{ puts(\"\"); return \"\"; }}"])


def library(folder: Path, *options: str, names: set[str] | None = None) -> Path:
    """A library with these exports, default: those that are intended."""
    names = wheel.intended() if names is None else names
    functions = "\n".join(f"API void {n}(void) {{}}" for n in sorted(names - {"GetPjrtApi"}))
    (folder / "a.c").write_text(C.replace("{{", "{").replace("}}", "}").replace("{}", functions, 1))
    target = folder / "a.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-fvisibility=hidden", *options, folder / "a.c", "-o", target],
                   check=True)
    return target


def packed(folder: Path, so: Path, tag: str = "", extra: tuple[str, ...] = ("x.dist-info/licences/a",)) -> Path:
    made = folder / f"loom_npu-0-py3-none-{tag or wheel.platform_tag(so)}.whl"
    with zipfile.ZipFile(made, "w") as z:
        z.write(so, f"loom/{wheel.LIBRARY}")
        for name in extra:
            z.writestr(name, "text")
    return made


def test_a_good_one(tmp_path):
    report = wheel.look_at(packed(tmp_path, library(tmp_path)))
    assert (report.passed, report.failed) == (7, [])


@pytest.mark.parametrize("wrong, words", [
    ({"options": ("-g",)}, "debug information"),
    ({"options": ("-Wl,--no-as-needed", "-lz")}, "libz.so.1"),
    ({"names": wheel.intended() | {"stray"}}, "stray"),
    ({"names": wheel.intended() - {"loom_submit"}}, "loom_submit"),
    ({"tag": "manylinux_2_1_x86_64"}, "tag"),
    ({"extra": ()}, "licences"),
    ({"extra": ("a/licences/b", "tests/test_a.py")}, "tests"),
])
def test_a_bad_one(tmp_path, wrong, words):
    so = library(tmp_path, *wrong.get("options", ()), names=wrong.get("names"))
    made = packed(tmp_path, so, wrong.get("tag", ""), wrong.get("extra", ("x.dist-info/licences/a",)))
    (failure,) = wheel.look_at(made).failed
    assert words in failure


def test_glibc_of_the_symbols(tmp_path):
    so = library(tmp_path)
    assert wheel.glibc_needed(so) >= (2, 2)
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(wheel.DevError, match="no version of glibc"):
        wheel.glibc_needed(tmp_path / "text.so")


def test_intended_are_the_headers():
    names = wheel.intended()
    assert {"GetPjrtApi", "loom_submit", "loom_device_open", "loom_compile"} <= names
    assert all(n == "GetPjrtApi" or n.startswith("loom_") for n in names)


def test_the_key_follows_the_sources(tmp_path, monkeypatch):
    source = tmp_path / "uapi" / "a.h"
    source.parent.mkdir()
    source.write_text("one")
    monkeypatch.setattr(wheel, "ROOT", tmp_path)
    monkeypatch.setattr(wheel, "INPUTS", ("uapi",))
    first = wheel.key()
    assert wheel.key() == first
    source.write_text("two")
    assert wheel.key() != first


def test_readme_has_a_script_and_what_it_prints():
    script, printed = smoke.first_script((wheel.ROOT / "README.md").read_text())
    assert "import flax" in script and printed.strip()
