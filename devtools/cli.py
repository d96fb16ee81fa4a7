# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line of ./dev."""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from . import (bench, checks, deep, demo, examples_page, fmt, guest, host,
               jaxguest, kernel, qemu, setup, tests, uapi_doc, util, wheel)

from .util import DevError, say


def build_kmod() -> None:
    kernel.build_module(kernel.debian())
    if (kernel.kasan_cache() / "ready").exists():
        kernel.build_module(kernel.kasan())


BUILDS: dict[str, tuple[str, Callable[[], object]]] = {
    "setup": ("Debian packages, and the venv with JAX", setup.setup),
    "host": ("libloom, tools, compiler, unit tests", host.build),
    "qemu": ("QEMU with -device loom", qemu.build),
    "kmod": ("loom.ko for Debian's kernel, and the debug kernel if there",
             build_kmod),
    "kasan": ("the debug kernel (about 10 CPU minutes), and loom.ko for it",
              lambda: kernel.build_module(kernel.build_kasan())),
}
DEFAULT_BUILDS = ("setup", "host", "qemu", "kmod")


def cmd_build(args: argparse.Namespace) -> int:
    for what in args.what or DEFAULT_BUILDS:
        if what == "qemu" and args.relock:
            qemu.build(relock_first=True)
        else:
            BUILDS[what][1]()
    return 0


def cmd_guest(args: argparse.Namespace) -> int:
    programs = {}
    for name in ("loom",):
        try:
            programs[f"/bin/{name}"] = host.find_program(name)
        except DevError:
            say(f"    note: `{name}` is not built, so the guest has none")
    files: dict[str, Path | bytes] = {}
    for spec in args.file:
        source, _, target = spec.partition(":")
        path = Path(source)
        if not path.is_file():
            raise DevError(f"--file {source}: no such file")
        target = target or f"/data/{path.name}"
        if path.read_bytes()[:4] == b"\x7fELF":
            programs[target] = path
        else:
            files[target] = path
    where = jaxguest if args.jax else guest
    config = guest.Config(
        kernel=args.kernel, smp=args.smp, memory=args.mem or where.MEMORY,
        devices=tuple(args.device) if args.device else None,
        programs=programs, files=files)
    if args.jax:
        config = jaxguest.config(config)
    qemu.build()
    if kernel.have_driver():
        kernel.build_module(kernel.by_name(args.kernel))
    if args.command:
        # One argument is a shell command line; several are one program's.
        line = (args.command[0] if len(args.command) == 1
                else shlex.join(args.command))
        return guest.run_command(config,
                                 jaxguest.command(line) if args.jax else line,
                                 args.timeout or where.TIMEOUT)
    files["/root/profile"] = where.PROFILE
    return guest.interactive(config)


def cmd_demo(args: argparse.Namespace) -> int:
    return demo.main(as_json=args.json, target=args.target, fresh=args.fresh)


def cmd_test(args: argparse.Namespace) -> int:
    if args.deep is not None:
        return deep.main(args.deep)
    if args.list:
        return tests.list_checks()
    return tests.main(args.names, quick=args.quick)


def cmd_bench(args: argparse.Namespace) -> int:
    return bench.main(args.names, as_json=args.json, pairs=args.pairs)


def cmd_wheel(args: argparse.Namespace) -> int:
    setup.setup()
    built = wheel.build()
    target = args.output / built.name
    args.output.mkdir(parents=True, exist_ok=True)
    util.copy_if_changed(built, target)
    say(f"==> {target}")
    report = wheel.look_at(target)
    for failure in report.failed:
        say(f"fail  {failure}")
    return checks.close(report)


def cmd_fmt(args: argparse.Namespace) -> int:
    return fmt.main(check=args.check)


def cmd_docs(args: argparse.Namespace) -> int:
    for path in uapi_doc.write():
        say(f"==> wrote {path.relative_to(util.ROOT)}")
    if args.examples:
        host.build()
        say(f"==> wrote {examples_page.write().relative_to(util.ROOT)}")
    return 0


def cmd_clean(args: argparse.Namespace) -> int:
    targets = [util.BUILD]
    if args.cache:
        targets.append(util.cache_dir())
    for path in targets:
        say(f"==> remove {path}")
        shutil.rmtree(path, ignore_errors=True)
    return 0


def add_guest_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--kernel", choices=("debian", "kasan"), default="debian")
    p.add_argument("--smp", type=int, default=2, help="CPUs (2)")
    p.add_argument("--jax", action="store_true",
                   help="with Python, JAX, Flax and the plugin")
    p.add_argument("--mem", type=int, metavar="MIB",
                   help=f"MiB of memory ({guest.MEMORY}, with --jax "
                        f"{jaxguest.MEMORY})")
    p.add_argument("--device", action="append", metavar="ARGS",
                   help="a -device argument instead of `loom`; may repeat")
    p.add_argument("--file", action="append", default=[],
                   metavar="HOST[:GUEST]",
                   help="put a file or program into the guest (in /data)")
    p.add_argument("--timeout", type=float,
                   help="seconds that the command may take "
                        f"({guest.TIMEOUT:.0f}, with --jax "
                        f"{jaxguest.TIMEOUT:.0f})")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="./dev", description="Build, boot, test and measure Loom.")
    sub = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int],
                text: str, **more: object) -> argparse.ArgumentParser:
        p = sub.add_parser(name, help=text, description=text, **more)
        p.set_defaults(function=function)
        return p

    p = command("build", cmd_build, "Build all, or the parts named.",
                formatter_class=argparse.RawDescriptionHelpFormatter,
                epilog="parts:\n" + "\n".join(
                    f"  {k:6} {v[0]}" for k, v in BUILDS.items()))
    p.add_argument("what", nargs="*", choices=[[], *BUILDS], metavar="PART",
                   help="default: " + " ".join(DEFAULT_BUILDS))
    p.add_argument("--relock", action="store_true",
                   help="with qemu: take the source version offered now")

    p = command("docs", cmd_docs,
                "Write the documents' tables anew from uapi/.")
    p.add_argument("--examples", action="store_true",
                   help="also docs/examples.md, by running the examples")

    p = command("guest", cmd_guest,
                "A shell in a guest with the NPU, or one command after --.")
    add_guest_options(p)
    p.add_argument("command", nargs="*", metavar="-- COMMAND")

    p = command("demo", cmd_demo, "The whole path: train, export, compile, "
                "run in-process and in the guest, compare.")
    p.add_argument("--json", action="store_true",
                   help="end with one line of JSON")
    p.add_argument("--target", default="npu16", help="target (npu16)")
    p.add_argument("--fresh", action="store_true",
                   help="train and compile again")

    p = command("test", cmd_test, "All checks, or those whose names match.")
    p.add_argument("names", nargs="*", metavar="NAME",
                   help="checks to run, by name or shell pattern")
    group = p.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true",
                       help="T0, T1 and style only: no guest, no fuzzing")
    group.add_argument("--deep", nargs="?", const="", metavar="NAME",
                       help="a long suite, or the list of them")
    p.add_argument("--list", action="store_true", help="list the checks")

    p = command("bench", cmd_bench, "Measure against the yardsticks.")
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--json", action="store_true",
                   help="end with one line of JSON")
    p.add_argument("--pairs", type=int, default=15,
                   help="interleaved pairs a ratio (15, the least)")

    p = command("wheel", cmd_wheel, "The Python package with everything in "
                "it, for pip install.")
    p.add_argument("--output", type=Path, default=util.BUILD / "dist",
                   metavar="DIR", help="where to (build/dist)")

    p = command("fmt", cmd_fmt, "Lay the sources out with clang-format.")
    p.add_argument("--check", action="store_true",
                   help="change nothing, fail if something would change")

    p = command("clean", cmd_clean, "Remove build/.")
    p.add_argument("--cache", action="store_true",
                   help="also what is cached outside the checkout")
    return top


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return args.function(args)
    except DevError as e:
        print(f"dev: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dev: interrupted", file=sys.stderr)
        return 130
