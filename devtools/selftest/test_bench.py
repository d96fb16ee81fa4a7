# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ./dev bench makes of numbers: ratios, tables, rooflines, samples. No
time is measured here."""

import pytest

from devtools.bench import measure, roofline, wall
from devtools.bench.measure import Measure, misses, paired, table
from devtools.bench.roofline import Layer, Machine

NPU16 = Machine(rows=16, cols=16, sram=512 << 10, bandwidth=8.0,
                element=4, row_cycles=4)


def layer(op="conv", shape="1x8x8x16 * 3x3x16x32", macs=8 * 8 * 32 * 9 * 16,
          cycles=10000, path="Net/Conv_0", vector=0, **losses):
    ideal = cycles - sum(losses.values())
    return Layer(path, op, shape, "MXU", cycles, ideal, macs, losses, vector)


def test_a_ratio_is_the_median_of_pairs_not_of_sides():
    m = paired("x", [1.0, 20.0, 3.0], [2.0, 10.0, 3.0], 1.0, "<=", str)
    assert m.ratio == 1.0 and m.quartiles == (0.75, 1.5) and m.holds


@pytest.mark.parametrize(("ratio", "goal", "sense", "holds", "by"), [
    (1.2, 1.2, "<=", True, 1.0), (1.3, 1.0, "<=", False, 1.3),
    (0.9, 0.9, ">=", True, 1.0), (0.45, 0.9, ">=", False, 2.0),
    (0.0, 0.9, ">=", False, float("inf")), (5.0, None, ">=", None, 0.0)])
def test_goals(ratio, goal, sense, holds, by):
    m = Measure("x", "1", "2", ratio, goal, sense)
    assert m.holds is holds and m.missed_by == pytest.approx(by)


def test_the_table_says_which_goals_are_missed_and_why():
    rows = [Measure("good", "1 ms", "2 ms", 0.5, 1.0, "<=", (0.4, 0.6)),
            Measure("bad", "3 ms", "2 ms", 1.5, 1.0, "<=",
                    losses=("stall 40 %",)),
            Measure("told", "3", "1", 3.0, None, ">=")]
    text = table(rows)
    assert "| good | 1 ms | 2 ms | 0.500 (0.400 to 0.600) | <= 1.0 | yes |" \
        in text
    assert "| bad | 3 ms | 2 ms | 1.500 | <= 1.0 | NO |" in text
    assert "| told | 3 | 1 | 3.000 | - | - |" in text
    below = misses(rows)
    assert "**bad**: 1.500 for <= 1.0, missed 1.50 times, over 1.3." in below
    assert "- stall 40 %" in below and "good" not in below
    assert misses(rows[:1]) == ""


def test_a_miss_without_a_breakdown_says_so():
    assert "not broken down" in misses([Measure("x", "", "", 2.0, 1.0, "<=")])


def test_no_pair_is_lost_in_silence():
    with pytest.raises(ValueError, match="shorter"):
        paired("x", [1.0, 2.0], [1.0], 1.0, "<=", str)


# --- roofline -------------------------------------------------------------------

def test_the_machine_comes_from_loom_info():
    info = {"rows": 12, "cols": 20, "sram_bytes": 4096,
            "bf16_div": 2, "f32_div": 4,
            "memory": [{"bytes_per_cycle": 8, "latency": 100,
                        "outstanding": 8}]}
    m = roofline.machine(info, bf16=True)
    assert m.peak == 12 * 20 / 2 and m.element == 2
    assert m.bandwidth == pytest.approx(8 * 64 / 100)  # not the 8 of the peak


def test_shapes_of_layers():
    conv = layer()
    assert conv.kernel == (3, 3) and not conv.depthwise
    assert conv.weights == 9 * 16 * 32 and conv.outputs == 8 * 8 * 32
    deep = layer(shape="1x8x8x32 * 3x3x1x32", macs=8 * 8 * 32 * 9)
    assert deep.depthwise and deep.outputs == 8 * 8 * 32
    dense = layer("matmul", "1x1x64 * 1x64x128", 64 * 128)
    assert dense.kernel == (1, 1) and dense.weights == 64 * 128
    assert dense.outputs == 128
    scores = layer("matmul", "12x128x64 * 12x64x128", 12 * 128 * 64 * 128)
    assert scores.weights == 0 and scores.outputs == 12 * 128 * 128
    pool = layer("reduce", "1x56x56x64x3x3", 0)
    assert pool.outputs == 56 * 56 * 64 and not pool.is_product


def test_the_roofline_is_the_largest_of_three():
    conv = layer()
    assert roofline.rooflines([conv, conv], NPU16)[1] == pytest.approx(
        conv.macs / 64)  # the array's
    dense = layer("matmul", "1x1x4096 * 1x4096x4096", 4096 * 4096)
    assert roofline.rooflines([dense], NPU16)[0] == pytest.approx(
        (4096 * 4096 + 2 * 4096) * 4 / 8)  # memory's: weights, input, output
    vector = layer("map", "1x64x768", 0, vector=16 * 64 * 768 // 16)
    assert roofline.rooflines([conv, vector, conv], NPU16)[1] == 64 * 768


def test_only_intermediates_over_half_of_sram_count():
    small = layer("map", "1x65536", 0)  # exactly half: stays
    large = layer("map", "1x65537", 0)
    after = layer("map", "1x16", 0)
    fits = roofline.rooflines([after, small, after], NPU16)
    spills = roofline.rooflines([after, large, after], NPU16)
    assert fits[1] == 0 and fits[2] == 16 * 4 / 8
    assert spills[1] == 65537 * 4 / 8  # written
    assert spills[2] == (65537 * 4 + 16 * 4) / 8  # and read


def test_depthwise_has_a_peak_of_its_own():
    deep = layer(shape="1x8x8x32 * 3x3x1x32", macs=8 * 8 * 32 * 9)
    assert roofline.products(deep, NPU16) == pytest.approx(
        deep.macs / (9 * 16 / 4))


def test_the_breakdown_adds_up_and_names_the_worst():
    rows = [layer(path="Net/a", cycles=1000, stall=400),
            layer(path="Net/b", cycles=500, fill=100)]
    first, *worst = roofline.breakdown(rows, [500.0, 400.0])
    assert "stall +26.7%" in first and "fill +6.7%" in first
    assert "operands and maps through memory +6.7%" in first
    assert "Net/a" in worst[0] and "1,000 cycles for 500" in worst[0]


# --- samples --------------------------------------------------------------------

def test_samples_by_source():
    where = {"1": ("gemm_f32", "/x/qemu-device/model/kernels_avx512.c"),
             "2": ("loom_mxu_check", "/x/qemu-device/model/mxu_check.c"),
             "3": ("copy", "/x/qemu-device/model/dma.c"),
             "4": ("advance", "/x/qemu-device/model/time.c"),
             "5": ("loom_vpu_exec", "/x/qemu-device/model/vpu.c"),
             "6": ("run", "/x/umd/libloom/thread_pool.h"),
             "7": ("copy_rows", "/x/qemu-device/model/kernels_avx512.c")}
    s = wall.classified({"1": 60, "2": 5, "3": 6, "4": 8, "5": 10, "6": 4,
                         "7": 4, "-1": 3}, where)
    assert (s.compute, s.dma, s.timing, s.dispatch) == (74, 10, 8, 5)
    assert s.total == 97 and s.overhead == pytest.approx(23 / 97)
    assert "compute 76.3%" in s.told()[0]
    assert "gemm_f32 (kernels_avx512.c) 61.9%" in s.told()[1]


def test_a_place_belongs_to_the_outermost_frame_of_ours():
    text = ("0x10\nmemcpy\n/usr/include/string.h:29\ncopy_row\n"
            "/x/qemu-device/model/dma.c:300 (discriminator 3)\nrun\n"
            "/x/qemu-device/model/dma.c:400\nmain\n/usr/include/thread:9\n"
            "0x20\nstrlen\n??:?\n")
    found = wall.outermost(text, ["16", "32"])
    assert found == {"16": ("run", "/x/qemu-device/model/dma.c"),
                     "32": ("strlen", "??")}


def test_nothing_sampled_is_no_success():
    assert wall.Shares().overhead == 1.0


def test_every_benchmark_says_what_it_measures():
    assert len(measure.BENCHES) >= 14
    for name, function in measure.BENCHES.items():
        assert (function.__doc__ or "").strip(), name
