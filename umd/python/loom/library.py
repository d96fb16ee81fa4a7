# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds and opens libloom_pjrt.so: libloom, the compiler and the JAX plugin in one file."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from pathlib import Path

from . import capi
from .errors import LibraryError
from .versions import __version__

NAME = "libloom_pjrt.so"
VARIABLE = "LOOM_LIBRARY"


def path() -> Path:
    """Where the library is: LOOM_LIBRARY, else beside this file. LibraryError if it is not there."""
    given = os.environ.get(VARIABLE)
    found = Path(given) if given else Path(__file__).resolve().parent / NAME
    if found.is_file():
        return found
    if given:
        raise LibraryError(
            f"loom-npu {__version__}: {VARIABLE} names {given}, which is no file; unset it to use the "
            "installed library, or name one that `./dev build host` made"
        )
    raise LibraryError(
        f"loom-npu {__version__}: {found} is missing, so this is no complete installation; run: pip "
        f"install --force-reinstall loom-npu (in a checkout: ./dev build host, and set {VARIABLE} "
        f"to build/host/umd/pjrt/{NAME})"
    )


def load() -> ctypes.CDLL:
    """The library with its functions declared. LibraryError where it is missing or broken."""
    return _open(str(path()))


@functools.cache
def _open(file: str) -> ctypes.CDLL:
    try:
        _refuse_cut_off(file)
        library = ctypes.CDLL(file)
        capi.declare(library)
    except (OSError, AttributeError) as e:
        raise LibraryError(
            f"loom-npu {__version__}: {file} cannot be used ({e}); run: pip install --force-reinstall "
            f"loom-npu, or unset {VARIABLE}"
        ) from None
    return library


def _refuse_cut_off(file: str) -> None:
    """OSError for an ELF file that ends before its segments do: the loader would end the process."""
    with open(file, "rb") as f:
        head = f.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return  # the loader says what it is
        (at,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        f.seek(at)
        rows = f.read(size * count)
    ends = [sum(struct.unpack_from("<8xQ16xQ", rows, i)) for i in range(0, len(rows) - 55, size)]
    if len(rows) < size * count or max(ends, default=0) > os.path.getsize(file):
        raise OSError("it is cut off")


class _ApiVersion(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("extension_start", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    ]


class _Api(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("extension_start", ctypes.c_void_p),
        ("version", _ApiVersion),
    ]


def pjrt_version() -> tuple[int, int]:
    """Major and minor of the PJRT C API that the plugin in the library was written for."""
    library = load()
    try:
        get = library.GetPjrtApi
    except AttributeError:
        raise LibraryError(
            f"loom-npu {__version__}: {path()} exports no GetPjrtApi, so it is no JAX plugin; run: pip "
            "install --force-reinstall loom-npu"
        ) from None
    get.restype = ctypes.POINTER(_Api)
    get.argtypes = []
    version = get().contents.version
    return version.major, version.minor
