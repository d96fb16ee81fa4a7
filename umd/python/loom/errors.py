# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What this package raises. Each message says what is wrong, where, and what to do."""


class LoomError(Exception):
    """Base of every error this package raises on purpose."""


class ExportError(LoomError):
    """A function or module cannot be exported as asked."""


class BundleError(LoomError):
    """A bundle on disk cannot be read or written."""
