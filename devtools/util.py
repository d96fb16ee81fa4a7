# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Paths, timed steps, logged commands, content sync and locks."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
TAIL_LINES = 25


class DevError(Exception):
    """A failure with a message for the user; ./dev prints it and exits 1."""


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "loom"
    path.mkdir(parents=True, exist_ok=True)
    return path


def jobs() -> int:
    return len(os.sched_getaffinity(0))


def say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Says what is being done, and how long it took."""
    say(f"==> {what}")
    start = time.monotonic()
    yield
    say(f"    {what}: {time.monotonic() - start:.1f} s")


def digest(*parts: str | bytes) -> str:
    """A short hash over parts, each ended so that no two lists collide."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()[:16]


def sha256_file(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def tool_version(tool: str) -> str:
    out = subprocess.run([tool, "--version"], capture_output=True, text=True)
    return out.stdout.splitlines()[0] if out.stdout else tool


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    text = path.read_text(errors="replace").splitlines()
    return "\n".join("    | " + line for line in text[-lines:])


def run(cmd: Sequence[str | Path], log: str, *, cwd: Path = ROOT,
        env: Mapping[str, str] | None = None, timeout: float | None = None,
        append: bool = True) -> None:
    """Runs cmd with its output in build/logs/<log>.log; DevError if it fails."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    args = [str(c) for c in cmd]
    with path.open("ab" if append else "wb") as out:
        out.write(("$ " + " ".join(args) + "\n").encode())
        out.flush()
        try:
            rc = subprocess.run(args, cwd=cwd, env=merged_env(env), stdout=out,
                                stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL,
                                timeout=timeout).returncode
        except FileNotFoundError as e:
            raise DevError(f"{args[0]} is not installed ({e}); "
                           "`./dev build setup` installs what is needed") from e
        except subprocess.TimeoutExpired as e:
            raise DevError(f"{args[0]} did not end within {timeout:.0f} s; "
                           f"see {path}\n{tail(path)}") from e
    if rc != 0:
        raise DevError(f"`{' '.join(args)[:160]}` failed with code {rc}; "
                       f"see {path}\n{tail(path)}")


def merged_env(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return {**os.environ, **extra} if extra else None


def capture(cmd: Sequence[str | Path], *, cwd: Path = ROOT,
            env: Mapping[str, str] | None = None,
            timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in cmd], cwd=cwd, env=merged_env(env),
                          capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=timeout)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """An exclusive lock between processes; says so when it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"    waiting for another ./dev ({path})")
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def copy_if_changed(src: Path, dst: Path) -> bool:
    """Copies src over dst unless they are equal, so that make and ninja see
    a new time stamp only where there is new content."""
    if (dst.is_file() and filecmp.cmp(src, dst, shallow=False)
            and (src.stat().st_mode & 0o111) == (dst.stat().st_mode & 0o111)):
        return False
    dst.parent.mkdir(parents=True, exist_ok=True)
    part = dst.with_name(f".{dst.name}.part{os.getpid()}")
    shutil.copyfile(src, part)
    shutil.copymode(src, part)
    part.replace(dst)
    return True


def write_if_changed(dst: Path, text: str) -> bool:
    if dst.is_file() and dst.read_text() == text:
        return False
    dst.parent.mkdir(parents=True, exist_ok=True)
    dst.write_text(text)
    return True


def sync_tree(src: Path, dst: Path, keep: Iterable[str] = ()) -> int:
    """Makes dst hold the files of src, by content; files that src does not
    have are removed, unless their name ends in one of `keep`. Returns the
    number of changes."""
    wanted = {p.relative_to(src) for p in src.rglob("*") if p.is_file()
              and "__pycache__" not in p.parts}
    changes = sum(copy_if_changed(src / rel, dst / rel) for rel in wanted)
    suffixes = tuple(keep)
    for path in list(dst.rglob("*")) if dst.is_dir() else []:
        rel = path.relative_to(dst)
        if (path.is_file() and rel not in wanted
                and not (suffixes and path.name.endswith(suffixes))):
            path.unlink()
            changes += 1
    return changes


def die(message: str) -> None:
    print(f"dev: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
