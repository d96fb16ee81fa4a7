// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reader of .safetensors files: a JSON header, then the tensors' bytes. The
// file is mapped; tensors are views into it.

#ifndef LOOM_FRONTEND_SAFETENSORS_H
#define LOOM_FRONTEND_SAFETENSORS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <map>
#include <memory>
#include <string>

namespace mlir::loom {

/// Loom's short name of an element type and its size ("f32", 4).
struct DType {
  llvm::StringRef name;        // f32 bf16 f16 i32 u32 i16 u16 i8 u8 i1
  llvm::StringRef safetensors; // F32 BF16 F16 I32 U32 I16 U16 I8 U8 BOOL
  unsigned bytes;
};

/// Nothing when the name is unknown.
const DType *findDType(llvm::StringRef name);
const DType *findSafetensorsDType(llvm::StringRef name);

/// "f32 bf16 ...", for messages.
std::string listDTypes();

class Safetensors {
public:
  struct Tensor {
    const DType *dtype = nullptr;
    llvm::SmallVector<int64_t> shape;
    llvm::ArrayRef<char> bytes;
  };

  /// Maps and checks a file. Errors name file, offset, finding and remedy.
  static llvm::Expected<Safetensors> open(llvm::StringRef path);
  static llvm::Expected<Safetensors>
  parse(std::shared_ptr<llvm::MemoryBuffer> buffer, llvm::StringRef name);

  /// Null when there is no such tensor.
  const Tensor *find(llvm::StringRef name) const;
  const std::map<std::string, Tensor, std::less<>> &tensors() const {
    return entries;
  }
  /// Keeps the mapping alive.
  std::shared_ptr<llvm::MemoryBuffer> owner() const { return buffer; }

private:
  std::map<std::string, Tensor, std::less<>> entries;
  std::shared_ptr<llvm::MemoryBuffer> buffer;
};

} // namespace mlir::loom

#endif // LOOM_FRONTEND_SAFETENSORS_H
