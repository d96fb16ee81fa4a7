# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disks of a guest with JAX, as squashfs images.

One holds Python with the venv's packages and every shared library that they
and Loom's own programs need; it takes a minute to make, and is cached outside
the checkout by what it is made from. The other holds what the checkout built
and is made anew each time. Neither is compressed: an emulated CPU would spend
longer on unpacking than the host needs to read."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import host, initramfs, kernel, setup, util
from .util import DevError, run, step

MODULES = ("virtio_blk", "squashfs")
PLUGIN = "libloom_pjrt.so"
PYTHON_PACKAGE = util.ROOT / "umd" / "python"
LOOM = "opt/loom"  # where the checkout's own files are, in the guest
# Where the guest's other file systems go.
MOUNTS = ("dev", "proc", "sys", "tmp", "run", "root", "data", LOOM)
TEXTS = Path("/usr/share/common-licenses")  # what examples/ learn from
LIBRARIES = "usr/lib/x86_64-linux-gnu"
NOT_COPIED = ("__pycache__", "test", "config-*", "pip", "pip-*")
UNCOMPRESSED = ("-noI", "-noId", "-noD", "-noF", "-noX")
# Everything that mksquashfs writes is given: no owner, no time, no attribute.
REPRODUCIBLE = ("-all-root", "-no-xattrs", "-no-exports", "-root-mode", "755")


@dataclasses.dataclass(frozen=True)
class Python:
    """The Python that the venv is made from: its program, library, version."""
    program: Path
    stdlib: Path
    packages: str  # where the venv's packages go in the image

    @staticmethod
    def system() -> Python:
        program = Path(setup.SYSTEM_PYTHON).resolve()
        name = program.name  # pythonX.Y
        if not re.fullmatch(r"python3\.\d+", name):
            raise DevError(f"{setup.SYSTEM_PYTHON} is {program}, not Debian's "
                           "python3.N; a guest with JAX takes Debian's")
        return Python(program, Path("/usr/lib") / name,
                      f"usr/local/lib/{name}/dist-packages")


def check_modules(k: kernel.Kernel) -> None:
    """The kernel's own list tells before a boot that cannot mount anything."""
    builtin = {initramfs.module_name(line) for line in
               (k.modules / "modules.builtin").read_text().splitlines()}
    have = builtin | initramfs.dependencies(k).keys()
    missing = [name for name in MODULES if name not in have]
    if missing:
        raise DevError(f"the {k.name} kernel {k.release} has no module "
                       f"{' and no '.join(missing)}, which the disks of a guest "
                       "with JAX need; --kernel debian has")


def plugin() -> Path:
    """The plugin to take: LOOM_LIBRARY's, else the one built here."""
    named = os.environ.get("LOOM_LIBRARY")
    path = Path(named) if named else host.HOST.dir / "umd" / "pjrt" / PLUGIN
    if not path.is_file():
        raise DevError(f"{path} does not exist"
                       + (", which LOOM_LIBRARY names" if named else "")
                       + "; ./dev build host builds it")
    return path.resolve()


# --- shared libraries -----------------------------------------------------------

def needed(files: Iterable[Path], own: Path) -> list[Path]:
    """The system's libraries that `files` load; what lies in `own` comes with
    them. Wheels bring some of theirs, and find them by name at run time."""
    out = util.capture(["ldd", *files]).stdout
    found = re.findall(r"(?:=> )?(/\S+) \(0x", out)
    return sorted({Path(p) for p in found if not Path(p).is_relative_to(own)})


def place_libraries(libraries: Iterable[Path], root: Path) -> None:
    """All in the one folder that the loader searches by itself; the loader
    where programs name it."""
    for library in libraries:
        folder = (library.parent.relative_to("/")
                  if library.name.startswith("ld-linux") else LIBRARIES)
        target = root / folder / library.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(library.resolve(), target)
            target.chmod(0o755)


# --- images -----------------------------------------------------------------------

def make_image(root: Path, image: Path) -> None:
    """Writes the tree `root` as `image`, the same bytes for the same tree."""
    part = image.with_name(f".{image.name}.part{os.getpid()}")
    try:
        run(["mksquashfs", root, part, "-noappend", "-no-progress",
             *UNCOMPRESSED, *REPRODUCIBLE, "-processors", str(util.jobs())],
            "guest-disk", env={"SOURCE_DATE_EPOCH": "0"}, append=False)
        part.replace(image)
    finally:
        part.unlink(missing_ok=True)


def copy_tree(source: Path, target: Path) -> None:
    """By links where the file system allows it, for nothing is changed."""
    def copy(src: str, dst: str) -> None:
        try:
            os.link(os.path.realpath(src), dst)  # not the symlink itself
        except OSError:
            shutil.copyfile(src, dst)

    unwanted = shutil.ignore_patterns(*NOT_COPIED)

    def ignore(folder: str, names: list[str]) -> set[str]:
        return unwanted(folder, names) | {
            n for n in names if not (Path(folder) / n).exists()}

    if not source.is_dir():
        raise DevError(f"{source} does not exist; ./dev build setup makes it")
    shutil.copytree(source, target, copy_function=copy, ignore=ignore)


def compile_modules(python: Python, root: Path) -> None:
    """Python's modules as bytecode that is taken as it is: a read-only disk has
    no room for it later, and an emulated CPU takes minutes."""
    run([setup.SYSTEM_PYTHON, "-m", "compileall", "-q", f"-j{util.jobs()}",
         "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/",
         root / python.stdlib.relative_to("/"), root / python.packages],
        "guest-disk-bytecode", env={"PYTHONHASHSEED": "0"}, append=False)


def stage_python(root: Path, extra: list[Path]) -> None:
    """The tree of the cached disk."""
    python = Python.system()
    venv = setup.venv_dir()
    for folder in (*MOUNTS, "bin", "etc", "lib64", "usr/bin", LIBRARIES):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "lib").symlink_to("usr/lib")
    shutil.copyfile(python.program, root / "usr/bin" / python.program.name)
    (root / "usr/bin" / python.program.name).chmod(0o755)
    for name in ("python3", "python"):
        (root / "usr/bin" / name).symlink_to(python.program.name)
    copy_tree(python.stdlib, root / python.stdlib.relative_to("/"))
    copy_tree(venv / "lib" / python.program.name / "site-packages",
              root / python.packages)
    copy_tree(TEXTS, root / TEXTS.relative_to("/"))
    modules = [p for base in (python.stdlib, venv) for p in base.rglob("*.so*")
               if p.is_file()]
    place_libraries([*needed([python.program, *modules], venv), *extra], root)
    compile_modules(python, root)
    shell_files(root)


def shell_files(root: Path) -> None:
    """What a shell needs, as in the initramfs."""
    shutil.copyfile(initramfs.BUSYBOX, root / "bin/busybox")
    (root / "bin/busybox").chmod(0o755)
    for applet in util.capture([initramfs.BUSYBOX, "--list"]).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text(initramfs.PASSWD)
    (root / "etc/group").write_text(initramfs.GROUP)


def python_key(extra: list[Path]) -> str:
    """All that shapes the cached disk. The venv's name is a hash of the pinned
    packages and of Python's version."""
    python = Python.system().program.name
    version = util.capture(["dpkg-query", "-W", "-f=${Package} ${Version}\n",
                            f"{python}-minimal", f"lib{python}-stdlib",
                            "libc6", "busybox-static"])
    return util.digest(Path(__file__).read_text(), setup.venv_dir().name,
                       version.stdout, util.tool_version("mksquashfs"),
                       *(f"{p} {util.sha256_file(p)}" for p in extra))


def python_disk(programs: list[Path]) -> Path:
    """The disk with Python, JAX and the libraries that `programs` need."""
    setup.venv_python()
    extra = sorted({p for program in programs
                    for p in initramfs.shared_libraries(program)})
    image = util.cache_dir() / f"guest-jax-{python_key(extra)}.squashfs"
    with util.locked(image.with_suffix(".lock")):
        if not image.is_file():
            with step("make the guest's disk with JAX"), \
                    tempfile.TemporaryDirectory(dir=util.cache_dir(),
                                                prefix="guest-jax-") as work:
                stage_python(Path(work), extra)
                make_image(Path(work), image)
    return image


def loom_disk(library: Path, programs: dict[str, Path]) -> Path:
    """The disk with what this checkout built: plugin, package, programs."""
    image = util.BUILD / "guest" / "loom.squashfs"
    image.parent.mkdir(parents=True, exist_ok=True)
    with util.locked(image.with_suffix(".lock")), \
            tempfile.TemporaryDirectory(dir=image.parent) as work:
        root = Path(work)
        for folder in ("lib", "bin"):
            (root / folder).mkdir()
        copy_tree(PYTHON_PACKAGE, root / "python")
        shutil.copyfile(library, root / "lib" / PLUGIN)
        for name, program in programs.items():
            shutil.copyfile(program, root / "bin" / name)
            (root / "bin" / name).chmod(0o755)
        make_image(root, image)
    return image
