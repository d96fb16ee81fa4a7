# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What this package raises. Each message says what is wrong, where, and what to do."""


class LoomError(Exception):
    """Base of every error this package raises on purpose."""


class ExportError(LoomError):
    """A function or module cannot be exported as asked."""


class BundleError(LoomError):
    """A bundle on disk cannot be read or written."""


class LibraryError(LoomError):
    """libloom_pjrt.so is missing, or is not one that this package can use."""


class VersionError(LoomError):
    """jax or jaxlib is not one of the tested versions."""


class DeviceError(LoomError):
    """A device cannot be opened, or does not answer. `code` is a negative errno."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class ProgramError(DeviceError):
    """A file is no program, or not one for this device. `code` is a negative errno."""


class CompileError(LoomError):
    """The compiler refuses a function: the message has a line for each operation and its remedy."""


class ArgumentError(LoomError, ValueError):
    """An array has another type or shape than the entry point's, or a name is unknown."""


class JobError(DeviceError):
    """A job failed. `code` is a negative errno (-EIO fault, -ETIME hang, ...), `fault` the name
    of the device's fault or None, `segment` the segment of the entry point that failed.

    The instance is lost from then on: every call raises this again until `Instance.reset()`.
    """

    def __init__(
        self, message: str, code: int = 0, fault: str | None = None, segment: int = 0
    ) -> None:
        super().__init__(message, code)
        self.fault = fault
        self.segment = segment
