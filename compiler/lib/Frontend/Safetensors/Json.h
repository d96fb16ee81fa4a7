// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// JSON without exceptions: what is wrong, and where, instead.

#ifndef LOOM_FRONTEND_JSON_H
#define LOOM_FRONTEND_JSON_H

#include "llvm/Support/Error.h"

#include <nlohmann/json.hpp>

namespace mlir::loom {

/// Parses text; errors give the offset in the file, where the text begins at
/// `base`, and the remedy. Nesting beyond 32 levels is refused.
llvm::Expected<nlohmann::json> parseJson(llvm::StringRef text,
                                         llvm::StringRef file, uint64_t base,
                                         llvm::StringRef remedy);

/// "file: offset N: what; remedy".
llvm::Error fileError(llvm::StringRef file, uint64_t offset,
                      const llvm::Twine &what, llvm::StringRef remedy);

/// A non-negative integer no larger than `limit`.
std::optional<int64_t> jsonInteger(const nlohmann::json &value,
                                   int64_t limit = INT64_MAX);

} // namespace mlir::loom

#endif // LOOM_FRONTEND_JSON_H
