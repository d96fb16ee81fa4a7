// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of products: enumerated, and judged by the shared cost function.

#ifndef LOOM_SCHEDULER_TILING_H
#define LOOM_SCHEDULER_TILING_H

#include "loom_target.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mlir::loom::program {

/// A convolution, or a matrix product as its 1x1 case (h = oh = 1, w = ow = M,
/// c = K, g = batch).
struct ProductShape {
  unsigned type = 0; // enum loom_mxu_type
  int64_t elem = 4, outElem = 4;
  int64_t g = 1, b = 1, h = 1, w = 1, c = 1, kh = 1, kw = 1, n = 1, oh = 1,
          ow = 1;
  int64_t sy = 1, sx = 1, dy = 1, dx = 1;
  bool bias = false, scale = false;
  int64_t resElem = 0;        // bytes of a residual's element; 0: none
  int64_t aRun = 0, bRun = 0; // bytes of A and B that lie together in memory
  // Operands that lie in SRAM already: no load, no store, no buffer.
  bool aHere = false, bHere = false, outHere = false, resHere = false;

  int64_t macs() const { return g * b * oh * ow * n * kh * kw * c; }
  auto operator<=>(const ProductShape &) const = default;
};

struct ProductTiling {
  int64_t tb = 1, ty = 1, tx = 1, tn = 1; // images, rows, columns, channels
  int64_t tky = 1, tkx = 1, tc = 1;       // of the kernel, a chunk of k
  bool nOuter = false; // channel tiles outside, pixels inside
  int64_t aBufs = 1, bBufs = 1, outBufs = 1;
  int64_t aBytes = 0, bBytes = 0, outBytes = 0, resBytes = 0;

  int64_t chunks(const ProductShape &s) const;
  /// Input rows and columns that a tile touches, at most.
  int64_t rows(const ProductShape &s) const;
  int64_t columns(const ProductShape &s) const;

  /// Sizes of the buffers that the loops take, the largest first.
  std::vector<int64_t> buffers(const ProductShape &s) const;

  uint64_t cycles = 0, mxu = 0, memory = 0, bytes = 0;
  /// What the search compares: cycles, and a little for each record, since code
  /// has an end.
  uint64_t score = 0;
  const char *bound() const { return mxu >= memory ? "MXU" : "memory"; }
  std::string text(const ProductShape &s) const;
};

/// SRAM that the smallest tile of a product takes.
int64_t smallestTileBytes(const ProductShape &shape, const loom_target &target);

/// The best tiling on a target whose buffers take at most `sram` bytes; false
/// if not even the smallest fits.
bool tileProduct(const ProductShape &shape, const loom_target &target,
                 int64_t sram, ProductTiling &best);

} // namespace mlir::loom::program

#endif // LOOM_SCHEDULER_TILING_H
