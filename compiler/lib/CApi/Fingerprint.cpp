// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fingerprint.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace {
/// Keeps of what is printed the hash alone.
class HashStream : public llvm::raw_ostream {
public:
  HashStream() { SetBufferSize(4096); }
  ~HashStream() override { flush(); }
  std::string digest() {
    flush();
    return llvm::toHex(hash.final<32>(), /*LowerCase=*/true);
  }

private:
  void write_impl(const char *data, size_t size) override {
    hash.update(llvm::StringRef(data, size));
    written += size;
  }
  uint64_t current_pos() const override { return written; }

  llvm::BLAKE3 hash;
  uint64_t written = 0;
};
} // namespace

std::string mlir::loom::fingerprintOf(ModuleOp module) {
  HashStream stream;
  OpPrintingFlags flags;
  // Nothing is left out, whatever options the process has set; a local scope
  // numbers no attributes by their first use.
  flags.printGenericOpForm().useLocalScope().enableDebugInfo(false);
  flags.elideLargeElementsAttrs(INT64_MAX).elideLargeResourceString(UINT64_MAX);
  module->print(stream, flags);
  return stream.digest();
}
