// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strided references: what reshape, transpose, slice and broadcast become.

#include "loom/Dialect/LoomT/LoomT.h"

using namespace mlir;
using namespace mlir::loom::loomt;

SmallVector<int64_t> mlir::loom::loomt::denseStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t d = int64_t(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

Ref Ref::of(Value value) {
  Ref ref;
  auto type = cast<RankedTensorType>(value.getType());
  ref.shape.assign(type.getShape().begin(), type.getShape().end());
  if (auto view = value.getDefiningOp<ViewOp>()) {
    ref.root = view.getRoot();
    ref.offset = view.getOffset();
    ref.strides.assign(view.getStrides().begin(), view.getStrides().end());
    return ref;
  }
  ref.root = value;
  ref.strides = denseStrides(ref.shape);
  return ref;
}

bool Ref::isWhole() const {
  int64_t count = 1;
  SmallVector<int64_t> dense = denseStrides(shape);
  for (auto [d, n] : llvm::enumerate(shape)) {
    count *= n;
    if (n != 1 && strides[d] != dense[d])
      return false;
  }
  return offset == 0 &&
         count == cast<RankedTensorType>(root.getType()).getNumElements();
}

std::optional<Ref> Ref::reshaped(ArrayRef<int64_t> to) const {
  Ref result{root, offset, SmallVector<int64_t>(to), {}};
  result.strides.assign(to.size(), 0);
  // Dimensions of size 1 carry no stride of their own.
  SmallVector<int64_t> n, s;
  for (auto [size, stride] : llvm::zip(shape, strides))
    if (size != 1) {
      n.push_back(size);
      s.push_back(stride);
    }
  size_t from = 0, t = 0;
  while (t < to.size() || from < n.size()) {
    if (t < to.size() && to[t] == 1) {
      ++t;
      continue;
    }
    if (t >= to.size() || from >= n.size())
      return std::nullopt;
    size_t fromEnd = from + 1, tEnd = t + 1;
    int64_t have = n[from], want = to[t];
    while (have != want) {
      if (have < want && fromEnd < n.size())
        have *= n[fromEnd++];
      else if (have > want && tEnd < to.size())
        want *= to[tEnd++];
      else
        return std::nullopt;
    }
    for (size_t i = from; i + 1 < fromEnd; ++i)
      if (s[i] != s[i + 1] * n[i + 1])
        return std::nullopt;
    int64_t stride = s[fromEnd - 1];
    for (size_t i = tEnd; i-- > t;) {
      result.strides[i] = stride;
      stride *= to[i];
    }
    from = fromEnd;
    t = tEnd;
  }
  return result;
}

Value Ref::materialiseView(OpBuilder &builder, Location loc) const {
  auto rootType = cast<RankedTensorType>(root.getType());
  auto type = RankedTensorType::get(shape, rootType.getElementType());
  if (type == rootType && isWhole())
    return root;
  return ViewOp::create(builder, loc, type, root, offset, strides);
}
