// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products through loom_mxu_exec() in macro tiles, without machine or
// DMA: what the micro-kernels give. Usage: loom_gemm_bench [size]. Prints one
// line for each kernel set and type.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" {
#include "exec.h"
#include "kernels.h"
}

namespace {

constexpr unsigned tile = 128;

struct bench {
  loom_target target{};
  loom_npu_host host{};
  loom_exec exec{};
  std::vector<uint8_t> sram, acc, scratch;

  bench() {
    target.sram_bytes = 512 << 10;
    target.acc_bytes = 64 << 10;
    target.features = LOOM_FEATURES_IMPLEMENTED;
    target.rows = target.cols = 16;
    target.int8_div = target.bf16_div = target.f32_div = 1;
    target.vpu_lanes = 16;
    sram.resize(target.sram_bytes + 128);
    acc.resize(target.acc_bytes + 128);
    scratch.resize(LOOM_EXEC_SCRATCH(&target) + 64);
    const auto align = [](std::vector<uint8_t> &v) {
      return reinterpret_cast<uint8_t *>(
          (reinterpret_cast<uintptr_t>(v.data()) + 63) & ~uintptr_t(63));
    };
    exec.target = &target;
    exec.sram = align(sram);
    exec.acc = reinterpret_cast<uint32_t *>(align(acc));
    exec.scratch = align(scratch);
    exec.host = &host;
  }
};

// One macro tile: 128 x 128 outputs, 128 products each.
loom_dispatched record(unsigned type, bool first, bool last) {
  const unsigned e = type == LOOM_MXU_F32 ? 4 : type == LOOM_MXU_BF16 ? 2 : 1;
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 4;
  m.type = uint8_t(type);
  m.acc = first ? LOOM_ACC_ZERO : LOOM_ACC_KEEP;
  m.ih = m.kh = m.kw = m.oh = m.sy = m.sx = m.dy = m.dx = m.outer[0] =
      m.outer[1] = 1;
  m.iw = m.ow = m.kc = m.n = tile;
  m.a_sw = int(tile * e);
  m.a_sc = int(e);
  m.b_base = 128 << 10;
  m.b_sk = int(tile * e);
  m.b_sn = int(e);
  m.acc_pitch = tile;
  if (last) {
    m.flags = LOOM_MXU_DRAIN;
    m.out_base = 256 << 10;
    m.o_sx = tile * 4;
    m.o_sn = 4;
    m.out_type = type == LOOM_MXU_INT8 ? LOOM_I32 : LOOM_F32;
  }
  return r;
}

double seconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double product(bench &b, unsigned type, unsigned size) {
  const unsigned tiles = size / tile;
  const double begin = seconds();
  for (unsigned ij = 0; ij < tiles * tiles; ++ij)
    for (unsigned k = 0; k < tiles; ++k) {
      const loom_dispatched r = record(type, k == 0, k + 1 == tiles);
      loom_demand d;
      loom_refusal why;
      if (loom_mxu_check(&b.exec, &r, &d, &why)) {
        std::fprintf(stderr,
                     "gemm_bench: the model refused its own tile, fault %d\n",
                     why.fault);
        std::exit(1);
      }
      loom_mxu_exec(&b.exec, &r);
    }
  return seconds() - begin;
}

} // namespace

int main(int argc, char **argv) {
  const unsigned size = argc > 1 ? unsigned(std::atoi(argv[1])) : 1024;
  static const char *const types[] = {"f32", "bf16", "int8"};
  bench b;
  if (size < tile || size % tile) {
    std::fprintf(stderr, "gemm_bench: size must be a multiple of %u\n", tile);
    return 2;
  }
  for (uint32_t i = 0; i < b.target.sram_bytes; i += 4) {
    const float f = float(int(i * 2654435761u >> 20) - 2048) / 2048;
    std::memcpy(b.exec.sram + i, &f, 4);
  }
  for (const loom_host_isa isa :
       {LOOM_HOST_AVX512, LOOM_HOST_AVX2, LOOM_HOST_SCALAR}) {
    b.exec.kernels = loom_kernels_select(isa);
    if (!b.exec.kernels)
      continue;
    for (unsigned type = LOOM_MXU_F32; type <= LOOM_MXU_INT8; ++type) {
      double best = 1e9;
      const int runs = isa == LOOM_HOST_SCALAR ? 1 : 11;
      for (int i = 0; i < runs; ++i)
        best = std::min(best, product(b, type, size));
      std::printf("%-7s %-5s %4u: %8.1f Gop/s (%.2f ms)\n",
                  b.exec.kernels->name, types[type], size,
                  2.0 * size * size * size / best / 1e9, best * 1e3);
    }
  }
  return 0;
}
