// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// JAX writes the scope path as the outermost name, "jit(f)/MLP/Dense_1/dot",
// and the Python callers as a chain of call sites below it. Inlining adds the
// call's location as the caller of the callee's.

#include "loom/Frontend/SourceNames.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;

/// Scopes that are JAX's own, not a module's.
static bool isControlScope(StringRef part) {
  static constexpr StringLiteral names[] = {"while",
                                            "body",
                                            "cond",
                                            "scan",
                                            "checkpoint",
                                            "remat",
                                            "rematted_computation",
                                            "closed_call",
                                            "custom_jvp_call",
                                            "custom_vjp_call",
                                            "pjit",
                                            "jit"};
  return part.empty() || llvm::is_contained(names, part) ||
         part.starts_with("branch_");
}

/// "jvp(CNN)" -> "CNN", "jit(relu)" -> nothing, "Dense_0" -> itself.
static StringRef unwrap(StringRef part) {
  static constexpr StringLiteral wrappers[] = {"jvp(", "vmap(", "transpose(",
                                               "linearize(", "vjp("};
  bool again = true;
  while (again) {
    again = false;
    for (StringLiteral wrapper : wrappers)
      if (part.starts_with(wrapper) && part.ends_with(")")) {
        part = part.drop_front(wrapper.size()).drop_back();
        again = true;
      }
  }
  if (part.contains('(') || isControlScope(part))
    return {};
  return part;
}

/// Splits at slashes outside parentheses.
static SmallVector<StringRef> splitScope(StringRef scope) {
  SmallVector<StringRef> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= scope.size(); ++i) {
    if (i == scope.size() || (scope[i] == '/' && depth == 0)) {
      parts.push_back(scope.slice(begin, i));
      begin = i + 1;
    } else if (scope[i] == '(') {
      ++depth;
    } else if (scope[i] == ')') {
      --depth;
    }
  }
  return parts;
}

static bool isScope(StringRef name) {
  return name.contains('/') || name.starts_with("jit(");
}

static void collectScope(LocationAttr loc, SmallVectorImpl<std::string> &path) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    if (!isScope(name.getName().getValue()))
      return collectScope(name.getChildLoc(), path);
    SmallVector<StringRef> parts = splitScope(name.getName().getValue());
    parts.pop_back(); // the primitive, or the function called
    for (StringRef part : parts)
      if (StringRef module = unwrap(part); !module.empty())
        path.push_back(module.str());
    return;
  }
  if (auto site = dyn_cast<CallSiteLoc>(loc)) {
    collectScope(site.getCaller(), path);
    collectScope(site.getCallee(), path);
    return;
  }
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations()) {
      if (!path.empty())
        return;
      collectScope(part, path);
    }
}

std::string mlir::loom::modulePath(Location loc) {
  SmallVector<std::string> path;
  collectScope(loc, path);
  return llvm::join(path, "/");
}

static bool isLibrary(StringRef file) {
  return file.contains("site-packages/") || file.contains("dist-packages/") ||
         file.contains("lib/python3") || file.starts_with("<");
}

namespace {
struct Frames {
  std::string user, any;
};
} // namespace

static void collectFrames(LocationAttr loc, Frames &frames) {
  if (!frames.user.empty())
    return;
  if (auto file = dyn_cast<FileLineColRange>(loc)) {
    StringRef path = file.getFilename().getValue();
    std::string text =
        (llvm::sys::path::filename(path) + ":" + Twine(file.getStartLine()) +
         ":" + Twine(file.getStartColumn()))
            .str();
    if (frames.any.empty())
      frames.any = text;
    if (!isLibrary(path))
      frames.user = text;
    return;
  }
  if (auto name = dyn_cast<NameLoc>(loc))
    return collectFrames(name.getChildLoc(), frames);
  if (auto site = dyn_cast<CallSiteLoc>(loc)) {
    collectFrames(site.getCallee(), frames);
    return collectFrames(site.getCaller(), frames);
  }
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectFrames(part, frames);
}

std::string mlir::loom::sourceLine(Location loc) {
  Frames frames;
  collectFrames(loc, frames);
  return frames.user.empty() ? frames.any : frames.user;
}

std::string mlir::loom::argumentName(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName().str();
  return {};
}
