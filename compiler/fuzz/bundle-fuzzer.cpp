// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any bytes as model.json and as .safetensors.

#include "loom/Frontend/Bundle.h"

using namespace mlir::loom;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef bytes(reinterpret_cast<const char *>(data), size);
  auto check = [](llvm::Error error) {
    std::string message = llvm::toString(std::move(error));
    if (!llvm::StringRef(message).starts_with("fuzz: offset "))
      __builtin_trap();
  };
  auto description = Bundle::parseDescription(bytes, "fuzz");
  if (!description)
    check(description.takeError());
  auto tensors =
      Safetensors::parse(llvm::MemoryBuffer::getMemBufferCopy(bytes), "fuzz");
  if (!tensors) {
    check(tensors.takeError());
    return 0;
  }
  unsigned sum = 0;
  for (const auto &entry : tensors->tensors())
    for (char byte : entry.second.bytes)
      sum += static_cast<unsigned char>(byte);
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
