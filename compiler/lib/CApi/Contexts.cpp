// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Contexts.h"

#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"

using namespace mlir;
using namespace mlir::loom;

namespace {
constexpr unsigned kMaxUses = 200;
constexpr size_t kMaxBytes = 32 << 20, kMaxIdle = 4;

struct Pool {
  std::mutex mutex;
  std::vector<BorrowedContext::Entry> idle;
};

/// Never destroyed: threads may compile while the process ends.
Pool &pool() {
  static Pool *const instance = new Pool;
  return *instance;
}

std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerFrontDialects(registry);
  registerBackDialects(registry);
  auto context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  // A message already names line, module and operation.
  context->printOpOnDiagnostic(false);
  return context;
}
} // namespace

BorrowedContext::BorrowedContext(size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(pool().mutex);
    if (!pool().idle.empty()) {
      entry = std::move(pool().idle.back());
      pool().idle.pop_back();
    }
  }
  if (!entry.context)
    entry.context = makeContext();
  ++entry.uses;
  entry.bytes += bytes;
}

BorrowedContext::~BorrowedContext() {
  if (entry.uses >= kMaxUses || entry.bytes >= kMaxBytes)
    return;
  std::lock_guard<std::mutex> lock(pool().mutex);
  if (pool().idle.size() < kMaxIdle)
    pool().idle.push_back(std::move(entry));
}
