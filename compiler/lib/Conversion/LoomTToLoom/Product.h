// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ways to lower a product share: its operands with one meaning a
// dimension, and the ways that grouped convolutions have besides the common
// loop nest.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_PRODUCT_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_PRODUCT_H

#include "Emitter.h"

#include <memory>

namespace mlir::loom {

/// Operands with one meaning a dimension, whatever the operation was.
struct Product {
  Box input;    // g, b, y, x, c
  Box filter;   // g, ky, kx, c, n
  Box bias;     // g, n
  Box scale;    // g, n
  Box out;      // g, b, y, x, n
  Box residual; // as out
  unsigned resType = 0;
  program::ProductShape shape;
  int64_t py = 0, px = 0;
  unsigned outType = 0;
  std::optional<std::pair<uint32_t, uint32_t>> clamp;
};

/// Inputs that outputs [o0, o0 + n) touch, clipped: first and count, at least
/// one.
std::pair<int64_t, int64_t> touched(int64_t o0, int64_t n, int64_t stride,
                                    int64_t k, int64_t dilation, int64_t pad,
                                    int64_t limit);

/// One way to lower a convolution of several groups.
class GroupedForm {
public:
  virtual ~GroupedForm() = default;
  /// Finds its best tiling; whether there is one that beats `limit` cycles.
  virtual bool choose(uint64_t limit) = 0;
  virtual void run() = 0;
  virtual std::string text() const = 0;
  virtual StringRef kind() const { return "conv"; }
  virtual const char *bound() const { return "MXU"; }
  /// Cycles of the array's peak in the mode that it uses.
  virtual uint64_t arrayCycles() const = 0;

  uint64_t cycles = 0; // planned
  uint64_t bytes = 0;  // moved
};

/// Neighbouring groups share one patch of the map; each is a record.
std::unique_ptr<GroupedForm> makeGrouped(Emitter &emitter, Operation *op,
                                         const Product &product);
/// Groups of one channel, by the array's depthwise mode.
std::unique_ptr<GroupedForm> makeDepthwise(Emitter &emitter, Operation *op,
                                           const Product &product);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_PRODUCT_H
