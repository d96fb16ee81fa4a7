# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The checks of `./dev test`. To add one, write a small function here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from . import (checks, conformance, demo, e2e, examples_page, fmt, guest,
               host, kernel, loomrun, objects, plugin, qemu, runners, setup,
               training, trouble, uapi_doc, util, wheel)
from .checks import Report, check
from .util import DevError, ROOT, say

FUZZ_SECONDS = 60
COMPILER_FUZZ = r"^compiler\.fuzz\."  # minutes, so not among the unit tests


# --- T0: the host's unit tests --------------------------------------------

@check("ctest", "T0")
def ctest() -> Report:
    """Unit tests of every room, and the compiler's lit tests."""
    host.build(host.HOST)
    return runners.ctest(host.HOST, ("-E", COMPILER_FUZZ))


@check("ctest-sanitized", "T0")
def ctest_sanitized() -> Report:
    """Unit tests of the pure cores and the plugin under ASan and UBSan."""
    host.build_beside(host.SANITIZED)
    return runners.ctest(host.SANITIZED)


@check("ctest-threads", "T0")
def ctest_threads() -> Report:
    """The plugin's unit tests under TSan."""
    host.build_beside(host.THREADS)
    return runners.ctest(host.THREADS, ("-L", "^threads$"))


HEADER_MODES = {
    "C11": ("gcc", "-xc", "-std=c11"),
    "C++20": ("g++", "-xc++", "-std=c++20"),
    # The x87 unit rounds twice, so 32-bit code has to use SSE.
    "C11 -m32": ("gcc", "-xc", "-std=c11", "-m32", "-msse2", "-mfpmath=sse"),
    "C++20 -m32": ("g++", "-xc++", "-std=c++20", "-m32", "-msse2",
                   "-mfpmath=sse"),
}


@check("uapi-standalone", "T0")
def uapi_standalone() -> Report:
    """Each contract compiles alone as C11, C++20 and 32 bit, with -Werror."""
    report = Report()
    for header in sorted((ROOT / "uapi").rglob("*.h")):
        for mode, args in HEADER_MODES.items():
            out = util.capture([*args, "-Wall", "-Wextra", "-Werror",
                                "-ffp-contract=off", "-fsyntax-only",
                                f"-I{ROOT / 'uapi'}", "-I/usr/include/libdrm",
                                header])
            if out.returncode:
                report.failed.append(f"{header.name} as {mode}: "
                                     f"{out.stderr[:600]}")
            else:
                report.passed += 1
    return report


@check("uapi-layout", "T0")
def uapi_layout() -> Report:
    """Each compiler and word size sees the committed layout of uapi/."""
    return Report(passed=uapi_doc.check_layout())


@check("docs-tables", "T0")
def docs_tables() -> Report:
    """The documents' tables are in step with uapi/ and the golden vectors."""
    report = Report(passed=uapi_doc.check_documents())
    for name in sorted((ROOT / "tests" / "golden").glob("generate*.py")):
        util.run([setup.venv_python(), "-B", name, "--check"],
                 "test-docs-golden")
        report.passed += 1
    return report


@check("python", "T0")
def python_package() -> Report:
    """The Python package: export, run, JAX's platform, doctor, refusals."""
    host.build(host.HOST)
    return runners.pytest(ROOT / "umd" / "python" / "tests")


@check("comparison", "T0")
def comparison() -> Report:
    """The end-to-end judges themselves: what must differ is seen to differ."""
    report = runners.pytest(e2e.FOLDER)
    report.add(runners.pytest(conformance.FOLDER))
    return report


@check("dev", "T0")
def dev_tools() -> Report:
    """./dev's own parts: overlay, sources, archives, counting, guests."""
    qemu.build()
    return runners.pytest(ROOT / "devtools" / "selftest")


# --- T1: the device without a kernel -----------------------------------------

@check("qtest", "T1")
def qtest() -> Report:
    """Registers, rings, regions, faults and resets of the device."""
    folder = runners.need(ROOT / "tests" / "qtest", "device tests")
    emulator = qemu.build()
    return runners.counted(["/usr/bin/python3", folder / "run.py", "--qemu",
                            emulator], "test-qtest")


# --- style: what reviewers of a kernel driver run first -------------------------

@check("layout", "style")
def layout() -> None:
    """clang-format has nothing to change."""
    fmt.main(check=True)


@check("spdx", "style")
def spdx() -> Report:
    """Every source says its licence on one of its first two lines."""
    out = util.capture(["git", "ls-files"])
    report = Report()
    for name in out.stdout.splitlines():
        path = ROOT / name
        if not path.is_file() or not needs_spdx(path):
            continue
        head = path.read_text(errors="replace").split("\n", 3)[:3]
        if any("SPDX-License-Identifier:" in line for line in head):
            report.passed += 1
        else:
            report.failed.append(f"{name}: no SPDX-License-Identifier on top")
    return report


SPDX_SUFFIXES = {".c", ".h", ".cpp", ".cc", ".py", ".td", ".sh", ".cmake",
                 ".toml", ".mak", ".config"}
SPDX_NAMES = {"CMakeLists.txt", "Kbuild", "Kconfig", "meson.build", "dev",
              "init", "run"}


def needs_spdx(path: Path) -> bool:
    return path.suffix in SPDX_SUFFIXES or path.name in SPDX_NAMES


def driver_exists() -> None:
    if not kernel.have_driver():
        raise checks.Skip("accel/ has no Kbuild, so there is no driver")


@check("deep-results", "style")
def deep_results() -> Report:
    """Names the deep suites whose latest result is older than their code."""
    from . import deep  # deep needs this module's checks
    states = {name: deep.state(name) for name in deep.SUITES}
    report = Report(passed=1, detail="; ".join(
        f"{name}: {text}" for name, text in states.items()))
    report.failed += [f"{name}: its committed result has failures: {text}"
                      for name, text in states.items()
                      if " 0 failed" not in text and text != "never run"]
    return report


@check("kmod-warnings", "style")
def kmod_warnings() -> None:
    """make W=1 against Debian's headers warns of nothing."""
    driver_exists()
    k = kernel.debian()
    # From nothing: make prints no warning for what it does not compile.
    util.run(["rm", "-rf", util.BUILD / "kmod-debian"], "kmod-debian")
    kernel.build_module(k)
    lines = our_lines(util.LOGS / "kmod-debian.log", r"\bwarning:|\berror:")
    if lines:
        raise DevError("W=1 warns:\n" + "\n".join(lines[:20]))


@check("sparse", "style")
def sparse() -> None:
    """sparse prints no line that names a file of ours."""
    driver_exists()
    k = kernel.debian()
    kernel.build_module(k)
    util.run(["make", "-C", k.headers, f"M={util.BUILD / 'kmod-debian'}", "C=2",
              "CHECK=sparse", "modules"], "sparse", append=False)
    lines = our_lines(util.LOGS / "sparse.log", r"\b(warning|error):")
    if lines:
        raise DevError("sparse says:\n" + "\n".join(lines[:20]))


@check("kmod-objects", "style")
def kmod_objects() -> Report:
    """The core in loom.ko imports mem* alone; floats stay in its float units."""
    driver_exists()
    return objects.check(kernel.build_module(kernel.debian()).parent)


def our_lines(log: Path, pattern: str) -> list[str]:
    return [line for line in log.read_text().splitlines()
            if re.search(pattern, line) and re.search(r"accel/|uapi/", line)]


CHECKPATCH_PARTS = ("scripts/checkpatch.pl", "scripts/spelling.txt",
                    "scripts/const_structs.checkpatch")


def checkpatch_script() -> Path:
    home = util.cache_dir() / f"checkpatch-{util.digest(kernel.source_version())}"
    if not (home / "scripts" / "checkpatch.pl").is_file():
        home.mkdir(parents=True, exist_ok=True)
        util.run(["tar", "xJf", kernel.SOURCE, "-C", home,
                  "--strip-components=1",
                  *(f"linux-source-6.12/{p}" for p in CHECKPATCH_PARTS)],
                 "checkpatch", append=False)
    return home / "scripts" / "checkpatch.pl"


@check("checkpatch", "style")
def checkpatch() -> Report:
    """checkpatch.pl --strict finds no error in accel/."""
    driver_exists()
    script = checkpatch_script()
    report = Report()
    sources = sorted(p for p in (ROOT / "accel").rglob("*")
                     if p.suffix in (".c", ".h"))
    for path in sources:
        out = util.capture(["perl", script, "--no-tree", "--strict",
                            "--no-summary", "--terse", "-f", path])
        errors = [line for line in out.stdout.splitlines() if "ERROR:" in line]
        report.failed += errors
        report.passed += not errors
    return report


# --- T2: the driver in a guest ------------------------------------------------------

def prepared(program: str) -> Path:
    """QEMU, loom.ko and one test program, all up to date."""
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    return host.find_program(program)


@check("guest-uapi", "T2")
def guest_uapi() -> Report:
    """The driver's interface, call by call, under Debian's kernel."""
    runners.need(ROOT / "tests" / "guest" / "uapi", "driver interface tests")
    driver_exists()
    binary = prepared("loom_uapi_test")
    return runners.guest_suite(binary, guest.Config(devices=("loom,x-hazards=on",)),
                              "hang_ms=500")


# Suites of CPU segments: memory shared between kernel, device and user space,
# and objects whose users end in any order.
KASAN_TESTS = "Cpu*:Chain*:Close*"


@check("guest-user-cpu", "T2")
def guest_user_cpu() -> Report:
    """CPU segments by the kernel, by libloom, and in-process: equal bits; what
    fails or does not end is told, and RESET revives the instance."""
    driver_exists()
    binary = prepared("loom_cpu_where")
    with guest.Guest(guest.Config(programs={f"/bin/{binary.name}": binary})) as g:
        g.load_driver()
        told = loomrun.last_json(g.check_run(
            f"{binary.name} {loomrun.NODE} 1", 300.0))
        g.check()
    return Report(passed=len(told["cases"]) + told["failures"])


@check("guest-kasan", "T2")
def guest_kasan() -> Report:
    """CPU segments under KASAN and lockdep; nothing leaked, unloaded at the end."""
    driver_exists()
    qemu.build()
    host.build(host.HOST)
    return kasan_suite(f"--gtest_filter='{KASAN_TESTS}'")


def kasan_suite(args: str, env: str = "") -> Report:
    """Tests of the driver's interface in the debug kernel."""
    k = kernel.build_kasan()
    kernel.build_module(k)
    binary = host.find_program("loom_uapi_test")
    config = guest.Config(kernel="kasan",
                          programs={f"/bin/{binary.name}": binary})
    with guest.Guest(config) as g:
        g.load_driver("hang_ms=500")
        report = runners.guest_gtest(g, f"/bin/{binary.name}", timeout=3000,
                                     args=args, env=env)
        leaks = g.leaks()
        g.check_run("rmmod loom")
        g.check()
    if leaks:
        report.failed.append("kmemleak: " + leaks[:2000])
    return report


@check("guest-cpu-sections", "T2")
def guest_cpu_sections() -> Report:
    """CPU segments keep a CPU for less than 100 us at a time; a client gets its
    quota and not more than 5 % over."""
    driver_exists()
    return runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "guest" / "cpu_sections.py",
         "--programs", folder_of("loom_uapi_test")], "test-cpu-sections",
        timeout=900)


def folder_of(program: str) -> Path:
    return prepared(program).parent


@check("guest-faults", "T2")
def guest_faults() -> Report:
    """Hang, lost interrupt, failed DMA, a hundred times each; unbind in use."""
    driver_exists()
    return runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "guest" / "faults.py",
         "--programs", folder_of("loom_fault_test")], "test-guest-faults",
        timeout=3000)


@check("guest-trouble", "T2")
def guest_trouble() -> Report:
    """No driver, no permission, processes killed in mid-job, no memory."""
    driver_exists()
    demo.train(fresh=False)
    return trouble.run()


@check("guest-random", "T2")
def guest_random() -> Report:
    """Random programs and escapes in QEMU: the hashes and cycles in-process."""
    driver_exists()
    return runners.counted(
        ["/usr/bin/python3", ROOT / "tests" / "random" / "guest.py",
         "--programs", folder_of("random_programs")], "test-guest-random",
        timeout=3000)


@check("models-sim", "T2")
def models_sim() -> Report:
    """Every required model on each target in-process, compared with JAX."""
    host.build(host.HOST)
    return e2e.run_sim()


@check("conformance", "T2")
def conformance_sample() -> Report:
    """A sample of JAX's own test harnesses: no less runs than
    docs/coverage.json says, nothing more is wrong."""
    host.build(host.HOST)
    return conformance.run_cases(conformance.SAMPLE)


@check("jax-api", "T2")
def jax_api() -> Report:
    """JAX on the plugin: transformations, random numbers, donation, export,
    cache, profiler; bad input."""
    return plugin.api()


@check("jax-programs", "T2")
def jax_programs() -> Report:
    """Ten plain Flax programs on the plugin: losses, values and tokens as on
    the CPU; every program compiled ran on Loom."""
    return plugin.ten_programs()


@check("examples", "T2")
def examples() -> Report:
    """The first steps of each example on the plugin, as on the CPU; what
    docs/examples.md shows of them is what they are."""
    report = plugin.examples()
    report.add(examples_page.check())
    return report


@check("jax-conformance", "T2")
def jax_conformance() -> Report:
    """A sample of JAX's own harnesses through JAX: not fewer pass than
    docs/results/jax-conformance-passed.json says, none crashes."""
    return plugin.harnesses(conformance.SAMPLE)


@check("training-sim", "T2")
def training_sim() -> Report:
    """Five train steps of each program, from JAX's state and free, against
    JAX's own spread; init and eval; modules with collections as state;
    the commands of docs/flax.md."""
    host.build(host.HOST)
    report = training.in_process()
    report.add(training.page())
    return report


@check("training-guest", "T2")
def training_guest() -> Report:
    """The same runs in the guest: equal answers and equal state, to the bit."""
    driver_exists()
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    work = training.WORK
    names = [*training.IN_GUEST, *training.left_in(work, "state")]
    report = training.in_guest(work, names)
    report.add(training.page("--guest"))
    return report


@check("train-steps", "T2")
def train_steps() -> Report:
    """One train step of each family of networks in-process, against JAX."""
    host.build(host.HOST)
    return e2e.train_steps()


@check("placement", "T2")
def placement() -> Report:
    """What of the zoo the NPU runs alone is what docs/results/placement.md
    says, 22 of 25 at least."""
    host.build(host.HOST)
    return e2e.placement()


@check("features", "T2")
def features() -> Report:
    """Targets that lack a unit: the CPU engine runs what is missing, with the
    same bits."""
    host.build(host.HOST)
    return e2e.features()


@check("features-guest", "T2")
def features_guest() -> Report:
    """The same on a device that lacks a unit, which takes no program that
    needs it."""
    driver_exists()
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    return e2e.features_in_guest()


@check("dropped-orders", "T2")
def dropped_orders() -> Report:
    """A wait or a signal less is noticed, by the hazard checker or as a
    deadlock, in compiled programs."""
    host.build(host.HOST)
    return e2e.dropped_orders()


@check("bad-input", "T2")
def bad_input() -> Report:
    """Broken and hostile files: one clear message, no crash, nothing left."""
    host.build(host.HOST)
    return e2e.bad_input()


@check("wheel", "T2")
def wheel_installs() -> Report:
    """The wheel: tag, exports, size; in a clean venv it does what README says."""
    built = wheel.build()
    report = wheel.look_at(built)
    report.add(wheel.try_out(built))
    return report


@check("models-guest", "T2")
def models_guest() -> Report:
    """The same programs and inputs in the guest: equal bits, equal cycles."""
    driver_exists()
    qemu.build()
    kernel.build_module(kernel.debian())
    host.build(host.HOST)
    return e2e.run_guest()


@check("demo", "T2")
def demo_runs() -> None:
    """./dev demo: equal bits, equal cycles, accuracy of at least 97 %."""
    from . import demo
    demo.verify(demo.pipeline("npu16", fresh=False))


# --- fuzz ---------------------------------------------------------------------------------

# Declared, and so begun, before the other fuzzers: it takes longest, and what
# is begun last may have nothing beside it.
@check("fuzz-compiler", "fuzz", parallel=True)
def fuzz_compiler() -> Report:
    """60 s of each of the compiler's readers under ASan and UBSan."""
    return compiler_fuzzers(FUZZ_SECONDS, "fuzz-compiler", jobs=1)


def compiler_fuzzers(seconds: int, name: str, jobs: int | None = None
                     ) -> Report:
    """jobs: fuzzers at a time, one on each CPU by default."""
    host.build(host.HOST)
    env = {"LOOM_FUZZ_SECONDS": str(seconds),
           "CMAKE_BUILD_PARALLEL_LEVEL": str(util.jobs())}
    return runners.ctest(host.HOST, ("-R", COMPILER_FUZZ), env=env, name=name,
                         jobs=jobs)


def declare_fuzzers() -> None:
    """One check for each fuzzer that a CMake file declares."""
    for name in fuzzer_names():
        check(f"fuzz-{name}", "fuzz", parallel=True)(fuzzer_check(name))


def fuzzer_names() -> list[str]:
    names = []
    for room in ("qemu-device/model", "accel/core", "umd", "tests"):
        for path in sorted((ROOT / room).rglob("CMakeLists.txt")):
            names += re.findall(r"^\s*loom_add_fuzzer\(\s*(\w+)",
                                path.read_text(), re.M)
    return names


def fuzzer_check(name: str) -> checks.CheckFunction:
    def run() -> Report:
        host.build(host.FUZZ)  # the first one builds, under a lock
        return runners.fuzz(host.FUZZ.dir / "fuzzers" / name, FUZZ_SECONDS)
    run.__doc__ = f"{FUZZ_SECONDS} s of {name} under ASan and UBSan."
    return run


declare_fuzzers()


# --- the command ------------------------------------------------------------------------------

def list_checks() -> int:
    for c in checks.select([], quick=False):
        say(f"{c.tier:6} {c.name:18} {c.text}")
    return 0


def main(names: list[str], quick: bool) -> int:
    chosen = checks.select(names, quick)
    setup.setup()
    say(f"==> {len(chosen)} checks on {cpu_name()}, {util.jobs()} CPUs")
    return checks.close(checks.run_all(chosen))


def cpu_name() -> str:
    out = subprocess.run(["grep", "-m1", "model name", "/proc/cpuinfo"],
                         capture_output=True, text=True).stdout
    return out.partition(":")[2].strip() or "this CPU"
