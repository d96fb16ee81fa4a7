// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations, their operands and their programs.
#include "refusals.h"
#include "loom_cpu_cost.h"

namespace loom::test {

operation sound(uint32_t structure) {
  const dims n = {4, 8};
  operation m;
  m.structure = uint16_t(structure);
  const auto f = [&n](uint32_t slot) { return dense(slot, LOOM_F32, n); };
  const auto one = dense(0, LOOM_F32, {});
  switch (structure) {
  case LOOM_CPU_REDUCE:
    m.in = {f(0), one};
    m.out = {dense(2, LOOM_F32, {4, 1})};
    m.ops = binary(LOOM_UOP_FADD);
    m.set(loom_cpu_reduce{2, 0, 1, 0});
    break;
  case LOOM_CPU_WINDOW:
    m.in = {f(0), one};
    m.out = {f(2)};
    m.ops = binary(LOOM_UOP_FADD);
    m.set(loom_cpu_window{{2, 2}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, 0, 1, {}});
    break;
  case LOOM_CPU_SELECT_SCATTER:
    m.in = {f(0), f(0), one};
    m.out = {f(1)};
    m.ops = binary(LOOM_UOP_FGE);
    for (const auto &u : binary(LOOM_UOP_FADD))
      m.ops.push_back(u);
    m.set(loom_cpu_select_scatter{{2, 2}, {1, 1}, {0, 0}, 4, 0});
    break;
  case LOOM_CPU_GATHER:
    m.in = {f(0), dense(0, LOOM_I32, n)};
    m.out = {f(2)};
    m.set(loom_cpu_gather{1, 0, {9}, {4}});
    break;
  case LOOM_CPU_SCATTER:
    m.in = {f(0), dense(0, LOOM_I32, n)};
    m.out = {f(1)};
    m.ops = binary(LOOM_UOP_FADD);
    m.set(loom_cpu_scatter{1, 0, 1, {}, {9}, {{4}}});
    break;
  case LOOM_CPU_SORT:
    m.in = {f(0)};
    m.out = {f(2), dense(1, LOOM_U32, {16})};
    m.ops = binary(LOOM_UOP_FLT);
    m.set(loom_cpu_sort{1, 1, {}});
    break;
  case LOOM_CPU_COPY:
    m.in = {f(0)};
    m.out = {f(2)};
    break;
  case LOOM_CPU_SCAN:
    m.in = {f(0)};
    m.out = {f(2)};
    m.ops = binary(LOOM_UOP_FADD);
    m.set(loom_cpu_scan{1, 0, 1, 0});
    break;
  case LOOM_CPU_DOT:
    m.in = {f(0), f(0)};
    m.out = {f(2)};
    m.set(loom_cpu_dot{1, 0, {5}, {4}, {4}});
    break;
  case LOOM_CPU_CONV: {
    m.in = {f(0), f(0)};
    m.out = {f(2)};
    loom_cpu_conv c{};
    c.n_spatial = c.channels = 1;
    c.size[0] = 8;
    c.dim[0] = 1;
    c.window[0] = c.stride[0] = c.dilation[0] = c.in_dilation[0] = 1;
    m.set(c);
    break;
  }
  case LOOM_CPU_FFT: {
    const uint32_t work = loom_cpu_fft_workspace(8);
    m.in = {f(0), f(0)};
    m.out = {f(2), f(2), dense(1, LOOM_F64, {work})};
    m.set(loom_cpu_fft{1, 8, LOOM_CPU_FFT_FFT, {}});
    break;
  }
  case LOOM_CPU_CHOLESKY:
    m.in = {dense(0, LOOM_F32, {4, 4})};
    m.out = {dense(1, LOOM_F32, {4, 4})};
    break;
  case LOOM_CPU_TRIANGULAR_SOLVE:
    m.in = {dense(0, LOOM_F32, {4, 4}), f(0)};
    m.out = {f(1)};
    m.set(loom_cpu_triangular_solve{});
    break;
  case LOOM_CPU_QR:
    m.in = {f(0)};
    m.out = {f(1), dense(1, LOOM_F32, {1, 4})};
    break;
  case LOOM_CPU_HOUSEHOLDER:
    m.in = {f(0), dense(0, LOOM_F32, {1, 3})};
    m.out = {f(1)};
    break;
  default: // MAP
    m.in = {f(0), f(0)};
    m.out = {f(2)};
    m.ops = binary(LOOM_UOP_FADD);
    m.imms = {1};
  }
  return m;
}

world slots() {
  world w;
  w.slot(65536, LOOM_RIGHT_READ);
  w.slot(65536, read_write);
  w.slot(65536, LOOM_RIGHT_WRITE);
  return w;
}

const std::vector<refusal> &operation_refusals() {
  constexpr auto unsupported = LOOM_CPU_UNSUPPORTED;
  constexpr auto too_much = LOOM_CPU_TOO_MUCH;
  static const std::vector<refusal> all = {
      // The operation as such.
      {"no such structure", MAP, BREAK(m.structure = 0), unsupported},
      {"no such structure", MAP, BREAK(m.structure = LOOM_NUM_CPU_STRUCTURES),
       unsupported},
      {"no such structure", MAP, BREAK(m.structure = 999), unsupported},
      {"structure TEXT is not run by this engine", MAP,
       BREAK(m.structure = LOOM_CPU_TEXT), unsupported},
      {"number of operands out of range", MAP, BREAK(m.out.clear())},
      {"number of operands out of range", MAP, BREAK(m.in.resize(16))},
      {"more than 64 scalar operations", MAP, BREAK(m.ops.resize(65)),
       too_much},
      {"more than 16 immediates", MAP, BREAK(m.imms.resize(17)), too_much},
      {"bytes are not those of the operation's parts", MAP,
       BREAK(m.params.resize(8))},
      {"bytes are not those of the operation's parts", REDUCE,
       BREAK(m.params.clear())},
      // Operands.
      {"operand names a slot that does not exist", MAP,
       BREAK(m.in[1].slot = 3)},
      {"operand's element type is none of the engine's", MAP,
       BREAK(m.in[0].dtype = LOOM_C64)},
      {"operand's element type is none of the engine's", MAP,
       BREAK(m.in[0].dtype = LOOM_BYTES)},
      {"operand's element type is none of the engine's", MAP,
       BREAK(m.out[0].dtype = 255)},
      {"operand's rank is above 8", MAP, BREAK(m.in[0].rank = 9)},
      {"operand's reserved field is not 0", MAP, BREAK(m.in[0].rsvd = 1)},
      {"dimension beyond the operand's rank is not 0", MAP,
       BREAK(m.in[0].dims[7] = 1)},
      {"dimension beyond the operand's rank is not 0", MAP,
       BREAK(m.in[0].strides[2] = 1)},
      {"operand has a dimension of 0", MAP, BREAK(m.in[0].dims[1] = 0)},
      {"operand has more than 2^32 elements", MAP,
       BREAK(m.in[0] = operand(0, LOOM_F32, {65536, 65537}, {0, 0})), too_much},
      {"operand has more than 2^32 elements", MAP,
       BREAK(m.in[0] = operand(0, LOOM_F32, {~0u, ~0u, ~0u}, {0, 0, 0})),
       too_much},
      {"operand's extent overflows", MAP,
       BREAK(m.in[0].strides[0] = INT64_MAX)},
      {"operand's extent overflows", MAP,
       BREAK(m.in[0].strides[0] = INT64_MIN)},
      {"operand goes outside its slot", MAP,
       BREAK(m.in[0].strides[0] = INT64_MIN / 4)},
      {"operand goes outside its slot", MAP,
       BREAK(m.in[0].strides[0] = INT64_MAX / 4)},
      {"operand goes outside its slot", MAP, BREAK(m.in[0].offset = 65409)},
      {"operand goes outside its slot", MAP, BREAK(m.in[0].offset = ~0ull)},
      {"operand goes outside its slot", MAP, BREAK(m.in[0].strides[0] = -1)},
      {"input's slot must not be read", MAP, BREAK(m.in[0].slot = 2)},
      {"output's slot lacks a right", MAP, BREAK(m.out[0].slot = 0)},
      {"output's slot lacks a right", SCATTER, BREAK(m.out[0].slot = 2)},
      {"output's slot lacks a right", SELECT, BREAK(m.out[0].slot = 2)},
      {"output's slot lacks a right", SORT, BREAK(m.out[1].slot = 2)},
      // Scalar programs.
      {"no such scalar operation", MAP, BREAK(m.ops[2].op = 0), unsupported},
      {"no such scalar operation", MAP, BREAK(m.ops[2].op = 0x301),
       unsupported},
      {"no such scalar operation", MAP, BREAK(m.ops[2].op = LOOM_UOP_RADD_F),
       unsupported},
      {"no such scalar operation", MAP, BREAK(m.ops[2].op = LOOM_UOP_LUT8),
       unsupported},
      {"scalar operation has no 64-bit companion that this engine runs", MAP,
       BREAK(m.ops[2].op = 0x100 + LOOM_UOP_F2I), unsupported},
      {"scalar operation has no 64-bit companion that this engine runs", MAP,
       BREAK(m.ops[2].op = 0x200 + LOOM_UOP_EXP), unsupported},
      {"scalar operation's reserved field is not 0", MAP,
       BREAK(m.ops[2].rsvd = 1)},
      {"scalar operation names an immediate that does not exist", MAP,
       BREAK(m.ops[2].a = LOOM_CPU_IMM(1))},
      {"scalar operation names an immediate that does not exist", MAP,
       BREAK(m.ops[2].b = 255)},
      {"register is read before it is written", MAP, BREAK(m.ops[2].b = 5)},
      {"register is read before it is written", MAP, BREAK(m.ops[3].a = 63)},
      {"register holds 32 bits where 64 are read", MAP,
       BREAK(m.ops[2].op = LOOM_CPU_FADD64)},
      {"register holds 32 bits where 64 are read", MAP,
       BREAK(m.out[0] = dense(2, LOOM_F64, {4, 8}))},
      {"register holds 32 bits where 64 are read", MAP,
       BREAK(m.ops[2] = uop(LOOM_CPU_CVT, 2, 0, LOOM_F64, LOOM_F32))},
      {"register holds 64 bits where 32 are read", MAP,
       BREAK(m.in[1] = dense(0, LOOM_U64, {4, 8}))},
      {"register holds 64 bits where 32 are read", MAP,
       BREAK(m.ops[2] = uop(LOOM_CPU_CVT, 2, 0, LOOM_F32, LOOM_I64))},
      {"scalar operation writes a register above 63", MAP,
       BREAK(m.ops[2].dst = 64)},
      {"scalar operation writes a register above 63", MAP,
       BREAK(m.ops[0].dst = 255)},
      {"unused field of a scalar operation is not 0", MAP,
       BREAK(m.ops[2].c = 1)},
      {"unused field of a scalar operation is not 0", MAP,
       BREAK(m.ops[0].b = 1)},
      {"unused field of a scalar operation is not 0", MAP,
       BREAK(m.ops[3].c = 1)},
      {"IOTA of a dimension that does not exist here", MAP,
       BREAK(m.ops[0] = uop(LOOM_UOP_IOTA, 0, 2))},
      {"IOTA of a dimension that does not exist here", REDUCE,
       BREAK(m.ops[0] = uop(LOOM_UOP_IOTA, 0, 0))},
      {"LOAD of an argument that does not exist", MAP, BREAK(m.ops[0].a = 2)},
      {"LOAD of an argument that does not exist", REDUCE,
       BREAK(m.ops[0].a = 255)},
      {"CVT of an element type that is none of the engine's", MAP,
       BREAK(m.ops[2] = uop(LOOM_CPU_CVT, 2, 0, LOOM_F32, LOOM_C64))},
      {"CVT of an element type that is none of the engine's", MAP,
       BREAK(m.ops[2] = uop(LOOM_CPU_CVT, 2, 0, 99, LOOM_F32))},
      {"STORE of a result that does not exist", MAP, BREAK(m.ops[3].dst = 1)},
      {"STORE of a result that does not exist", MAP, BREAK(m.ops[3].dst = 255)},
      {"result is stored twice", MAP, BREAK(m.ops.push_back(m.ops[3]))},
      {"STORE of an immediate: move it to a register first", MAP,
       BREAK(m.ops[3].a = LOOM_CPU_IMM(0))},
      {"scalar program does not store every result", MAP,
       BREAK(m.ops.pop_back())},
      {"scalar program does not store every result", MAP,
       BREAK(m.out.push_back(m.out[0]))},
      {"scalar program does not store every result", REDUCE,
       BREAK(m.ops.clear())},
      {"scalar program's weight is above 1024", MAP,
       BREAK(m.ops.insert(m.ops.begin() + 3, 3, uop(LOOM_UOP_FREM, 2, 0, 1))),
       too_much},
      {"combining program's weight is above 64", REDUCE,
       BREAK(m.ops.insert(m.ops.begin() + 3, 61, uop(LOOM_UOP_FADD, 2, 0, 1)),
             m.ops.erase(m.ops.begin()), m.ops[0] = load(0, 0),
             m.ops[1] = uop(LOOM_UOP_EXP, 2, 0)),
       too_much},
      {"combining program's weight is above 64", WINDOW,
       BREAK(m.ops[2].op = LOOM_UOP_FREM), too_much},
  };
  return all;
}

} // namespace loom::test
