# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the guest's initramfs: busybox, agent, kernel modules with what they
depend on, programs with the libraries they are linked to. Written directly as
a newc archive, so it takes milliseconds and no root."""

from __future__ import annotations

import io
import lzma
import re
import stat
from pathlib import Path

from . import util
from .kernel import Kernel
from .util import DevError

GUEST = util.ROOT / "tests" / "guest"
BUSYBOX = Path("/bin/busybox")
DIRECTORIES = ("bin", "sbin", "dev", "proc", "sys", "tmp", "run", "root", "etc",
               "lib", "usr", "usr/bin", "usr/sbin", "var", "data")
PASSWD = ("root:x:0:0:root:/root:/bin/sh\n"
          "user:x:1000:1000:user:/tmp:/bin/sh\n")
GROUP = "root:x:0:\nrender:x:105:\nuser:x:1000:\n"


class Archive:
    """A newc cpio archive; parents of each path are added on demand."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.seen: set[str] = set()

    def add(self, path: str, mode: int, data: bytes = b"",
            rdev: tuple[int, int] = (0, 0)) -> None:
        path = path.strip("/")
        if path in self.seen:
            return
        parent = path.rpartition("/")[0]
        if parent:
            self.directory(parent)
        self.seen.add(path)
        self.entry(path, mode, data, rdev)

    def entry(self, path: str, mode: int, data: bytes,
              rdev: tuple[int, int]) -> None:
        name = path.encode() + b"\0"
        fields = (len(self.seen), mode, 0, 0, 1, 0, len(data), 0, 0,
                  rdev[0], rdev[1], len(name), 0)
        self.out.write(b"070701" + b"".join(b"%08x" % f for f in fields) + name)
        self.pad()
        self.out.write(data)
        self.pad()

    def pad(self) -> None:
        self.out.write(b"\0" * (-self.out.tell() % 4))

    def directory(self, path: str) -> None:
        self.add(path, stat.S_IFDIR | 0o755)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.add(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, path: str, major: int, minor: int) -> None:
        self.add(path, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def finish(self) -> bytes:
        self.entry("TRAILER!!!", 0, b"", (0, 0))
        return self.out.getvalue()


def agent() -> Path:
    """The static agent, compiled when its source is newer."""
    source = GUEST / "agent.c"
    binary = util.BUILD / "guest" / "agent"
    if not binary.is_file() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(parents=True, exist_ok=True)
        util.run(["gcc", "-static", "-Os", "-Wall", "-Wextra", "-o", binary,
                  source], "agent", append=False)
    return binary


def shared_libraries(binary: Path) -> list[Path]:
    """The ldd closure. A static program has none."""
    out = util.capture(["ldd", binary])
    if "not a dynamic executable" in out.stdout + out.stderr or \
            "statically linked" in out.stdout:
        return []
    if out.returncode != 0:
        raise DevError(f"ldd {binary}: {out.stderr.strip()}")
    if "not found" in out.stdout:
        raise DevError(f"{binary} misses a library:\n{out.stdout}")
    found = re.findall(r"(?:=> )?(/\S+) \(0x", out.stdout)
    return [Path(p) for p in dict.fromkeys(found)]


def add_program(archive: Archive, guest_path: str, host: Path) -> None:
    archive.file(guest_path, host.read_bytes(), 0o755)
    for library in shared_libraries(host):
        archive.file(str(library), library.read_bytes(), 0o755)


# --- kernel modules -----------------------------------------------------------

def dependencies(kernel: Kernel) -> dict[str, tuple[str, list[str]]]:
    """Module name -> (its path, the paths it needs), from modules.dep."""
    table = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        table[module_name(path)] = (path, needs.split())
    return table


def module_name(path: str) -> str:
    return Path(path).name.partition(".ko")[0].replace("-", "_")


def module_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def wanted_modules(extra: Path) -> list[str]:
    out = util.capture(["/sbin/modinfo", "-F", "depends", extra])
    if out.returncode != 0:
        raise DevError(f"modinfo {extra}: {out.stderr.strip()}")
    return [n.replace("-", "_") for n in out.stdout.strip().split(",") if n]


def add_modules(archive: Archive, kernel: Kernel, names: list[str],
                extra: list[Path]) -> None:
    """The named modules, their dependencies, and out-of-tree ones. modules.dep
    is written here, so the guest's modprobe needs no depmod."""
    table = dependencies(kernel)
    base = f"lib/modules/{kernel.release}"
    lines: dict[str, list[str]] = {}
    roots = names + [n for ko in extra for n in wanted_modules(ko)]
    for name in dict.fromkeys(roots):
        if name not in table:
            continue  # built in, or checked by the caller's modprobe
        path, needs = table[name]
        for rel in [path, *needs]:
            if rel not in lines:
                own_needs = table[module_name(rel)][1]
                lines[rel] = own_needs
                archive.file(f"{base}/{rel.removesuffix('.xz')}",
                             module_bytes(kernel.modules / rel))
    for ko in extra:
        rel = f"extra/{ko.name}"
        direct = [table[n] for n in wanted_modules(ko) if n in table]
        closure = [p for path, needs in direct for p in [path, *needs]]
        # modprobe loads from the last to the first, so of what is needed twice
        # the last mention counts.
        lines[rel] = list(dict.fromkeys(closure[::-1]))[::-1]
        archive.file(f"{base}/{rel}", ko.read_bytes())
    text = "".join(f"{rel.removesuffix('.xz')}: "
                   + " ".join(n.removesuffix(".xz") for n in needs) + "\n"
                   for rel, needs in lines.items())
    archive.file(f"{base}/modules.dep", text.encode())
    archive.file(f"{base}/modules.alias", b"")
    archive.file(f"{base}/modules.symbols", b"")


# --- all of it --------------------------------------------------------------------

def base_archive() -> Archive:
    archive = Archive()
    for path in DIRECTORIES:
        archive.directory(path)
    archive.char_device("dev/console", 5, 1)
    archive.char_device("dev/null", 1, 3)
    archive.file("init", (GUEST / "init").read_bytes(), 0o755)
    archive.file("sbin/agent", agent().read_bytes(), 0o755)
    archive.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    archive.file("etc/passwd", PASSWD.encode())
    archive.file("etc/group", GROUP.encode())
    applets = util.capture([BUSYBOX, "--list"]).stdout.split()
    for applet in applets:
        archive.link(f"bin/{applet}", "busybox")
    return archive


def make(kernel: Kernel, modules: list[str], extra: list[Path],
         programs: dict[str, Path], files: dict[str, Path | bytes]) -> bytes:
    archive = base_archive()
    add_modules(archive, kernel, modules, extra)
    for guest_path, host in programs.items():
        add_program(archive, guest_path, host)
    for guest_path, content in files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        archive.file(guest_path, data)
    return archive.finish()
