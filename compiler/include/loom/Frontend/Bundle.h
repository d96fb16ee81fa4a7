// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reader of the bundle that loom.export writes: a directory of model.json, one
// artifact an entry point, params.safetensors and, where there is state,
// state.safetensors.

#ifndef LOOM_FRONTEND_BUNDLE_H
#define LOOM_FRONTEND_BUNDLE_H

#include "loom/Frontend/Safetensors.h"

#include <optional>
#include <vector>

namespace mlir::loom {

enum class Role { Param, State, Rng, Input, Output };

llvm::StringRef roleName(Role role);

struct TensorInfo {
  std::string path; // "params/Conv_0/kernel"
  Role role = Role::Input;
  const DType *dtype = nullptr;
  llvm::SmallVector<int64_t> shape;
};

struct EntryPoint {
  std::string name;     // "__call__"
  std::string artifact; // file name inside the bundle
  std::vector<TensorInfo> inputs, outputs;
  std::vector<unsigned> donated; // indices of inputs
};

class Bundle {
public:
  /// Opens a bundle directory (or the model.json inside it), checks model.json
  /// whole and maps the tensors. Every "param" input must have its value there.
  static llvm::Expected<Bundle> open(llvm::StringRef path);

  /// Checks the text of a model.json.
  static llvm::Expected<std::vector<EntryPoint>>
  parseDescription(llvm::StringRef text, llvm::StringRef fileName);

  const std::vector<EntryPoint> &entryPoints() const { return entries; }
  const EntryPoint *findEntry(llvm::StringRef name) const;
  /// "__call__, encode", for messages.
  std::string listEntries() const;

  const Safetensors &params() const { return parameters; }
  const Safetensors &state() const { return initialState; }
  std::string artifactPath(const EntryPoint &entry) const;
  const std::string &directory() const { return path; }

private:
  std::string path;
  std::vector<EntryPoint> entries;
  Safetensors parameters, initialState;
};

} // namespace mlir::loom

#endif // LOOM_FRONTEND_BUNDLE_H
