# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong around a run in the guest: no driver, no permission, a process
killed in mid-job, more constants than memory. Each has to say what to do, and
harm nobody else."""

from __future__ import annotations

import sys
import time

from . import demo, guest, host, loomrun, npy
from .checks import Judge, Report
from .util import ROOT

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from bad_cases import heavier  # noqa: E402

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


def refused(j: Judge, g: guest.Guest, what: str, command: str,
            *words: str) -> None:
    r = g.run(command, LIMIT)
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


# Of constants: what a control group has no room for, and the whole guest.
GROUP_LIMIT = 160 << 20
HEAVY = {"group": 96 << 20, "guest": 480 << 20}
IN_GROUP = "echo 0 > /sys/fs/cgroup/small/cgroup.procs; exec"


def memory(j: Judge, g: guest.Guest, program: bytes, expected: str) -> None:
    """Constants that a buffer could hold, but not the memory that there is: one
    clear error, and all that was taken is given back."""
    # Files of zeros, which take memory only once they are read.
    g.check_run("mount -t tmpfs -o size=2g none /heavy && "
                "mount -t cgroup2 none /sys/fs/cgroup && "
                "echo +memory > /sys/fs/cgroup/cgroup.subtree_control && "
                "mkdir /sys/fs/cgroup/small && "
                f"echo {GROUP_LIMIT} > /sys/fs/cgroup/small/memory.max")
    for name, more in HEAVY.items():
        head, size = heavier(program, more)
        g.put(f"/heavy/{name}.loom", head)
        g.check_run(f"truncate -s {size} /heavy/{name}.loom")
    short = {name: SHORT_RUN.replace("/data/digits", f"/heavy/{name}")
             for name in HEAVY}
    size_of = {name: f"of {constants(program) + more} bytes"
               for name, more in HEAVY.items()}
    few = ran(j, g, "a run of few images", SHORT_RUN)
    refused(j, g, "constants above the control group's memory",
            f"({IN_GROUP} {short['group']}) 2>&1", size_of["group"],
            f"control group allows {GROUP_LIMIT >> 20} MiB", "raise the limit")
    j.expect("the same constants without the limit",
             ran(j, g, "a run of heavy constants", short["group"]) == few,
             "another hash")
    g.check_run("rm /heavy/group.loom")
    refused(j, g, "constants above the guest's memory", f"{short['guest']} 2>&1",
            size_of["guest"], "MiB are free", "provide more memory")
    left = g.check_run("cat /sys/kernel/debug/accel/*/bos | tail -n +2")
    j.expect("no buffer is left behind", not left.strip(), left)
    # Its file is still in memory.
    j.expect("a run while memory is short", ran(j, g, "a run then") == expected,
             "another hash")
    g.check_run("rm /heavy/guest.loom")


def constants(program: bytes) -> int:
    """const_bytes of a .loom."""
    return int.from_bytes(program[24:32], "little")


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
                    "mkdir /heavy; "
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
        memory(j, g, program.read_bytes(), expected)
        g.check_run("rmmod loom")
        refused(j, g, "driver removed", f"{RUN} 2>&1", NODE, "driver loaded")
        g.check()
    return j.report
