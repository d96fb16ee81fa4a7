# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which jax, jaxlib and flax this package is tested with; others are refused by name.

Plugin and exporter lean on private names of jax, and the exporter on the exact lowering of one
release too: an untested release may give something wrong rather than something that fails.
"""

from importlib import metadata

from .errors import ExportError, VersionError

__version__ = "0.1.0"

# The exporter's, and the one that all checks run with.
TESTED = {"jax": "0.10.2", "jaxlib": "0.10.2"}
TESTED_FLAX = ("0.12.", "flax==0.12.8")
# The plugin's, newest first: each passes the smoke test of `./dev test --deep jax-versions`.
PLUGIN_JAX = ("0.10.2", "0.10.1", "0.10.0", "0.9.2")


def installed(package: str) -> str | None:
    """The installed version of `package`, or None. Does not import it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def minor(version: str) -> str:
    """ "0.10.2" -> "0.10"."""
    return ".".join(version.split(".")[:2])


def plugin_minors() -> list[str]:
    """The minors of jax that the plugin is tested with, newest first."""
    return list(dict.fromkeys(minor(v) for v in PLUGIN_JAX))


def check_plugin() -> None:
    """VersionError unless jax and jaxlib are of minors that the plugin is tested with."""
    found = {name: installed(name) for name in ("jax", "jaxlib")}
    if all(v is not None and minor(v) in plugin_minors() for v in found.values()):
        return
    has = " and ".join(f"{n} {v or 'is missing'}" for n, v in found.items())
    pins = " ".join(f"{n}=={PLUGIN_JAX[0]}" for n in found)
    wants = " and ".join(f"{m}.x" for m in plugin_minors())
    raise VersionError(
        f"loom-npu {__version__} is tested with jax {wants}, but here {has}; run: pip install "
        f"{pins}"
    )


def check_jax() -> dict[str, str]:
    """Return {"jax": version, "jaxlib": version}; ExportError when they are not the tested ones."""
    found = {name: installed(name) for name in TESTED}
    if found != TESTED:
        has = " and ".join(f"{n} {v or 'is missing'}" for n, v in found.items())
        pins = " ".join(f"{n}=={v}" for n, v in TESTED.items())
        wants = " and ".join(f"{n} {v}" for n, v in TESTED.items())
        raise ExportError(
            f"loom {__version__} exports with {wants}, but here {has}; run: pip install {pins}"
        )
    return dict(TESTED)


def check_flax() -> str:
    """Return flax's version; ExportError when it is not of the tested series."""
    found = installed("flax")
    series, pin = TESTED_FLAX
    if found is None or not found.startswith(series):
        raise ExportError(
            f"loom {__version__} exports Flax modules of flax {series}x, but here flax "
            f"{found or 'is missing'}; run: pip install {pin}"
        )
    return found
