// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fourier transforms. The engine transforms along one dimension; what has more
// goes dimension by dimension.

#include "Cpu.h"

#include "loom_cpu_cost.h"

using namespace mlir;
using namespace mlir::loom;

/// The parts of what a transform along one dimension gives; only where they are
/// real on one side do shape and number of parts change.
static void addResults(CpuForm &form, ArrayRef<Value> parts, int64_t dim,
                       int64_t length, int64_t kind) {
  auto type = cast<RankedTensorType>(parts[0].getType());
  SmallVector<int64_t> shape(type.getShape());
  if (kind == LOOM_CPU_FFT_RFFT)
    shape[dim] = length / 2 + 1;
  if (kind == LOOM_CPU_FFT_IRFFT)
    shape[dim] = length;
  for (int64_t i = 0; i < (kind == LOOM_CPU_FFT_IRFFT ? 1 : 2); ++i)
    form.result(RankedTensorType::get(shape, type.getElementType()));
  form.result(RankedTensorType::get({loom_cpu_fft_workspace(length)},
                                    form.builder.getF64Type()));
  form.params = {dim, length, kind};
}

LogicalResult Converter::cpuFft(stablehlo::FftOp op) {
  const StringRef type = op.getFftType();
  SmallVector<Value> parts;
  for (Value operand : op.getOperands())
    parts.push_back(map.lookup(operand));
  ArrayRef<int64_t> lengths = op.getFftLength();
  const int64_t rank = cast<RankedTensorType>(parts[0].getType()).getRank(),
                count = lengths.size();
  // Real numbers first or last, along the last dimension.
  SmallVector<std::pair<int64_t, int64_t>> steps; // length's number, kind
  const bool inverse = type == "IFFT" || type == "IRFFT";
  for (int64_t i = 0; i < count; ++i)
    steps.push_back({inverse ? i : count - 1 - i,
                     inverse ? LOOM_CPU_FFT_IFFT : LOOM_CPU_FFT_FFT});
  if (type == "RFFT")
    steps.front().second = LOOM_CPU_FFT_RFFT;
  if (type == "IRFFT")
    steps.back().second = LOOM_CPU_FFT_IRFFT;
  for (auto [number, kind] : steps) {
    CpuForm form(builder, LOOM_CPU_FFT);
    for (Value part : parts)
      form.input(part);
    addResults(form, parts, rank - count + number, lengths[number], kind);
    if (number == steps.back().first)
      return finishCpu(op, form);
    parts = cpuStep(op, form);
    parts.pop_back(); // the workspace
  }
  llvm_unreachable("a transform has a length");
}
