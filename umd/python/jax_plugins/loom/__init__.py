# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How JAX finds the plugin in a checkout, with umd/python in PYTHONPATH; an installed package has an
entry point instead."""

from loom.plugin import initialize

__all__ = ["initialize"]
