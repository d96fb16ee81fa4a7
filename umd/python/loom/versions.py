# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which jax, jaxlib and flax the exporter is tested with; others are refused by name.

The exporter leans on private names of jax and on the exact lowering of one release, so an
untested release may produce an artifact that is wrong rather than one that fails.
"""

from importlib import metadata

from .errors import ExportError

__version__ = "0.1.0"

TESTED = {"jax": "0.10.2", "jaxlib": "0.10.2"}
TESTED_FLAX = ("0.12.", "flax==0.12.8")


def installed(package: str) -> str | None:
    """The installed version of `package`, or None. Does not import it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
