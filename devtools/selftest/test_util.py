# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sync by content, logged commands, kernel options, .npy."""

import struct

import pytest

from devtools import kernel, npy, util
from devtools.util import DevError


def test_sync_touches_only_what_changed(tmp_path):
    src, dst = tmp_path / "src", tmp_path / "dst"
    (src / "sub").mkdir(parents=True)
    (src / "a.c").write_text("a")
    (src / "sub" / "b.c").write_text("b")
    assert util.sync_tree(src, dst) == 2
    old = (dst / "a.c").stat().st_mtime_ns
    (src / "a.c").write_text("a")  # newer, equal
    (src / "sub" / "b.c").write_text("B")
    assert util.sync_tree(src, dst) == 1
    assert (dst / "a.c").stat().st_mtime_ns == old
    assert (dst / "sub" / "b.c").read_text() == "B"


def test_sync_removes_strangers_but_keeps_products(tmp_path):
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.mkdir()
    dst.mkdir()
    (dst / "gone.c").write_text("x")
    (dst / "kept.o").write_text("x")
    util.sync_tree(src, dst, keep=(".o",))
    assert [p.name for p in dst.iterdir()] == ["kept.o"]


def test_a_failed_command_shows_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(util, "LOGS", tmp_path)
    with pytest.raises(DevError, match="(?s)code 7.*the reason"):
        util.run(["sh", "-c", "echo the reason; exit 7"], "x", cwd=tmp_path)


def test_a_command_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(util, "LOGS", tmp_path)
    with pytest.raises(DevError, match="did not end within"):
        util.run(["sleep", "60"], "x", cwd=tmp_path, timeout=0.2)


def test_a_missing_tool_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(util, "LOGS", tmp_path)
    with pytest.raises(DevError, match="no-such-tool is not installed"):
        util.run(["no-such-tool"], "x", cwd=tmp_path)


def test_lost_kernel_options_are_found():
    fragment = "CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=n\nCONFIG_D=2048\n"
    assert kernel.unresolved(fragment, "CONFIG_A=y\nCONFIG_B=m\n"
                             "# CONFIG_C is not set\nCONFIG_D=2048\n") == []
    assert kernel.unresolved(fragment, "CONFIG_A=m\nCONFIG_C=y\n") == [
        "CONFIG_A=y", "CONFIG_B=m", "CONFIG_C=n", "CONFIG_D=2048"]


def test_digest_separates_its_parts():
    assert util.digest("ab", "c") != util.digest("a", "bc")


def test_npy_round_trip():
    data = struct.pack("<6f", *range(6))
    a = npy.Array("<f4", (3, 2), data)
    assert npy.parse(npy.dump(a)) == a
    assert a.values() == npy.f32(data) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("blob", [b"", b"\x93NUMPY", b"PK\3\4" + b"0" * 80])
def test_what_is_no_npy_is_refused(blob):
    with pytest.raises((ValueError, IndexError)):
        npy.parse(blob)


def test_a_short_npy_is_refused():
    blob = npy.dump(npy.Array("<f4", (2,), b"\0" * 8))
    with pytest.raises(ValueError, match="does not fit"):
        npy.parse(blob[:-1])
