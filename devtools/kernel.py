# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that loom.ko is built for: Debian's, and a debug kernel with
KASAN, lockdep and the other checkers, built here and cached by its inputs."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

from . import util
from .util import DevError, run, step

SOURCE = Path("/usr/src/linux-source-6.12.tar.xz")
FRAGMENT = util.ROOT / "tests" / "kernel" / "kasan.config"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

# DRM's helpers have no prompt in Kconfig: something must select them.
SELECTOR = """
config DRM_ACCEL_DEPS
\ttristate "DRM helpers for out-of-tree accel drivers"
\tdepends on DRM_ACCEL
\tselect DRM_SCHED
\tselect DRM_EXEC
\tselect DRM_GPUVM
\tselect DRM_GEM_SHMEM_HELPER
\tselect WANT_DEV_COREDUMP
\tselect AUXILIARY_BUS
"""


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel to boot: image, release, where its modules and headers are."""
    name: str
    release: str
    image: Path
    modules: Path  # the folder with modules.dep
    headers: Path  # what `make -C` takes


# --- Debian's kernel ------------------------------------------------------

def debian() -> Kernel:
    release = newest_debian_release()
    vmlinuz = Path("/boot") / f"vmlinuz-{release}"
    image = util.BUILD / "guest" / f"vmlinux-{release}"
    if not image.is_file():
        extract_vmlinux(vmlinuz, image)
    modules = Path("/lib/modules") / release
    return Kernel("debian", release, image, modules, modules / "build")


def newest_debian_release() -> str:
    found = []
    for path in Path("/lib/modules").glob("6.12.*-amd64"):
        m = re.match(r"6\.12\.(\d+)", path.name)
        if m and (path / "build").exists() and \
                (Path("/boot") / f"vmlinuz-{path.name}").is_file():
            found.append((int(m.group(1)), path.name))
    if not found:
        raise DevError("no Debian 6.12 kernel with headers is installed; "
                       "`./dev build setup` installs linux-image-6.12-amd64 "
                       "and linux-headers-6.12-amd64")
    return max(found)[1]


def extract_vmlinux(vmlinuz: Path, out: Path) -> None:
    """The uncompressed ELF image boots by PVH, without the second or so that
    the emulated CPU needs to decompress itself."""
    data = vmlinuz.read_bytes()
    at = data.find(ZSTD_MAGIC)
    while at >= 0:
        elf = subprocess.run(["zstd", "-dcq"], input=data[at:],
                             capture_output=True).stdout
        if elf[:4] == b"\x7fELF":
            out.parent.mkdir(parents=True, exist_ok=True)
            part = out.with_name(out.name + ".part")
            part.write_bytes(elf)
            part.replace(out)
            return
        at = data.find(ZSTD_MAGIC, at + 1)
    raise DevError(f"{vmlinuz} holds no zstd-compressed ELF image; "
                   "only Debian's 6.12 kernel is supported")


# --- the debug kernel ---------------------------------------------------------

def source_version() -> str:
    if not SOURCE.is_file():
        raise DevError(f"{SOURCE} is missing; `./dev build setup` installs "
                       "linux-source-6.12")
    out = util.capture(["dpkg-query", "-W", "-f=${Version}",
                        "linux-source-6.12"])
    return out.stdout.strip()


def kasan_cache() -> Path:
    key = util.digest(FRAGMENT.read_text(), SELECTOR, source_version(),
                      util.tool_version("gcc"))
    return util.cache_dir() / f"kasan-{key}"


def kasan() -> Kernel:
    """The debug kernel, if it was built."""
    home = kasan_cache()
    if not (home / "ready").exists():
        raise DevError("the KASAN kernel is not built; ./dev build kasan")
    return kasan_at(home)


def kasan_at(home: Path) -> Kernel:
    out = home / "out"
    release = (out / "include/config/kernel.release").read_text().strip()
    return Kernel("kasan", release, out / "arch/x86/boot/bzImage",
                  home / "modules" / "lib" / "modules" / release, out)


def build_kasan() -> Kernel:
    home = kasan_cache()
    with util.locked(home.with_name(home.name + ".lock")), \
            step("build the KASAN kernel"):
        if not (home / "ready").exists():
            build_kasan_in(home)
    return kasan_at(home)


def build_kasan_in(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    src, out = home / "src", home / "out"
    if not (home / "unpacked").exists():
        with step("unpack the kernel source"):
            shutil.rmtree(src, ignore_errors=True)
            src.mkdir()
            run(["tar", "xJf", SOURCE, "-C", src, "--strip-components=1"],
                "kasan", append=False)
            with (src / "drivers/accel/Kconfig").open("a") as f:
                f.write(SELECTOR)
            (home / "unpacked").touch()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with step("configure it"):
        configure_kasan(src, out)
    with step("compile it (about 10 CPU minutes)"):
        make = ["make", "-C", src, f"O={out}", f"-j{util.jobs()}"]
        env = {"KBUILD_BUILD_TIMESTAMP": "1970-01-01",
               "KBUILD_BUILD_USER": "loom", "KBUILD_BUILD_HOST": "loom"}
        run([*make, "bzImage", "modules"], "kasan", env=env)
        run([*make, "modules_install", f"INSTALL_MOD_PATH={home}/modules",
             "INSTALL_MOD_STRIP=1"], "kasan", env=env)
    (home / "ready").touch()


def configure_kasan(src: Path, out: Path) -> None:
    make = ["make", "-C", src, f"O={out}"]
    run([*make, "tinyconfig"], "kasan")
    run([src / "scripts/kconfig/merge_config.sh", "-m", "-O", out,
         out / ".config", FRAGMENT], "kasan", cwd=src)
    run([*make, "olddefconfig"], "kasan")
    lost = unresolved(FRAGMENT.read_text(), (out / ".config").read_text())
    if lost:
        raise DevError("these options of tests/kernel/kasan.config did not "
                       "survive olddefconfig: " + ", ".join(lost))


def unresolved(fragment: str, config: str) -> list[str]:
    """Options asked for that Kconfig dropped, e.g. for an unmet dependency."""
    have = set(config.splitlines())
    lost = []
    for name, value in re.findall(r"^(CONFIG_\w+)=(.*)$", fragment, re.M):
        if value == "n":
            if any(line.startswith(name + "=") for line in have):
                lost.append(f"{name}=n")
        elif f"{name}={value}" not in have:
            lost.append(f"{name}={value}")
    return lost


def by_name(name: str) -> Kernel:
    if name == "debian":
        return debian()
    if name == "kasan":
        return kasan()
    raise DevError(f"no kernel '{name}'; there are debian and kasan")


# --- loom.ko ----------------------------------------------------------------------

MODULE_SOURCES = ("accel", "uapi")
BUILT = (".o", ".ko", ".mod", ".mod.c", ".cmd", ".symvers", ".order", ".d")


def have_driver() -> bool:
    return any((util.ROOT / "accel" / name).is_file()
               for name in ("Kbuild", "Makefile"))


def build_module(kernel: Kernel, log: str | None = None,
                 args: tuple[str, ...] = ("W=1",)) -> Path:
    """Compiles loom.ko for `kernel` in build/kmod-<kernel>, a synced copy, so
    that two kernels never share object files."""
    work = util.BUILD / f"kmod-{kernel.name}"
    log = log or f"kmod-{kernel.name}"
    if not have_driver():
        raise DevError("accel/ has no Kbuild: there is no driver to build")
    with util.locked(work.with_name(f".{work.name}.lock")), \
            step(f"build loom.ko for {kernel.name} {kernel.release}"):
        for room in MODULE_SOURCES:
            util.sync_tree(util.ROOT / room, work / room, keep=BUILT)
        util.copy_if_changed(util.ROOT / "Kbuild", work / "Kbuild")
        run(["make", "-C", kernel.headers, f"M={work}",
             f"-j{util.jobs()}", *args, "modules"], log, append=False)
    module = work / "accel" / "loom.ko"
    if not module.is_file():
        raise DevError(f"{module} was not built; see {util.LOGS / log}.log")
    return module


