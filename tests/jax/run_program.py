# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a JAX program as it stands, once or with its initial parameters nudged.

    run_program.py [--nudges N] [--told FILE] SCRIPT [ARGUMENT]...

The script is executed as `python SCRIPT ARGUMENT...` would. With --nudges it is executed N more
times, each after a line `== nudge K`, its initial parameters (what linen's init returns, what an
nnx.Optimizer is given) changed by 2e-7, relative. FILE receives JSON: the default platform, and,
where that is Loom's, the plugin's counters.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import runpy
import sys
from collections.abc import Callable, Iterator
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nudges", type=int, default=0)
    parser.add_argument("--told", type=Path)
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    sys.argv = [str(options.script), *options.arguments]
    runpy.run_path(str(options.script), run_name="__main__")
    for seed in range(options.nudges):
        print(f"== nudge {seed}", flush=True)
        with nudging(seed):
            runpy.run_path(str(options.script), run_name="__main__")
    if options.told:
        import jax
        from plugin import counters

        platform = jax.devices()[0].platform
        told = {"platform": platform, "counters": counters() if platform == "loom" else {}}
        options.told.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
