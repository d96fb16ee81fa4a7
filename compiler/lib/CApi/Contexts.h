// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR contexts that are used again: making one costs more than compiling a
// small module in it.

#ifndef LOOM_LIB_CAPI_CONTEXTS_H
#define LOOM_LIB_CAPI_CONTEXTS_H

#include "mlir/IR/MLIRContext.h"

#include <memory>
#include <mutex>
#include <vector>

namespace mlir::loom {

/// A context that one thread has to itself while it lives; then the next has
/// it. Types and attributes stay in a context as long as it lives, so each is
/// dropped after so many uses or bytes.
class BorrowedContext {
public:
  /// `bytes`: of the artifact that it is for.
  explicit BorrowedContext(size_t bytes);
  ~BorrowedContext();
  BorrowedContext(const BorrowedContext &) = delete;
  BorrowedContext &operator=(const BorrowedContext &) = delete;

  MLIRContext &operator*() const { return *entry.context; }

  struct Entry {
    std::unique_ptr<MLIRContext> context;
    unsigned uses = 0;
    size_t bytes = 0;
  };

private:
  Entry entry;
};

} // namespace mlir::loom

#endif // LOOM_LIB_CAPI_CONTEXTS_H
