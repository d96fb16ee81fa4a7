// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function returns, and where: outputs have memory of their own, state
// goes back to where it came from.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESULTS_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESULTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Name of an argument or result, from its attributes.
std::string nameOf(DictionaryAttr attributes, StringRef fallback,
                   unsigned index);
/// Role of an argument or result, from its attributes.
std::string roleOf(DictionaryAttr attributes, StringRef fallback);

/// The argument whose place a result takes: the same state, or what
/// kReplacesAttr says; null if it has a place of its own.
BlockArgument replacedBy(func::FuncOp func, unsigned result);

/// Gives every result a root that nothing else is and that may be computed
/// where the result belongs. State that is returned as it came stays the
/// argument.
void materialiseResults(func::FuncOp func);

/// After prepareUpdates(): new state that cannot be computed over the old is
/// copied there at the end.
void settleState(func::FuncOp func);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESULTS_H
