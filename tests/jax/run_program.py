# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a JAX program as it stands, once or with its initial parameters nudged.

    run_program.py [--nudges N] [--told FILE] SCRIPT [ARGUMENT]...

The script is executed as `python SCRIPT ARGUMENT...` would. With --nudges it is executed N more
times, each after a line `== nudge K`, its initial parameters (what linen's init returns, what an
nnx.Optimizer is given) changed by 2e-7, relative. FILE receives JSON: the default platform, and,
where that is Loom's, the plugin's counters, how many programs JAX had compiled for whatever
platform, where the package loom lies, and what is wrong: empty, where Loom executed every program.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "e2e"))


@contextlib.contextmanager
def nudging(seed: int) -> Iterator[None]:
    """Initial parameters are nudged, wherever they come from."""
    import flax.linen as nn
    from flax import nnx
    from spread import nudged

    linen_init: Callable[..., Any] = nn.Module.init
    optimizer_init: Callable[..., Any] = nnx.Optimizer.__init__

    def init(module: nn.Module, *args: Any, **kw: Any) -> Any:
        variables = linen_init(module, *args, **kw)
        return {**variables, "params": nudged(variables["params"], seed)}

    def optimise(self: nnx.Optimizer, model: nnx.Module, *args: Any, **kw: Any) -> None:
        nnx.update(model, nudged(nnx.state(model, nnx.Param), seed))
        optimizer_init(self, model, *args, **kw)

    with mock.patch.object(nn.Module, "init", init), mock.patch.object(
        nnx.Optimizer, "__init__", optimise
    ):
        yield


def compilations() -> list[str]:
    """The programs that JAX asks a backend for from now on, any backend, by name."""
    from jax import monitoring
    from jax._src.dispatch import BACKEND_COMPILE_EVENT

    names: list[str] = []

    def listen(event: str, seconds: float, **more: Any) -> None:
        if event == BACKEND_COMPILE_EVENT:
            names.append(str(more.get("fun_name")))

    monitoring.register_event_duration_secs_listener(listen)
    return names


def wrong_counts(count: Mapping[str, int], compiled: int) -> str:
    """Empty, if Loom executed every one of the `compiled` programs, without a failure."""
    if not compiled:
        return "no program was compiled"
    if count["compile_requests"] != compiled:
        return f"{compiled} programs compiled, {count['compile_requests']} of them for Loom"
    if not count["executables"] or count["executed"] != count["executables"]:
        return f"{count['executables']} programs loaded, {count['executed']} executed"
    if count["failures"]:
        return f"{count['failures']} executions failed"
    return ""


def told(compiled: int) -> dict[str, Any]:
    import jax

    platform = jax.devices()[0].platform
    if platform != "loom":
        return {"platform": platform, "wrong": f"it ran on {platform}"}
    import loom
    from plugin import counters

    count = counters()
    return {
        "platform": platform,
        "counters": count,
        "compiled": compiled,
        "package": str(Path(loom.__file__).parent),
        "wrong": wrong_counts(count, compiled),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nudges", type=int, default=0)
    parser.add_argument("--told", type=Path)
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    sys.argv = [str(options.script), *options.arguments]
    names = compilations() if options.told else []
    runpy.run_path(str(options.script), run_name="__main__")
    for seed in range(options.nudges):
        print(f"== nudge {seed}", flush=True)
        with nudging(seed):
            runpy.run_path(str(options.script), run_name="__main__")
    if options.told:
        options.told.write_text(json.dumps(told(len(names))))


if __name__ == "__main__":
    main()
