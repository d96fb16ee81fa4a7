# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong around a run in the guest: no driver, no permission, a process
killed in mid-job. Each has to say what to do, and harm nobody else."""

from __future__ import annotations

import time

from . import demo, guest, host, loomrun, npy
from .checks import Report

NODE = loomrun.NODE
REPEATS = 20  # of the test images: a kill always finds jobs left
LIMIT = 120.0  # seconds for one command; only a hang gets there
RUN = (f"/bin/loom run /data/digits.loom --device {NODE} "
       "--batch-input x --json --input x=/data/images.npy")
SHORT_RUN = RUN.replace("images", "few")
KILLS = 20
EARLY = 5  # of these: before the first job
TRIES = 10  # until a process beside another was killed in time

# Starts a command, kills it, and prints its status and how many jobs the driver
# ran for it. When to kill: once the device was given so many jobs and is at
# work on one, which is the same moment on a fast host and on a busy one; or,
# for a moment before any job, us and a time.
KILL_AT = """#!/bin/sh
counters() {
	while read -r key value; do
		case $key in
		active:) active=$value ;;
		submitted:) submitted=$value ;;
		esac
	done < $file
}
alive() {
	read -r pid name state rest < /proc/$victim/stat && [ $state != Z ]
}
file=$(echo /sys/kernel/debug/accel/*/state)
when=$1
shift
counters
from=$submitted
"$@" > /dev/null 2>&1 &
victim=$!
case $when in
us*)
	usleep ${when#us} ;;
*)
	while alive 2> /dev/null; do
		counters
		[ $((submitted - from)) -ge $when ] && [ $active = 1 ] && break
	done ;;
esac
kill -9 $victim 2> /dev/null
wait $victim
status=$?
counters
echo $status $((submitted - from))
"""
KILLED = 128 + 9


class Judge:
    """Counts expectations."""

    def __init__(self) -> None:
        self.report = Report()

    def expect(self, what: str, holds: bool, seen: object) -> None:
        if holds:
            self.report.passed += 1
        else:
            self.report.failed.append(f"{what}: {str(seen).strip()[-300:]!r}")


def refused(j: Judge, g: guest.Guest, what: str, command: str,
            *words: str) -> None:
    r = g.run(command)
    text = r.stdout
    j.expect(what, r.rc not in (0, 139) and all(w in text for w in words)
             and text.count("\n") <= 2, f"status {r.rc}: {text}")


def hashes(out: bytes) -> str:
    line = loomrun.last_json(out.decode(errors="replace"))
    return str([o["sha256"] for o in line["outputs"]])


def ran(j: Judge, g: guest.Guest, what: str, command: str = RUN) -> str:
    """The hashes of a run that has to succeed."""
    rc, out, err = g.run_split(command, LIMIT)
    j.expect(what, rc == 0, err)
    return hashes(out) if rc == 0 else ""


def moments(jobs: int, short_run: float) -> list[str]:
    """When to kill, for kill-at. `jobs` are those of the whole run."""
    early = [f"us{int(short_run * 1e6 * i / EARLY)}" for i in range(EARLY)]
    step = jobs / (KILLS - EARLY + 1)
    return early + [str(max(1, int(i * step))) for i in range(KILLS - EARLY)]


def kill_at(g: guest.Guest, when: str) -> tuple[int, ...]:
    """Status and jobs of a run that was to be killed."""
    rc, out, err = g.run_split(f"kill-at {when} {RUN}", LIMIT)
    if rc:
        raise g.failure(f"kill-at ended with code {rc}: {err!r}")
    return tuple(map(int, out.split()))


def killed(j: Judge, g: guest.Guest, expected: str, jobs: int,
           short_run: float) -> None:
    """A process killed at another moment each time; then others still run."""
    seen = [kill_at(g, when) for when in moments(jobs, short_run)]
    j.expect("a process ends as its run does, or by the signal",
             {status for status, _ in seen} <= {0, KILLED}, seen)
    # A kill that comes too late tests nothing.
    j.expect("half of the kills are while jobs run and more are to come",
             sum(status == KILLED and 0 < done < jobs
                 for status, done in seen) >= KILLS // 2, seen)
    j.expect(f"results after {KILLS} kills", ran(j, g, "a run after kills")
             == expected, "another hash")
    beside(j, g, expected, jobs)
    left = g.check_run("cat /sys/kernel/debug/accel/*/clients | tail -n +2")
    j.expect("no client is left behind", not left.strip(), left)


def beside(j: Judge, g: guest.Guest, expected: str, jobs: int) -> None:
    """The driver counts the jobs of both runs, so kill at half of one's."""
    for _ in range(TRIES):
        rc, out, err = g.run_split(
            f"{RUN} > /tmp/beside & other=$!; "
            f"kill-at {jobs // 2} {RUN} > /tmp/killed; wait $other; rc=$?; "
            "cat /tmp/beside; exit $rc", LIMIT)
        status = g.check_run("cat /tmp/killed").split()
        if rc or status[0] == str(KILLED):
            break
    j.expect("a process is killed beside another", status[0] == str(KILLED),
             status)
    j.expect("a run beside one that is killed",
             rc == 0 and hashes(out) == expected, (rc, out, err))


def repeated(images: npy.Array, count: int) -> bytes:
    return npy.dump(npy.Array(images.descr,
                              (images.shape[0] * count, *images.shape[1:]),
                              images.data * count))


def run() -> Report:
    program = demo.compile_model("npu16")
    images = npy.parse(demo.images())
    config = guest.Config(
        programs={"/bin/loom": host.find_program("loom")},
        files={"/data/digits.loom": program,
               "/data/images.npy": repeated(images, REPEATS),
               "/data/few.npy": demo.images(),
               "/bin/kill-at": KILL_AT.encode()})
    j = Judge()
    with guest.Guest(config) as g:
        refused(j, g, "no driver", f"/bin/loom info --device {NODE} 2>&1",
                NODE, "driver loaded", "--device sim")
        g.load_driver()
        g.check_run("chmod 600 /dev/accel/accel0; chmod 755 /bin/kill-at; "
                    "echo nobody:x:65534:65534::/:/bin/sh >> /etc/passwd")
        refused(j, g, "no permission",
                f"su -s /bin/sh nobody -c '/bin/loom info --device {NODE} 2>&1'",
                NODE, "no permission", "group render")
        expected = ran(j, g, "a run")
        before = g.register("JOBS_RETIRED")
        start = time.monotonic()
        ran(j, g, "a short run", SHORT_RUN)
        short_run = time.monotonic() - start
        jobs = REPEATS * (g.register("JOBS_RETIRED") - before)
        killed(j, g, expected, jobs, short_run)
        g.check_run("rmmod loom")
        refused(j, g, "driver removed", f"{RUN} 2>&1", NODE, "driver loaded")
        g.check()
    return j.report
