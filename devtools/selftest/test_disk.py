# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disks of a guest with JAX: images, what is on them, refusals, and what
the guest does with them."""

import dataclasses
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools import cli, disk, guest, initramfs, jaxguest, qemu, setup, util
from devtools.kernel import Kernel
from devtools.util import DevError


def tree(root: Path) -> Path:
    (root / "d").mkdir(parents=True)
    for name in ("b", "a", "d/c"):
        (root / name).write_text(name * 5000)
    (root / "link").symlink_to("d/c")
    return root


def test_the_same_tree_is_the_same_image(tmp_path):
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(two / "d/c", (1e9, 1e9))
    (two / "b").touch()
    for root in (one, two):
        disk.make_image(root, root.with_suffix(".img"))
    first = (tmp_path / "one.img").read_bytes()
    assert first == (tmp_path / "two.img").read_bytes()
    (two / "b").write_text("other")
    disk.make_image(two, tmp_path / "two.img")
    assert first != (tmp_path / "two.img").read_bytes()


def test_an_image_that_cannot_be_made_leaves_nothing(tmp_path):
    with pytest.raises(DevError, match="mksquashfs"):
        disk.make_image(tmp_path / "nowhere", tmp_path / "x.img")
    assert not list(tmp_path.iterdir())


def test_libraries_are_where_the_loader_looks(tmp_path):
    python = Path(setup.SYSTEM_PYTHON)
    libraries = disk.needed([python], tmp_path)
    disk.place_libraries(libraries, tmp_path)
    placed = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")
              if p.is_file()}
    assert f"{disk.LIBRARIES}/libc.so.6" in placed
    assert "lib64/ld-linux-x86-64.so.2" in placed
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


def test_libraries_that_come_along_are_not_taken(tmp_path):
    found = disk.needed([Path(setup.SYSTEM_PYTHON)], Path("/lib"))
    assert [p.name for p in found] == ["ld-linux-x86-64.so.2"]


def test_bytecode_is_taken_as_it_is(tmp_path):
    python = disk.Python.system()
    for place in (str(python.stdlib)[1:], python.packages):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "m.py").write_text("x = 1\n")
    disk.compile_modules(python, tmp_path)
    tag = python.program.name.replace("python", "cpython-").replace(".", "")
    code = (tmp_path / python.packages / "__pycache__" /
            f"m.{tag}.pyc").read_bytes()
    assert code[4:8] == b"\1\0\0\0", "by hash, not checked"
    if f"cpython-{sys.version_info[0]}{sys.version_info[1]}" == tag:
        assert marshal.loads(code[16:]).co_filename == \
            f"/{python.packages}/m.py"


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(DevError, match="site-packages.*dev build setup"):
        disk.copy_tree(tmp_path / "site-packages", tmp_path / "x")


def test_what_a_guest_has_no_use_for_is_left_out(tmp_path):
    for name in ("keep.py", "__pycache__/x.pyc", "pip/y.py", "test/z.py"):
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_text("")
    disk.copy_tree(tmp_path / "s", tmp_path / "t")
    assert [p.name for p in (tmp_path / "t").rglob("*")] == ["keep.py"]


def test_a_symlink_becomes_what_it_names(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "outside").write_text("text")
    (tmp_path / "s" / "link").symlink_to("../outside")
    (tmp_path / "s" / "dangling").symlink_to("nowhere")
    disk.copy_tree(tmp_path / "s", tmp_path / "t")
    (copied,) = (tmp_path / "t").iterdir()
    assert copied.read_text() == "text" and not copied.is_symlink()


def test_the_key_tells_libraries_apart(tmp_path):
    library = tmp_path / "libx.so"
    library.write_bytes(b"1")
    first = disk.python_key([library])
    assert first == disk.python_key([library])
    library.write_bytes(b"2")
    assert first != disk.python_key([library])


# --- refusals -----------------------------------------------------------------

def kernel_with(folder: Path, loadable: str, builtin: str) -> Kernel:
    (folder / "modules.dep").write_text(loadable)
    (folder / "modules.builtin").write_text(builtin)
    return Kernel("odd", "6.12.0", folder, folder, folder)


def test_a_kernel_without_the_modules_is_refused(tmp_path):
    k = kernel_with(tmp_path, "kernel/drivers/block/virtio_blk.ko.xz:\n", "")
    with pytest.raises(DevError, match="odd kernel 6.12.0 has no module "
                                       "squashfs.*--kernel debian"):
        disk.check_modules(k)
    disk.check_modules(kernel_with(tmp_path, "kernel/fs/squashfs.ko:\n",
                                   "kernel/drivers/block/virtio_blk.ko\n"))


def test_a_plugin_that_is_missing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOM_LIBRARY", str(tmp_path / "x.so"))
    with pytest.raises(DevError, match="x.so does not exist, which "
                                       "LOOM_LIBRARY names"):
        disk.plugin()
    monkeypatch.delenv("LOOM_LIBRARY")
    monkeypatch.setattr(util, "BUILD", tmp_path)
    with pytest.raises(DevError, match="libloom_pjrt.so does not exist; "
                                       "./dev build host"):
        disk.plugin()


def test_too_little_memory_is_refused():
    with pytest.raises(DevError, match="needs 2048 MiB of memory, not 512"):
        jaxguest.config(guest.Config(memory=512))


def test_a_python_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr(setup, "SYSTEM_PYTHON", "/bin/sh")
    with pytest.raises(DevError, match="not Debian's python3.N"):
        disk.Python.system()


# --- the command line ------------------------------------------------------------

def test_the_defaults_depend_on_what_is_booted():
    args = cli.parser().parse_args(["guest", "--jax", "--", "python3", "x.py"])
    assert args.jax and args.command == ["python3", "x.py"]
    assert args.mem is None and args.timeout is None
    assert jaxguest.MEMORY > guest.MEMORY and jaxguest.TIMEOUT > guest.TIMEOUT


def test_a_disk_is_read_only_and_its_name_may_have_a_comma():
    args = guest.disk_arguments(guest.Config(disks=(Path("/a,b"), Path("/c"))))
    assert args[1] == "if=none,id=disk0,format=raw,readonly=on,file=/a,,b"
    assert args[3] == "virtio-blk-pci,drive=disk0"
    assert args[7] == "virtio-blk-pci,drive=disk1"


def test_the_shell_in_the_guest_sees_the_command_as_it_was():
    line = "echo \"it's\" $HOME; exit 3"
    out = subprocess.run(["sh", "-c", "set -- " + jaxguest.command(line)
                          + "; printf %s \"$4\""],
                         capture_output=True, text=True)
    assert out.stdout == line


# --- the judgement of the deep suite -------------------------------------------------

GOOD = [f"{2.5 - step / 10:.7f}" for step in range(jaxguest.STEPS)]
COUNTED = {"wrong": "", "compiled": 3,
           "counters": {"executed": 3, "executions": jaxguest.STEPS}}


def ran(losses=(), said="accuracy 0.1", wrong="", jobs=jaxguest.STEPS):
    text = "".join(f"step {i:4d}  loss {x}\n"
                   for i, x in enumerate(losses or GOOD))
    return jaxguest.Ran("x", f"{text}{said}\n", {**COUNTED, "wrong": wrong},
                        1.0, jobs)


def test_losses_of_each_step_are_asked_for():
    assert ran().losses == GOOD
    with pytest.raises(DevError, match="x printed no loss for each of 20 "):
        dataclasses.replace(ran(), text=ran().text.replace(
            "step    3", "step   33")).losses


@pytest.mark.parametrize("seen, sim, cpu, what", [
    (ran(), ran(), ran(), ""),
    (ran(), ran(["2.5000001", *GOOD[1:]]), ran(),
     "x, step 0: in the guest as in-process"),
    (ran(), ran(), ran([*GOOD[:19], "0.602"]), "x, step 19: as on the CPU"),
    (ran(), ran(), ran([*GOOD[:4], "nan", *GOOD[5:]]),
     "x, step 4: as on the CPU"),
    (ran(said="accuracy 0.2"), ran(), ran(), "all it prints"),
    (ran(wrong="2 loaded"), ran(), ran(), "loom in the guest executed"),
    (ran(), ran(wrong="2 loaded"), ran(), "loom in this process executed"),
    (ran(jobs=19), ran(), ran(), "driver: '20 executions, 19 jobs'"),
])
def test_the_judge_sees(seen, sim, cpu, what):
    report = jaxguest.judge(seen, sim, cpu)
    assert report.passed + len(report.failed) == 2 * len(GOOD) + 4
    assert any(what in failure for failure in report.failed) == bool(what)
    # Another loss is also another text.
    assert len(report.failed) <= 2


def test_a_row_of_the_result():
    row = jaxguest.row(ran(), ran([*GOOD[:4], "2.1000003", *GOOD[5:]]))
    assert row["from_the_cpu"] == 3e-7 and row["jobs"] == jaxguest.STEPS
    assert row["programs"] == row["executed"] == 3


def test_there_are_examples_and_each_takes_steps():
    assert len(jaxguest.examples()) >= 5
    assert all('"--steps"' in p.read_text() for p in jaxguest.examples())


# --- in a guest ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def booted(tmp_path_factory):
    """A guest whose disks hold a shell and nothing else."""
    if not qemu.OUTPUT.is_file():
        pytest.skip("QEMU is not built; ./dev build qemu")
    work = tmp_path_factory.mktemp("disks")
    for folder in (*disk.MOUNTS, "bin", "etc"):
        (work / "python" / folder).mkdir(parents=True)
    disk.shell_files(work / "python")
    (work / "loom" / "python").mkdir(parents=True)
    for name in ("python", "loom"):
        (work / name).chmod(0o700)  # as temporary folders are
        disk.make_image(work / name, work / f"{name}.img")
    config = guest.Config(
        devices=(), driver=False, modules=disk.MODULES,
        disks=(work / "python.img", work / "loom.img"),
        programs={jaxguest.ENTER: initramfs.GUEST / "in-jax"})
    with guest.Guest(config) as g:
        yield g


def test_a_command_runs_among_the_disks(booted):
    text = booted.check_run(jaxguest.command(
        "pwd; ls /opt/loom; echo $JAX_PLATFORMS; ls /proc/self/status"))
    assert text.split() == ["/data", "python", "loom,cpu",
                            "/proc/self/status"]
    booted.check()


def test_its_code_and_both_outputs_come_back(booted):
    assert booted.run_split(jaxguest.command("echo o; echo e >&2; exit 3")) \
        == (3, b"o\n", b"e\n")


def test_files_of_the_guest_are_seen_and_the_disk_is_read_only(booted):
    booted.put("/data/x", b"abc")
    assert booted.check_run(jaxguest.command("cat x")) == "abc"
    r = booted.run(jaxguest.command("echo > /usr-file"))
    assert r.rc and "Read-only file system" in r.stdout


def test_every_user_may_enter_the_disks(booted):
    assert booted.check_run(jaxguest.command(
        "su -s /bin/sh user -c 'ls /opt/loom'")) == "python\n"


def test_a_guest_without_the_disks_says_so():
    if not qemu.OUTPUT.is_file():
        pytest.skip("QEMU is not built; ./dev build qemu")
    config = guest.Config(
        devices=(), driver=False, modules=disk.MODULES,
        programs={jaxguest.ENTER: initramfs.GUEST / "in-jax"})
    with guest.Guest(config) as g:
        r = g.run(jaxguest.command("true"))
    assert r.rc == 125
    assert "no disk with Python; boot with ./dev guest --jax" in r.stdout
