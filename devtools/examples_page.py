# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/examples.md: the examples, what they print on Loom, and pictures of it.
`./dev docs --examples` runs them and writes the page anew."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import textwrap
import time
from pathlib import Path

from . import npy, plugin, setup, util
from .checks import Report
from .util import DevError, ROOT, say

PAGE = ROOT / "docs" / "examples.md"
PICTURES = ROOT / "docs" / "examples"
WORK = plugin.WORK / "page"
PLATFORMS = "loom,cpu"
LOSS = re.compile(r"^step +(\d+) +loss (\S+)$")
SHOWN_LOSSES = 3  # at the beginning and at the end


@dataclasses.dataclass(frozen=True)
class Example:
    """A section: what is shown of the file, and what is said about it."""
    name: str
    title: str
    text: str
    shown: tuple[str, ...]  # functions and classes
    after: str = ""
    options: tuple[str, ...] = ()


EXAMPLES = (
    Example("digits", "Digits, in linen",
            "A convolutional network on scikit-learn's 8 x 8 digits. The module "
            "is what a Flax user writes anyway; `jax.jit` sends the train step "
            "to Loom because Loom is JAX's default platform.",
            ("DigitsCNN", "train")),
    Example("digits_nnx", "Digits, in nnx",
            "The same images with BatchNorm and dropout, and an "
            "`nnx.Optimizer`. Statistics, dropout's random numbers and the "
            "optimiser's moments are state that `nnx.jit` passes in and out.",
            ("Net", "train_step")),
    Example("language_model", "A language model",
            "A transformer learns the GNU General Public License, character by "
            "character: causal attention, warm-up and cosine decay, clipped "
            "gradients.",
            ("Block", "LanguageModel")),
    Example("vae", "A variational autoencoder",
            "Noise is drawn inside the train step by `jax.random`: the bits "
            "are those that JAX draws on the CPU.",
            ("VAE", "loss_of"),
            after="Digits that nobody wrote, drawn from the prior:",
            options=("--out",)),
    Example("sampler", "Sampling with a cache",
            "Each character is drawn from what a decoder says about those "
            "before it. Its keys and values lie in a linen collection that is "
            "carried by one `lax.scan`; nothing returns to the host before the "
            "last character is drawn.",
            ("sample",)),
)

HEAD = """\
<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->
# Examples

Plain JAX and Flax programs, each one file in `examples/`, without a word about Loom. What makes them run on it is the
environment of the process:

```
JAX_PLATFORMS=loom,cpu python examples/digits.py
```

Below is a part of each, and what it printed and drew in-process (npu64), by `./dev docs --examples`, which runs them and
writes this page. `./dev test examples` compares their first steps with JAX on the CPU, `./dev test --deep examples` all of
them, in a venv with the wheel, and `./dev test --deep jax-guest` runs them in a guest, on the driver. The
digits need scikit-learn, where they lie; the text is on every Debian machine.
"""


# --- running them ------------------------------------------------------------

def run(example: Example) -> tuple[str, float]:
    """What it printed, and the seconds that it took."""
    WORK.mkdir(parents=True, exist_ok=True)
    words = [w for o in example.options for w in (o, str(drawn(example)))]
    start = time.monotonic()
    done = subprocess.run(
        [setup.venv_python(), plugin.EXAMPLES / f"{example.name}.py", *words],
        env=util.merged_env({**setup.python_env(), "JAX_PLATFORMS": PLATFORMS,
                             "LOOM_LIBRARY": str(plugin.library())}),
        capture_output=True, text=True, timeout=plugin.LIMIT)
    if done.returncode:
        raise DevError(f"{example.name} on {PLATFORMS}: {done.stderr[-1500:]}")
    return done.stdout, time.monotonic() - start


def drawn(example: Example) -> Path:
    return WORK / f"{example.name}.npy"


# --- the page ----------------------------------------------------------------

def code(example: Example) -> list[str]:
    """The functions and classes shown, as they stand in the file."""
    text = (plugin.EXAMPLES / f"{example.name}.py").read_text()
    lines = text.splitlines()
    parts = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno,
                         *(d.lineno for d in node.decorator_list)])
            parts[node.name] = "\n".join(lines[first - 1:node.end_lineno])
    return [parts[name] for name in example.shown]


def shortened(text: str) -> str:
    """The first losses, the last, and everything else."""
    lines = text.rstrip().splitlines()
    losses = [i for i, line in enumerate(lines) if LOSS.match(line)]
    left_out = set(losses[SHOWN_LOSSES:-SHOWN_LOSSES])
    kept = []
    for i, line in enumerate(lines):
        if i not in left_out:
            kept.append(line.rstrip())
        elif i - 1 not in left_out:
            kept.append("...")
    return "\n".join(kept)


def section(example: Example) -> str:
    say(f"    {example.name}")
    text, seconds = run(example)
    losses = [float(m[2]) for line in text.splitlines()
              if (m := LOSS.match(line))]
    curve = PICTURES / f"{example.name}-loss.svg"
    curve.write_text(curve_svg(losses))
    parts = [f"## {example.title}", "", textwrap.fill(example.text, 118), ""]
    for part in code(example):
        parts += ["```python", part, "```", ""]
    parts += [f"`python examples/{example.name}.py`, {seconds:.0f} s:", "",
              "```", shortened(text), "```", "",
              f"![loss of each step](examples/{curve.name})", ""]
    if example.after:
        picture = PICTURES / f"{example.name}.svg"
        picture.write_text(pixels_svg(drawn(example)))
        parts += [example.after, "", f"![](examples/{picture.name})", ""]
    return "\n".join(parts)


def write() -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with util.step("run the examples on Loom"):
        sections = [section(e) for e in EXAMPLES]
    PAGE.write_text(HEAD + "\n" + "\n".join(sections))
    return PAGE


def check() -> Report:
    """What the page shows of the examples is what they are."""
    page = PAGE.read_text()
    report = Report()
    for example in EXAMPLES:
        old = [name for name, part in zip(example.shown, code(example),
                                          strict=True) if part not in page]
        report.failed += [f"docs/examples.md shows another `{name}` than "
                          f"examples/{example.name}.py has; ./dev docs "
                          "--examples writes it" for name in old]
        report.passed += not old
    return report


# --- pictures ----------------------------------------------------------------

SVG = ('<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
       'viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="11">\n'
       '<!-- SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception -->\n'
       '<rect width="{w}" height="{h}" fill="white"/>\n{body}\n</svg>\n')
WIDTH, HEIGHT, LEFT, EDGE = 560, 200, 48, 22
INK, GRID = "#1f5fa8", "#dddddd"


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers between low and high."""
    span = (high - low) / count or 1.0
    unit = 10.0 ** int(f"{span:e}".split("e")[1])
    step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= span)
    first = -(-low // step) * step
    found = [first + i * step for i in range(int((high - first) / step) + 1)]
    return [0.0 if abs(v) < step / 1e6 else v for v in found]


def curve_svg(values: list[float]) -> str:
    """A line over the steps, axes with round numbers."""
    low, high = min(0.0, *values), max(values)

    def x(i: float) -> float:
        return LEFT + (WIDTH - LEFT - EDGE) * i / max(1, len(values) - 1)

    def y(v: float) -> float:
        return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (v - low) / (high - low)

    body = []
    for v in ticks(low, high):
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - EDGE}" y1="{y(v):.1f}" '
                    f'y2="{y(v):.1f}" stroke="{GRID}"/>')
        body.append(f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" '
                    f'text-anchor="end">{v:g}</text>')
    for i in ticks(0, len(values) - 1, 6):
        body.append(f'<text x="{x(i):.1f}" y="{HEIGHT - 6}" '
                    f'text-anchor="middle">{i:g}</text>')
    points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
    body.append(f'<polyline points="{points}" fill="none" stroke="{INK}" '
                'stroke-width="1.2"/>')
    body.append(f'<text x="{LEFT}" y="14">loss of each step</text>')
    return SVG.format(w=WIDTH, h=HEIGHT, body="\n".join(body))


def pixels_svg(file: Path, scale: int = 10, gap: int = 12) -> str:
    """Images [n, h, w] of numbers in 0..1, side by side, dark on light."""
    data = npy.load(file)
    n, height, width = data.shape
    values = npy.f32(data.data)
    body = []
    for k in range(n):
        left = gap + k * (width * scale + gap)
        body.append(f'<rect x="{left}" y="{gap}" width="{width * scale}" '
                    f'height="{height * scale}" fill="none" stroke="{GRID}"/>')
        for r in range(height):
            for c in range(width):
                v = values[(k * height + r) * width + c]
                level = round(255 * (1 - min(max(v, 0.0), 1.0)))
                if level < 250:
                    body.append(
                        f'<rect x="{left + c * scale}" y="{gap + r * scale}" '
                        f'width="{scale}" height="{scale}" '
                        f'fill="#{level:02x}{level:02x}{level:02x}"/>')
    return SVG.format(w=gap + n * (width * scale + gap),
                      h=height * scale + 2 * gap, body="\n".join(body))
