# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The overlay and the private apt: what must be refused is refused."""

import hashlib
import importlib.util

import pytest

from devtools import qemu
from devtools.util import DevError

spec = importlib.util.spec_from_file_location("apply",
                                              qemu.OVERLAY / "apply.py")
apply = importlib.util.module_from_spec(spec)
spec.loader.exec_module(apply)


@pytest.fixture
def source(tmp_path):
    """A tree with the three anchors, as QEMU has them."""
    for edit in apply.EDITS:
        path = tmp_path / edit.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"before\n{edit.anchor}\nafter\n")
    (tmp_path / "configs/devices/x86_64-softmmu").mkdir(parents=True)
    return tmp_path


def test_each_edit_goes_behind_its_anchor(source):
    apply.apply(source, ())
    for edit in apply.EDITS:
        assert (source / edit.file).read_text() == \
            f"before\n{edit.anchor}\n{edit.added}\nafter\n"
    assert "CONFIG_LOOM_PCI=y" in (source / apply.DEVICES_IN_TREE).read_text()


@pytest.mark.parametrize("edit", apply.EDITS, ids=lambda e: e.file)
@pytest.mark.parametrize("count", [0, 2])
def test_an_anchor_must_match_once(source, edit, count):
    (source / edit.file).write_text(f"{edit.anchor}\n" * count)
    before = {e.file: (source / e.file).read_text() for e in apply.EDITS}
    with pytest.raises(apply.OverlayError, match=f"occurs {count} times"):
        apply.apply(source, ())
    after = {e.file: (source / e.file).read_text() for e in apply.EDITS}
    assert after == before


def test_a_second_application_is_refused(source):
    apply.apply(source, ())
    with pytest.raises(apply.OverlayError, match="there already"):
        apply.apply(source, ())


def test_a_folder_that_is_no_qemu_is_refused(tmp_path):
    with pytest.raises(apply.OverlayError, match="is this a QEMU source"):
        apply.apply(tmp_path, ())


PATCH = """\
why
--- a/some.c
+++ b/some.c
@@ -1,3 +1,3 @@
 one
-two
+zwei
 three
"""


@pytest.fixture
def some_patch(tmp_path_factory):
    path = tmp_path_factory.mktemp("patches") / "some.patch"
    path.write_text(PATCH)
    return path


def test_a_patch_is_applied(source, some_patch):
    (source / "some.c").write_text("one\ntwo\nthree\n")
    apply.apply(source, [some_patch])
    assert (source / "some.c").read_text() == "one\nzwei\nthree\n"


@pytest.mark.parametrize("text", ["one\ntwo\nfour\n", "one\nzwei\nthree\n"])
def test_a_patch_that_does_not_fit_changes_nothing(source, some_patch, text):
    (source / "some.c").write_text(text)
    with pytest.raises(apply.OverlayError, match="some.patch does not apply"):
        apply.apply(source, [some_patch])
    assert (source / "some.c").read_text() == text
    for edit in apply.EDITS:
        assert edit.added not in (source / edit.file).read_text()


DEB822 = """\
Types: deb
# a comment
URIs: http://one.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.example/nodistro
Suites: nodistro
"""


def test_deb822_sources_are_read():
    entries = qemu.deb822_entries(DEB822, "bookworm")
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert entries == [("http://one.example/debian", "bookworm", key),
                       ("http://one.example/debian", "bookworm-updates", key)]


def test_one_line_sources_are_read():
    text = ("# deb http://no.example/ bookworm main\n"
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/d bookworm main\n"
            "deb http://s.example/d bookworm-security main\n"
            "deb http://x.example/d stable main\n")
    assert qemu.one_line_entries(text, "bookworm") == [
        ("http://a.example/d", "bookworm", "/k.gpg"),
        ("http://s.example/d", "bookworm-security", "")]


def test_another_dsc_is_refused(tmp_path):
    dsc = tmp_path / "qemu.dsc"
    dsc.write_bytes(b"changed")
    with pytest.raises(DevError, match="not the recorded one"):
        qemu.check_dsc(dsc, hashlib.sha256(b"recorded").hexdigest())
    qemu.check_dsc(dsc, hashlib.sha256(b"changed").hexdigest())


def test_the_cache_key_covers_the_lock():
    lock = qemu.read_lock()
    import dataclasses
    other = dataclasses.replace(lock, dsc_sha256="0" * 64)
    assert qemu.cache_key(lock) != qemu.cache_key(other)
