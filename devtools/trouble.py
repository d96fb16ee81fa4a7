# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong around a run in the guest: no driver, no permission, a process
killed in mid-job. Each has to say what to do, and harm nobody else."""

from __future__ import annotations

from . import demo, guest, host, loomrun
from .checks import Report

NODE = loomrun.NODE
RUN = (f"/bin/loom run /data/digits.loom --device {NODE} "
       "--input x=/data/images.npy --batch-input x --json")
KILLS = 20


class Judge:
    """Counts expectations."""

    def __init__(self) -> None:
        self.report = Report()

    def expect(self, what: str, holds: bool, seen: str) -> None:
        if holds:
            self.report.passed += 1
        else:
            self.report.failed.append(f"{what}: {seen.strip()[-300:]!r}")


def refused(j: Judge, g: guest.Guest, what: str, command: str,
            *words: str) -> None:
    r = g.run(command)
    text = r.stdout
    j.expect(what, r.rc not in (0, 139) and all(w in text for w in words)
             and text.count("\n") <= 2, f"status {r.rc}: {text}")


def hashes(j: Judge, g: guest.Guest, what: str) -> str:
    r = g.run(RUN, 120.0)
    j.expect(what, r.rc == 0, r.stdout)
    if r.rc:
        return ""
    return str([o["sha256"] for o in loomrun.last_json(r.stdout)["outputs"]])


def killed(j: Judge, g: guest.Guest, expected: str) -> None:
    """A process killed at another moment each time; then others still run."""
    for i in range(KILLS):
        g.check_run(f"({RUN} > /dev/null 2>&1 & p=$!; usleep {i * 15000}; "
                    "kill -9 $p; wait $p; true)", 120.0)
    j.expect(f"results after {KILLS} kills", hashes(j, g, "a run after kills")
             == expected, "another hash")
    beside = g.check_run(
        f"({RUN} > /tmp/a 2>&1 & a=$!; {RUN} > /dev/null 2>&1 & b=$!; "
        "usleep 60000; kill -9 $b; wait $a; cat /tmp/a)", 120.0)
    got = str([o["sha256"] for o in loomrun.last_json(beside)["outputs"]])
    j.expect("a run beside one that is killed", got == expected, beside)
    left = g.check_run("cat /sys/kernel/debug/accel/*/clients | tail -n +2")
    j.expect("no client is left behind", not left.strip(), left)


def run() -> Report:
    program = demo.compile_model("npu16")
    config = guest.Config(
        programs={"/bin/loom": host.find_program("loom")},
        files={"/data/digits.loom": program, "/data/images.npy": demo.images()})
    j = Judge()
    with guest.Guest(config) as g:
        refused(j, g, "no driver", f"/bin/loom info --device {NODE} 2>&1",
                NODE, "driver loaded", "--device sim")
        g.load_driver()
        g.check_run("chmod 600 /dev/accel/accel0; "
                    "echo nobody:x:65534:65534::/:/bin/sh >> /etc/passwd")
        refused(j, g, "no permission",
                f"su -s /bin/sh nobody -c '/bin/loom info --device {NODE} 2>&1'",
                NODE, "no permission", "group render")
        expected = hashes(j, g, "a run")
        killed(j, g, expected)
        g.check_run("rmmod loom")
        refused(j, g, "driver removed", f"{RUN} 2>&1", NODE, "driver loaded")
        g.check()
    return j.report
