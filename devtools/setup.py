# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Installs what building needs: Debian packages, and a venv with JAX."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import util
from .util import DevError, run, say, step

PACKAGES = util.ROOT / "devtools" / "packages.txt"
REQUIREMENTS = util.ROOT / "umd" / "python" / "requirements.txt"
SYSTEM_PYTHON = "/usr/bin/python3"


def wanted_packages() -> list[str]:
    return PACKAGES.read_text().split()


def missing_packages() -> list[str]:
    names = wanted_packages()
    out = util.capture(["dpkg-query", "-W",
                        "-f=${Package} ${db:Status-Status}\n", *names])
    installed = {line.split()[0] for line in out.stdout.splitlines()
                 if line.endswith(" installed")}
    return [n for n in names if n not in installed]


def root_prefix(missing: list[str]) -> list[str]:
    if os.getuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and util.capture([sudo, "-n", "true"]).returncode == 0:
        return [sudo, "-n"]
    raise DevError(
        f"{len(missing)} Debian packages are missing and ./dev is neither root "
        "nor allowed to use sudo without a password. Install them once:\n"
        f"  sudo apt-get install --no-install-recommends {' '.join(missing)}")


def install_packages() -> None:
    missing = missing_packages()
    if not missing:
        return
    prefix = root_prefix(missing)
    say(f"    missing: {' '.join(missing)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"install {len(missing)} Debian packages"):
        run([*prefix, "apt-get", "update"], "apt", env=env, append=False)
        run([*prefix, "apt-get", "install", "-y", "--no-install-recommends",
             *missing], "apt", env=env)
    left = missing_packages()
    if left:
        raise DevError(f"apt did not install {' '.join(left)}; "
                       f"see {util.LOGS}/apt.log")


def venv_dir() -> Path:
    version = util.tool_version(SYSTEM_PYTHON)
    return util.cache_dir() / ("venv-" + util.digest(REQUIREMENTS.read_text(),
                                                     version))


def venv_python() -> Path:
    """Python with the pinned JAX and Flax; made when it is first needed."""
    venv = venv_dir()
    python = venv / "bin" / "python3"
    if (venv / "ready").exists():
        return python
    with util.locked(venv.with_name(venv.name + ".lock")):
        if not (venv / "ready").exists():
            with step("make a venv with the pinned JAX and Flax"):
                shutil.rmtree(venv, ignore_errors=True)
                run([SYSTEM_PYTHON, "-m", "venv", venv], "venv", append=False)
                run([python, "-m", "pip", "install", "--disable-pip-version-check",
                     "-r", REQUIREMENTS], "venv")
                (venv / "ready").touch()
    return python


def python_env() -> dict[str, str]:
    """How Loom's own package and its library are found, and JAX kept to the
    CPU. LAPACK rounds as its kernels for this processor add; what is expected
    of Loom must not depend on the machine, so it takes those that all have."""
    return {"OPENBLAS_CORETYPE": "Haswell",
            "PYTHONPATH": str(util.ROOT / "umd" / "python"),
            "LOOM_LIBRARY": str(util.BUILD / "host" / "umd" / "pjrt" /
                                "libloom_pjrt.so"),
            "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1",
            "PATH": f"{venv_dir() / 'bin'}:{os.environ.get('PATH', '')}"}


def setup() -> None:
    install_packages()
    venv_python()
