# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The harness itself: archives, the kernel-log gate, and a real boot."""

import subprocess

import pytest

from devtools import guest, initramfs, qemu
from devtools.guest import BAD_DMESG, HARMLESS


def test_the_archive_is_one_that_cpio_reads(tmp_path):
    a = initramfs.Archive()
    a.file("deep/er/file", b"12345", 0o640)
    a.link("bin/sh", "busybox")
    a.file("deep/er/file", b"a second one is dropped")
    out = subprocess.run(["cpio", "-i", "-d", "--quiet"], input=a.finish(),
                         cwd=tmp_path, capture_output=True)
    assert out.returncode == 0, out.stderr
    assert (tmp_path / "deep/er/file").read_bytes() == b"12345"
    assert (tmp_path / "deep/er/file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "bin/sh").is_symlink()


@pytest.mark.parametrize("line", [
    "BUG: KASAN: slab-use-after-free in loom_job_free+0x1/0x2",
    "WARNING: CPU: 0 PID: 1 at drivers/gpu/drm/scheduler/sched_main.c:1",
    "WARNING: possible circular locking dependency detected",
    "UBSAN: array-index-out-of-bounds in loom_submit.c:9:2",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "INFO: task loom:123 blocked for more than 122 seconds.",
    "DMA-API: loom 0000:01:00.0: device driver frees DMA memory",
    "ODEBUG: free active (active state 0) object: 0 type: work_struct",
    "refcount_t: underflow; use-after-free.",
])
def test_the_gate_sees(line):
    assert BAD_DMESG.search(line) and not HARMLESS.search(line)


@pytest.mark.parametrize("line", [
    "DMA-API: preallocated 65536 debug entries",
    "DMA-API: debugging enabled by kernel config",
    "rcu: \tRCU callback double-/use-after-free debug is enabled.",
    "kmemleak: Kernel memory leak detector initialized (mem pool available)",
    "loom: loading out-of-tree module taints kernel.",
])
def test_the_gate_lets_pass(line):
    assert not BAD_DMESG.search(line) or HARMLESS.search(line)


def test_devices_get_root_ports_and_names():
    args = guest.device_arguments(guest.Config(
        devices=("loom,target=npu8", "loom,id=second")))
    assert "loom,target=npu8,id=npu0,bus=rp0" in args
    assert "loom,id=second,bus=rp1" in args
    assert guest.device_arguments(guest.Config(devices=())) == []


@pytest.fixture(scope="module")
def booted():
    if not qemu.OUTPUT.is_file():
        pytest.skip("QEMU is not built; ./dev build qemu")
    with guest.Guest(guest.Config(devices=(), driver=False)) as g:
        yield g


def test_output_and_code_come_back(booted):
    assert booted.run_split("echo out; echo err >&2; exit 3") == \
        (3, b"out\n", b"err\n")


def test_output_is_shown_as_it_comes(booted, capfdbinary):
    pieces = []
    booted.run_split("echo one; sleep 0.3; echo two >&2",
                     show=lambda kind, data: pieces.append((kind, data)))
    assert pieces == [("O", b"one\n"), ("E", b"two\n")]
    guest.show("O", b"out\xff")
    guest.show("E", b"err")
    assert capfdbinary.readouterr() == (b"out\xff", b"err")


def test_what_is_parsed_has_no_error_output(booted):
    assert booted.check_run("echo err >&2; echo out") == "out\n"
    with pytest.raises(guest.GuestError, match="code 3:\nerr"):
        booted.check_run("echo err >&2; exit 3")


def test_a_signal_is_a_code_above_128(booted):
    assert booted.run("kill -9 $$").rc == 137


def test_files_are_binary_safe_both_ways(booted):
    data = bytes(range(256)) * 5000 + b"\0end"
    booted.put("/tmp/blob", data, 0o700)
    assert booted.get("/tmp/blob") == data
    assert booted.run("stat -c %a /tmp/blob").stdout == "700\n"


def test_missing_files_are_errors(booted):
    with pytest.raises(guest.GuestError, match="No such file"):
        booted.get("/nowhere")
    with pytest.raises(guest.GuestError, match="No such file"):
        booted.put("/no/where/file", b"")


def test_a_command_that_hangs_is_killed_and_the_guest_lives(booted):
    with pytest.raises(guest.GuestTimeout):
        booted.run("sleep 1000", 0.5)
    assert booted.run("echo alive").stdout == "alive\n"


def test_the_gate_fails_on_a_kernel_warning(booted):
    booted.check()
    booted.check_run("echo 'WARNING: made up' > /dev/kmsg; dmesg | tail -1")
    with pytest.raises(guest.GuestError, match="made up"):
        booted.check()


def test_a_guest_that_dies_is_an_error():
    with guest.Guest(guest.Config(devices=(), driver=False)) as g:
        with pytest.raises(guest.GuestError, match="gone|ended"):
            g.run("echo c > /proc/sysrq-trigger", 30)


def test_a_snapshot_goes_on_where_it_stopped(tmp_path):
    config = guest.Config(devices=(), driver=False)
    with guest.Guest(config) as g:
        g.put("/tmp/kept", b"state")
        g.save(tmp_path / "snapshot")
    for _ in range(2):
        with guest.Guest(config, restore=tmp_path / "snapshot") as g:
            assert g.get("/tmp/kept") == b"state"
            g.put("/tmp/kept", b"changed")
