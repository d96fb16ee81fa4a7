# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes 'loom' a platform of JAX, which finds this module by the entry point group `jax_plugins`.

JAX calls `initialize()` in every process that asks for devices, whatever its platform, so nothing
here may fail or cost anything: the library is opened when 'loom' itself is asked for. What goes
wrong then is one sentence: the end of the error where JAX_PLATFORMS names loom, a warning where
it is unset and JAX goes on with its other platforms.
"""

from __future__ import annotations

import logging
from typing import Any

from . import library, refusals
from .errors import LoomError
from .versions import __version__, check_plugin

PLATFORM = "loom"
PRIORITY = 500  # above what JAX gives to plugins and its own platforms
log = logging.getLogger("loom")


def initialize() -> None:
    """Register the platform. Called by JAX."""
    from jax._src import xla_bridge

    try:
        xla_bridge.register_backend_factory(
            PLATFORM, _client, priority=PRIORITY, fail_quietly=True
        )
        check_plugin()
    except LoomError:
        return  # _client says so, if anybody asks for loom
    except (AttributeError, TypeError) as e:
        log.warning("loom-npu %s does not fit this jax (%s); run: pip install -U loom-npu", __version__, e)
        return
    donate()
    refusals.register(PLATFORM)


def donate() -> None:
    """Have JAX write donation into programs for loom: a private list of its says for which platforms."""
    from jax._src.interpreters import mlir

    if PLATFORM not in mlir._platforms_with_donation:
        mlir._platforms_with_donation.append(PLATFORM)


def _client() -> Any:
    """The PJRT client. RuntimeError with one sentence where there can be none."""
    import jax

    try:
        return _open()
    except (LoomError, RuntimeError, AttributeError, TypeError) as e:
        if not jax.config.jax_platforms:
            log.warning("%s; JAX goes on without loom", e)
        raise RuntimeError(str(e)) from None


def _open() -> Any:
    import jax
    from jax._src import xla_bridge
    from jax._src.lib import _profiler, xla_client

    check_plugin()
    library.pjrt_version()
    c_api = xla_client.load_pjrt_plugin_dynamically(PLATFORM, str(library.path()))
    _profiler.register_plugin_profiler(c_api)
    # Shardy would put operations into programs that the format between JAX and plugins lacks.
    jax.config.update("jax_use_shardy_partitioner", False)
    return xla_bridge.make_pjrt_c_api_client(PLATFORM)
