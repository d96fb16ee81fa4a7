# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The wheel of loom-npu: one more link of what the host build compiled, with MLIR's archives, stripped; looked at
with readelf; installed where nothing else is but JAX and Flax, and tried there."""

from __future__ import annotations

import contextlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from . import host, runners, setup, util
from .checks import Report
from .util import DevError, ROOT, run, say, step

PACKAGE = ROOT / "umd" / "python"
SMOKE = ROOT / "devtools" / "smoke.py"
LIBRARY = "libloom_pjrt.so"
# Whatever the library or the package is made of.
INPUTS = ("CMakeLists.txt", "cmake", "uapi", "qemu-device/model", "accel/core", "umd", "compiler")
NOT_INPUTS = ("tests", "test", "unittests", "fuzz", "__pycache__")
# Debian packages whose archives end up inside.
LINKED = ("libmlir-22-dev", "llvm-22-dev", "libdrm-dev", "libdeflate-dev", "libfmt-dev", "nlohmann-json3-dev",
          "zlib1g-dev", "libstdc++-12-dev")
# What any Linux with glibc has, by PEP 600.
SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1",
          "ld-linux-x86-64.so.2"}
HEADERS = ("loom.h", "compile.h", "pjrt.h")
MOST_BYTES = 40 << 20
FLAX = "flax>=0.12,<0.13"  # the newest that goes with a release of JAX


def key() -> str:
    """Of everything that the wheel is made of."""
    files = [ROOT / name for name in INPUTS]
    parts: list[str | bytes] = [util.tool_version("c++"), util.tool_version("cmake"), debian_versions()]
    for top in files:
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            inside = path.relative_to(ROOT)
            if path.is_file() and not set(inside.parts) & set(NOT_INPUTS) and path.suffix != ".so":
                parts += [str(inside), path.read_bytes()]
    return util.digest(*parts)


def debian_versions() -> str:
    out = util.capture(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *LINKED])
    return out.stdout


def build() -> Path:
    """The wheel, from the cache outside the checkout if nothing of it changed."""
    home = util.cache_dir() / f"wheel-{key()}"
    with util.locked(home.with_name(home.name + ".lock")):
        found = list(home.glob("*.whl"))
        if not found:
            found = [make(home)]
    wheel = found[0]
    say(f"    {wheel.name}, {wheel.stat().st_size / 2**20:.1f} MiB")
    return wheel


def make(home: Path) -> Path:
    tree = host.build(host.HOST, ("loom_pjrt_wheel",))
    stage = util.BUILD / "wheel"
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(PACKAGE, stage, ignore=shutil.ignore_patterns("tests", "jax_plugins", "__pycache__",
                                                                  "*.egg-info", "requirements.txt", "*.so"))
    library = stage / "loom" / LIBRARY
    built = next(tree.glob("umd/pjrt/wheel/*.so"))
    run(["strip", "--strip-all", "-o", library, built], "wheel", append=False)
    licences(stage / "licences")
    tag = platform_tag(library)
    with step(f"make the wheel for {tag}"):
        run([setup.venv_python(), "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "-w",
             stage / "dist", stage], "wheel", env={"LOOM_PLATFORM_TAG": tag})
    made = next((stage / "dist").glob("*.whl"))
    part = home.with_name(home.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copyfile(made, part / made.name)
    shutil.rmtree(home, ignore_errors=True)
    part.rename(home)
    return home / made.name


def licences(folder: Path) -> None:
    """Those of what is linked in, as Debian has them."""
    folder.mkdir()
    for package in LINKED:
        source = Path("/usr/share/doc") / package / "copyright"
        if not source.is_file():
            raise DevError(f"{source} is missing, and the wheel may not go out without it")
        shutil.copyfile(source, folder / f"{package}.txt")


# --- what the library needs and shows -------------------------------------------

def glibc_needed(library: Path) -> tuple[int, int]:
    """The newest version of glibc that a symbol of the library asks for."""
    out = util.capture(["readelf", "-V", "-W", library]).stdout
    found = {(int(a), int(b)) for a, b in re.findall(r"GLIBC_(\d+)\.(\d+)", out)}
    if not found:
        raise DevError(f"readelf shows no version of glibc in {library}")
    return max(found)


def platform_tag(library: Path) -> str:
    """manylinux by PEP 600: what the symbols ask for, whatever machine built them."""
    major, minor = glibc_needed(library)
    return f"manylinux_{major}_{minor}_x86_64"


def needed(library: Path) -> set[str]:
    out = util.capture(["readelf", "-d", "-W", library]).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*?)\]", out))


def exported(library: Path) -> set[str]:
    out = util.capture(["nm", "-D", "--defined-only", library]).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


def intended() -> set[str]:
    """GetPjrtApi and what the headers declare."""
    names = {"GetPjrtApi"}
    for header in HEADERS:
        text = (ROOT / "umd" / "include" / "loom" / header).read_text()
        names |= set(re.findall(r"^LOOM_API\b[^;]*?\b(loom_\w+)\(", text, re.M))
    return names


def look_at(wheel: Path) -> Report:
    """Tag, needs, exports, debug information and size of the library in a wheel."""
    with zipfile.ZipFile(wheel) as z:
        folder = util.BUILD / "wheel-look"
        shutil.rmtree(folder, ignore_errors=True)
        library = Path(z.extract(f"loom/{LIBRARY}", folder))
        names = z.namelist()
    sections = util.capture(["readelf", "-S", "-W", library]).stdout
    wrong = {
        "its tag is not that of its symbols": platform_tag(library) not in wheel.name,
        f"it needs {needed(library) - SYSTEM}": bool(needed(library) - SYSTEM),
        f"it exports {exported(library) ^ intended()} too much or too little":
            exported(library) != intended(),
        "it has debug information": ".debug_info" in sections,
        f"it is larger than {MOST_BYTES >> 20} MiB": wheel.stat().st_size > MOST_BYTES,
        "it has no licences": not any("/licences/" in n for n in names),
        "it has tests": any("tests/" in n or n.startswith("jax_plugins") for n in names),
    }
    failed = [f"{wheel.name}: {text}" for text, bad in wrong.items() if bad]
    return Report(passed=len(wrong) - len(failed), failed=failed,
                  detail=f"{wheel.name}, {wheel.stat().st_size / 2**20:.1f} MiB, "
                         f"library {library.stat().st_size / 2**20:.1f} MiB")


# --- where nothing else is -----------------------------------------------------------

def tested_jax() -> tuple[str, ...]:
    """The releases that the package says it is tested with, newest first."""
    text = (PACKAGE / "loom" / "versions.py").read_text()
    return tuple(re.findall(r'"([\d.]+)"', re.search(r"^PLUGIN_JAX = \((.*?)\)", text, re.M)[1]))


def clean_venv(jax: str, more: tuple[str, ...] = ()) -> Path:
    """A venv with that JAX, Flax, `more`, and nothing that they do not ask for. With `more`, what the project pins is
    in that version: its numbers are compared with those of the project's own venv."""
    pins = (setup.REQUIREMENTS.read_text(),) if more else ()
    name = util.digest(FLAX, *more, *pins, util.tool_version(setup.SYSTEM_PYTHON))
    venv = util.cache_dir() / f"clean-jax-{jax}-{name}"
    if not (venv / "ready").exists():
        pinned = ("-c", setup.REQUIREMENTS) if pins else ()
        with step(f"make a venv with {' and '.join((f'jax {jax}', 'flax', *more))}"):
            shutil.rmtree(venv, ignore_errors=True)
            run([setup.SYSTEM_PYTHON, "-m", "venv", venv], "clean-venv", append=False)
            run([venv / "bin" / "python3", "-m", "pip", "install", "--disable-pip-version-check", f"jax=={jax}",
                 f"jaxlib=={jax}", FLAX, *more, *pinned], "clean-venv")
            (venv / "ready").touch()
    return venv


@contextlib.contextmanager
def installed(wheel: Path, jax: str, more: tuple[str, ...] = ()) -> Iterator[Path]:
    """The python of such a venv, the wheel installed as a user would; no other ./dev changes it meanwhile."""
    with util.locked(util.cache_dir() / f"{'-'.join((f'clean-jax-{jax}', *more))}.lock"):
        python = clean_venv(jax, more) / "bin" / "python3"
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        log = f"install-{jax}"
        run([*pip, "uninstall", "-y", "loom-npu", "safetensors"], log, append=False)
        run([*pip, "install", wheel], log)
        run([*pip, "check"], log)
        yield python


def try_out(wheel: Path, jax: str = "") -> Report:
    """devtools/smoke.py beside that JAX (the newest tested)."""
    jax = jax or tested_jax()[0]
    with installed(wheel, jax) as python:
        cache = util.BUILD / f"smoke-{jax}-cache"
        shutil.rmtree(cache, ignore_errors=True)
        return runners.counted([python, "-I", SMOKE, "--readme", ROOT / "README.md"], f"smoke-{jax}-run", timeout=600,
                               env={"JAX_PLATFORMS": "loom,cpu", "LOOM_DEVICE": "sim", "LOOM_CACHE_DIR": str(cache)})
