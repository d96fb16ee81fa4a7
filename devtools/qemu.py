# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds QEMU with `-device loom` from Debian's source.

Source and build tree live in a cache outside the checkout, keyed by everything
that shapes them but the device itself; the device and the model are synced in
by content, so that a change to them costs a compile and a link."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

from . import util
from .util import DevError, run, say, step

OVERLAY = util.ROOT / "qemu-device" / "overlay"
DEVICE = util.ROOT / "qemu-device" / "hw" / "loom"
LOCK_FILE = OVERLAY / "source.toml"
OUTPUT = util.BUILD / "qemu" / "qemu-system-x86_64"
FIRMWARE = ("/usr/share/seabios", "/usr/share/qemu")

FLAGS = (
    "--target-list=x86_64-softmmu",
    "--without-default-features",
    "--without-default-devices",
    "--with-devices-x86_64=loom",
    "--enable-tcg",
    "--enable-system",
    "--disable-docs",
    "--disable-download",
    "--disable-install-blobs",
    "--enable-trace-backends=log",
    "--disable-debug-info",
    "--disable-werror",
)

# What hw/loom holds while the checkout has no device yet.
EMPTY_DEVICE = {
    "Kconfig": "config LOOM_PCI\n    bool\n",
    "meson.build": "",
    "trace-events": "",
    "trace.h": '#include "trace/trace-hw_loom.h"\n',
}


@dataclasses.dataclass(frozen=True)
class Lock:
    package: str
    suite: str
    version: str
    dsc_sha256: str
    meson: str


def read_lock() -> Lock:
    return Lock(**tomllib.loads(LOCK_FILE.read_text()))


def cache_key(lock: Lock) -> str:
    return util.digest(lock.dsc_sha256, lock.meson, *FLAGS,
                       (OVERLAY / "loom.mak").read_text(),
                       (OVERLAY / "apply.py").read_text(),
                       *(p.read_text() for p in sorted(OVERLAY.glob("*.patch"))),
                       util.tool_version("gcc"))


def cache() -> Path:
    return util.cache_dir() / f"qemu-{cache_key(read_lock())}"


# --- the source, through a private apt ------------------------------------

def apt_sources(suite: str) -> str:
    """The machine's own Debian mirrors and keys, with `suite` for its suite."""
    codename = os_codename()
    found: list[tuple[str, str, str]] = []
    parts = Path("/etc/apt/sources.list.d")
    for path in [Path("/etc/apt/sources.list"), *sorted(parts.glob("*"))]:
        if path.suffix == ".sources":
            found += deb822_entries(path.read_text(), codename)
        elif path.is_file() and path.suffix == ".list":
            found += one_line_entries(path.read_text(), codename)
    lines = []
    for uri, old_suite, key in dict.fromkeys(found):
        new_suite = old_suite.replace(codename, suite)
        if new_suite in (suite, f"{suite}-security"):
            option = f"[signed-by={key}] " if key else ""
            lines.append(f"deb-src {option}{uri} {new_suite} main\n")
    if not lines:
        raise DevError(f"no Debian {codename} mirror in /etc/apt/sources.list "
                       "or sources.list.d; QEMU's source comes from the "
                       f"machine's own mirror (suite {suite}): add one")
    return "".join(lines)


def os_codename() -> str:
    text = Path("/etc/os-release").read_text()
    m = re.search(r"^VERSION_CODENAME=(\S+)$", text, re.M)
    if not m:
        raise DevError("/etc/os-release names no VERSION_CODENAME; "
                       "Loom is built on Debian 12")
    return m.group(1)


def deb822_entries(text: str, codename: str) -> list[tuple[str, str, str]]:
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        stanza = re.sub(r"^#.*\n?", "", stanza, flags=re.M)
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
        if fields.get("Enabled", "yes").strip().lower() == "no":
            continue
        key = fields.get("Signed-By", "").strip()
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                if suite.startswith(codename):
                    entries.append((uri, suite, key if key[:1] == "/" else ""))
    return entries


def one_line_entries(text: str, codename: str) -> list[tuple[str, str, str]]:
    entries = []
    for line in text.splitlines():
        m = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)", line)
        if m and m.group(3).startswith(codename):
            key = re.search(r"signed-by=(\S+)", m.group(1) or "")
            entries.append((m.group(2), m.group(3), key.group(1) if key else ""))
    return entries


def private_apt(suite: str) -> list[str]:
    """Options that keep apt's lists and caches away from the system's."""
    base = util.cache_dir() / "apt"
    for sub in ("state/lists/partial", "cache/archives/partial"):
        (base / sub).mkdir(parents=True, exist_ok=True)
    sources = base / "sources.list"
    sources.write_text(apt_sources(suite))
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": base / "state",
        "Dir::State::lists": base / "state/lists",
        "Dir::Cache": base / "cache",
        "APT::Sandbox::User": "root" if os.getuid() == 0 else "",
        "APT::Get::List-Cleanup": "false",
    }
    return [f"-o{name}={value}" for name, value in options.items() if value]


def offered_version(apt: list[str], package: str) -> str:
    out = util.capture(["apt-cache", *apt, "showsrc", "--only-source", package])
    versions = re.findall(r"^Version: (\S+)$", out.stdout, re.M)
    if not versions:
        raise DevError(f"the mirror offers no source package {package}; "
                       f"see {util.LOGS}/qemu-source.log")
    newest = versions[0]
    for v in versions[1:]:
        if util.capture(["dpkg", "--compare-versions", v, "gt",
                         newest]).returncode == 0:
            newest = v
    return newest


def fetch_source(lock: Lock) -> Path:
    """Downloads the locked source; returns its checked .dsc."""
    dsc_name = f"{lock.package}_{lock.version.split(':')[-1]}.dsc"
    folder = util.cache_dir() / "sources"
    folder.mkdir(exist_ok=True)
    dsc = folder / dsc_name
    if not (dsc.is_file() and util.sha256_file(dsc) == lock.dsc_sha256):
        apt = private_apt(lock.suite)
        run(["apt-get", *apt, "update"], "qemu-source", append=False)
        try:
            run(["apt-get", *apt, "source", "--download-only",
                 f"{lock.package}={lock.version}"], "qemu-source", cwd=folder)
        except DevError as e:
            raise DevError(
                f"QEMU {lock.version} cannot be fetched (the mirror offers "
                f"{offered_version(apt, lock.package)}); to take what is "
                f"offered: ./dev build qemu --relock\n{e}") from e
    check_dsc(dsc, lock.dsc_sha256)
    return dsc


def check_dsc(dsc: Path, expected: str) -> None:
    found = util.sha256_file(dsc)
    if found != expected:
        raise DevError(f"{dsc} has sha256 {found}, {LOCK_FILE} records "
                       f"{expected}; the source is not the recorded one")


def relock() -> None:
    """Records the version that the mirror offers now."""
    lock = read_lock()
    apt = private_apt(lock.suite)
    run(["apt-get", *apt, "update"], "qemu-source", append=False)
    version = offered_version(apt, lock.package)
    folder = util.cache_dir() / "sources"
    folder.mkdir(exist_ok=True)
    run(["apt-get", *apt, "source", "--download-only",
         f"{lock.package}={version}"], "qemu-source", cwd=folder)
    name = f"{lock.package}_{version.split(':')[-1]}.dsc"
    text = LOCK_FILE.read_text()
    text = text.replace(f'"{lock.version}"', f'"{version}"')
    text = text.replace(lock.dsc_sha256, util.sha256_file(folder / name))
    LOCK_FILE.write_text(text)
    say(f"    {LOCK_FILE.relative_to(util.ROOT)} now records {version}")


# --- tree, tools, model -----------------------------------------------------

def meson_python(version: str) -> Path:
    """A private Python with the meson that QEMU's configure asks for."""
    venv = util.cache_dir() / f"meson-{version}"
    python = venv / "bin" / "python3"
    if not (venv / "ready").exists():
        shutil.rmtree(venv, ignore_errors=True)
        run(["/usr/bin/python3", "-m", "venv", venv], "qemu-meson",
            append=False)
        run([python, "-m", "pip", "install", "-q", f"meson=={version}"],
            "qemu-meson")
        (venv / "ready").touch()
    return python


def unpack(lock: Lock, home: Path) -> None:
    src = home / "src"
    if (home / "unpacked").exists():
        return
    with step(f"unpack QEMU {lock.version}, apply Debian's patches and Loom's "
              "overlay"):
        shutil.rmtree(src, ignore_errors=True)
        dsc = fetch_source(lock)
        run(["dpkg-source", "-x", dsc, src], "qemu-unpack", append=False)
        run([sys.executable, OVERLAY / "apply.py", src], "qemu-unpack")
        (home / "unpacked").touch()


def have_device() -> bool:
    return (DEVICE / "meson.build").is_file()


def sync_device(home: Path) -> int:
    target = home / "src" / "hw" / "loom"
    if have_device():
        return util.sync_tree(DEVICE, target)
    return sum(util.write_if_changed(target / name, text)
               for name, text in EMPTY_DEVICE.items())


def build_model(home: Path) -> None:
    """libloom_model.a and its .pc, from synced copies of model and uapi: the
    cache is shared by checkouts, so nothing in it may point into one."""
    tree = home / "tree"
    for room in ("uapi", "qemu-device/model"):
        util.sync_tree(util.ROOT / room, tree / room)
    util.copy_if_changed(util.ROOT / "CMakeLists.txt", tree / "CMakeLists.txt")
    out = home / "model"
    run(["cmake", "-S", tree, "-B", out, "-G", "Ninja",
         "-DLOOM_COMPILER=OFF", "-DBUILD_TESTING=OFF"], "qemu-model",
        append=False)
    run(["ninja", "-C", out, "loom_model"], "qemu-model")
    library = out / "qemu-device" / "model" / "libloom_model.a"
    if not library.is_file():
        raise DevError(f"{library} was not built; the CMake target loom_model "
                       "must be a static library in qemu-device/model")
    write_pc(home, library)


def write_pc(home: Path, library: Path) -> None:
    includes = [home / "tree" / d for d in
                ("qemu-device/model/include", "qemu-device/model", "uapi")]
    cflags = " ".join(f"-I{d}" for d in includes if d.is_dir())
    util.write_if_changed(
        home / "pkgconfig" / "loom_model.pc",
        "Name: loom_model\nDescription: the Loom NPU model\nVersion: 1\n"
        f"Libs: -L{library.parent} -lloom_model\nCflags: {cflags}\n")


# --- build ---------------------------------------------------------------------

def configure(lock: Lock, home: Path) -> None:
    build = home / "build"
    if (home / "configured").exists():
        return
    with step("configure QEMU"):
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        python = meson_python(lock.meson)
        run([home / "src" / "configure", *FLAGS, f"--python={python}"],
            "qemu-configure", cwd=build, append=False, env=build_env(home))
        (home / "configured").touch()


def build_env(home: Path) -> dict[str, str]:
    # A sanitizer or optimisation chosen for Loom's own code is not for QEMU.
    env = {"PKG_CONFIG_PATH": str(home / "pkgconfig")}
    for name in ("CFLAGS", "CXXFLAGS", "LDFLAGS"):
        env[name] = ""
    return env


def has_loom(binary: Path) -> bool:
    out = util.capture([binary, "-device", "help"], timeout=60)
    return 'name "loom"' in out.stdout


def build(relock_first: bool = False) -> Path:
    if relock_first:
        relock()
    lock = read_lock()
    home = cache()
    with util.locked(home.with_name(home.name + ".lock")), \
            step("build QEMU"):
        home.mkdir(parents=True, exist_ok=True)
        unpack(lock, home)
        sync_device(home)
        if have_device():
            build_model(home)
        configure(lock, home)
        run(["ninja", "-C", home / "build", "-j", str(util.jobs()),
             "qemu-system-x86_64"], "qemu-build", append=False,
            env=build_env(home))
        binary = home / "build" / "qemu-system-x86_64"
        if have_device() and not has_loom(binary):
            raise DevError(f"{binary} was built without the device `loom`; "
                           "see hw/loom/Kconfig (LOOM_PCI) and "
                           f"{util.LOGS}/qemu-build.log")
        util.copy_if_changed(binary, OUTPUT)
    if not have_device():
        say("    note: qemu-device/hw/loom does not exist, so this QEMU has no "
            "NPU")
    return OUTPUT


def firmware_args() -> list[str]:
    return [arg for d in FIRMWARE for arg in ("-L", d)]
