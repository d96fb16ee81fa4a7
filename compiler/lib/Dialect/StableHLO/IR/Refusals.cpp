// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Refusals.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

namespace {

/// Why an operation is refused, by the beginning of its name, and what to do.
struct RefusalRow {
  StringLiteral prefix, reason, remedy;
};

const RefusalRow kRefused[] = {
    {"stablehlo.dynamic_", "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.real_dynamic_slice",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.get_dimension_size",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.set_dimension_size",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.all_", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.collective_", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.cross-replica-sum",
     "programs for several devices are not compiled", "trace on one device"},
    {"stablehlo.reduce_scatter",
     "programs for several devices are not compiled", "trace on one device"},
    {"stablehlo.partition_id", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.replica_id", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.async_", "asynchronous operations are not compiled",
     "trace on one device"},
    {"stablehlo.after_all", "tokens are not compiled",
     "remove input and output inside the model"},
    {"stablehlo.create_token", "tokens are not compiled",
     "remove input and output inside the model"},
    {"stablehlo.infeed", "input inside the model is not compiled",
     "pass it as an argument"},
    {"stablehlo.outfeed", "output inside the model is not compiled",
     "return it as a result"},
    {"stablehlo.send", "communication inside the model is not compiled",
     "return the value as a result"},
    {"stablehlo.recv", "communication inside the model is not compiled",
     "pass the value as an argument"},
    {"stablehlo.uniform_", "quantised types are not compiled",
     "export the model in float"},
    {"stablehlo.rng", "this generator of random numbers is not compiled",
     "use deterministic=True, or draw outside the model"},
    {"stablehlo.map", "the NPU does not map a region",
     "write it as arithmetic"},
    {"stablehlo.popcnt", "the NPU does not count bits so",
     "count them outside the model"},
    {"stablehlo.bitcast_convert", "the NPU does not take bits for another type",
     "cast outside the model"},
    {"stablehlo.custom_call", "it calls code outside the program",
     "remove the callback or the platform-specific routine"},
    {"stablehlo.fft", "the NPU has no Fourier transforms",
     "transform on the host"},
    {"stablehlo.cholesky", "the NPU factorises no matrices",
     "factorise on the host"},
    {"stablehlo.triangular_solve", "the NPU solves no triangular systems",
     "solve on the host"},
    {"ProductOfElementaryHouseholderReflectors",
     "the NPU factorises no matrices", "factorise on the host"},
    {"loom.cholesky", "the NPU factorises no matrices",
     "factorise on the host"},
    {"loom.triangular_solve", "the NPU solves no triangular systems",
     "solve on the host"},
    {"Qr", "the NPU factorises no matrices", "factorise on the host"},
    {"stablehlo.batch_norm_",
     "batch normalisation as one operation is not "
     "compiled",
     "export from Flax, which writes it as arithmetic"},
    {"func.call", "a call is left over", "run loom-inline-calls first"},
    {"vhlo.", "versioned operations are not compiled",
     "run loom-convert-vhlo first"},
};

} // namespace

Refusal stablehlo::refusalOf(StringRef name) {
  for (const RefusalRow &row : kRefused)
    if (name.starts_with(row.prefix))
      return {row.reason.str(), row.remedy.str()};
  return {"the operation is not compiled",
          "express it by other operations, or compute it on the host"};
}
