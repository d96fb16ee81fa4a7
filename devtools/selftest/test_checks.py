# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counting: a failure is never lost, a skip always has its reason."""

import json
import threading

import pytest

from devtools import bench, checks, runners
from devtools.bench import measure
from devtools.checks import Check, Report, Skip
from devtools.util import DevError


def run(*functions):
    return checks.run_all([Check(f.__name__, "T0", f, False)
                           for f in functions])


def ok():
    pass


def refuses():
    raise DevError("refused")


def breaks():
    raise ZeroDivisionError


def absent():
    raise Skip("no such CPU")


def empty():
    return Report()


def test_each_way_to_end_is_counted(capsys):
    total = run(ok, refuses, breaks, absent, empty)
    assert (total.passed, len(total.failed), len(total.skipped)) == (1, 3, 1)
    assert checks.close(total) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 passed, 3 failed, 1 skipped"
    assert lines[-2] == "skipped: absent: no such CPU"


def test_all_passed_exits_0():
    assert checks.close(run(ok, ok)) == 0


def test_parallel_checks_run_one_on_each_cpu(capsys, monkeypatch):
    monkeypatch.setattr(checks.util, "jobs", lambda: 2)
    both = threading.Barrier(2, timeout=20)
    running = []

    def alone():
        running.append("alone")
        assert running == ["alone"]
        running.remove("alone")

    def paired():
        running.append("paired")
        both.wait()  # breaks where the other waits for its turn
        assert len(running) <= 2
        both.wait()
        running.remove("paired")

    total = checks.run_all(
        [Check(f"p{n}", "T0", paired, True) for n in range(4)]
        + [Check(f"a{n}", "T0", alone, False) for n in range(2)])
    assert (total.passed, total.failed) == (6, [])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["a0", "a1"]
    assert lines[-1].startswith("==> 4 checks, 2 at a time: ")


def test_an_unknown_name_is_refused():
    with pytest.raises(DevError, match="no check 'nonsense'"):
        checks.select(["nonsense"], quick=False)


def test_junit(tmp_path):
    path = tmp_path / "j.xml"
    path.write_text("""<testsuite>
      <testcase name="a" classname="a" status="run"/>
      <testcase name="b" classname="b" status="fail">
        <failure message=""/><system-out>wanted 1 got 2</system-out></testcase>
      <testcase name="c" classname="c" status="notrun">
        <skipped message="no AVX-512"/></testcase>
      </testsuite>""")
    report = runners.junit(path)
    assert report.passed == 1
    assert report.failed == ["b: wanted 1 got 2"]
    assert report.skipped == [("c", "no AVX-512")]


def test_gtest():
    case = {"name": "x", "result": "COMPLETED"}
    text = json.dumps({"testsuites": [{"name": "S", "testsuite": [
        case, {**case, "name": "y", "failures": [{"failure": "a.cc:1\nbad"}]},
        {"name": "z", "result": "SKIPPED",
         "skipped": [{"message": "a.cc:2\nno device\n"}]},
        {"name": "off", "result": "SUPPRESSED"}]}]})
    report = runners.gtest_json(text.encode())
    assert report.passed == 1
    assert report.failed == ["S.y: a.cc:1\nbad"]
    assert report.skipped == [("S.z", "no device")]


def test_ratios_are_medians_of_pairs():
    m = measure.paired("t", [1.0, 4.0, 9.0], [1.0, 2.0, 3.0], 2.5, "<=", str)
    assert m.ratio == 2.0 and m.quartiles == (1.5, 2.5) and m.holds
    m = measure.paired("t", [1.0] * 3, [2.0] * 3, 0.8, ">=", str)
    assert m.holds is False


def test_too_few_pairs_are_refused():
    with pytest.raises(DevError, match="15 pairs"):
        bench.main([], as_json=False, pairs=3)
