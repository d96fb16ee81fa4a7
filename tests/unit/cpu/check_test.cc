// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every refusal of the check, one field at a time; and that none is without a
// test.
#include "loom_cpu_cost.h"
#include "segment.h"
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

namespace loom::test {
namespace {

// A sound operation of a structure over three slots of 64 KiB: 0 read, 1 read
// and write, 2 write.
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

struct refusal {
  const char *what;
  uint32_t structure;
  std::function<void(operation &)> damage;
  loom_cpu_status status = LOOM_CPU_MALFORMED;
};

template <typename T> T &params(operation &m) {
  return *reinterpret_cast<T *>(m.params.data());
}

// A SCATTER of two arrays, whose program is still that of one.
void two_arrays(operation &m) {
  params<loom_cpu_scatter>(m).count = 2;
  m.in.insert(m.in.begin(), m.in[0]);
  m.out.push_back(m.out[0]);
}

#define BREAK(...) [](operation &m) { __VA_ARGS__; }
#define PARAM(type, ...)                                                       \
  [](operation &m) {                                                           \
    auto &p = params<type>(m);                                                 \
    __VA_ARGS__;                                                               \
  }

const std::vector<refusal> &refusals() {
  constexpr auto unsupported = LOOM_CPU_UNSUPPORTED;
  constexpr auto too_much = LOOM_CPU_TOO_MUCH;
  using reduce = loom_cpu_reduce;
  using window = loom_cpu_window;
  using gather = loom_cpu_gather;
  using scatter = loom_cpu_scatter;
  using select_scatter = loom_cpu_select_scatter;
  using sort = loom_cpu_sort;
  using scan = loom_cpu_scan;
  using dot = loom_cpu_dot;
  using conv = loom_cpu_conv;
  using fft = loom_cpu_fft;
  using solve = loom_cpu_triangular_solve;
  enum : uint32_t {
    MAP = LOOM_CPU_MAP,
    REDUCE = LOOM_CPU_REDUCE,
    WINDOW = LOOM_CPU_WINDOW,
    SELECT = LOOM_CPU_SELECT_SCATTER,
    GATHER = LOOM_CPU_GATHER,
    SCATTER = LOOM_CPU_SCATTER,
    SORT = LOOM_CPU_SORT,
    COPY = LOOM_CPU_COPY,
    SCAN = LOOM_CPU_SCAN,
    DOT = LOOM_CPU_DOT,
    CONV = LOOM_CPU_CONV,
    FFT = LOOM_CPU_FFT,
    CHOLESKY = LOOM_CPU_CHOLESKY,
    SOLVE = LOOM_CPU_TRIANGULAR_SOLVE,
  };
  static const std::vector<refusal> all = {
      // The operation as such.
      {"no such structure", MAP, BREAK(m.structure = 0), unsupported},
      {"no such structure", MAP, BREAK(m.structure = 16), unsupported},
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
      // Structures.
      {"operands' ranks differ", MAP, BREAK(m.in[1] = dense(0, LOOM_F32, {4}))},
      {"operands' ranks differ", REDUCE,
       BREAK(m.out[0] = dense(2, LOOM_F32, {4}))},
      {"operands' ranks differ", WINDOW,
       BREAK(m.out[0] = dense(2, LOOM_F32, {4}))},
      {"operands' ranks differ", SELECT,
       BREAK(m.in[1] = dense(0, LOOM_F32, {4}))},
      {"operands' ranks differ", SELECT,
       BREAK(m.in[2] = dense(0, LOOM_F32, {1}))},
      {"operands' dims differ", MAP, BREAK(m.in[1].dims[0] = 3)},
      {"operands' dims differ", COPY, BREAK(m.in[0].dims[0] = 3)},
      {"operands' dims differ", GATHER, BREAK(m.in[1].dims[1] = 7)},
      {"operands' dims differ", SCATTER, BREAK(m.out[0].dims[1] = 7)},
      {"operands' dims differ", SORT, BREAK(m.out[0].dims[1] = 7)},
      {"operands' dims differ", SCAN, BREAK(m.out[0].dims[1] = 7)},
      {"operands' dims differ", SELECT, BREAK(m.out[0].dims[1] = 7)},
      {"operands' dims differ", DOT, BREAK(m.in[0].dims[1] = 7)},
      {"operands' dims differ", CONV, BREAK(m.in[1].dims[1] = 7)},
      {"operands' element types differ", COPY, BREAK(m.in[0].dtype = LOOM_I32)},
      {"operands' element types differ", GATHER,
       BREAK(m.out[0].dtype = LOOM_BF16)},
      {"operands' element types differ", SORT,
       BREAK(m.out[0].dtype = LOOM_U32)},
      {"operands' element types differ", SELECT,
       BREAK(m.in[1].dtype = LOOM_BF16)},
      {"operands' element types do not go together", REDUCE,
       BREAK(m.out[0].dtype = LOOM_I32)},
      {"operands' element types do not go together", REDUCE,
       BREAK(m.in[1].dtype = LOOM_I8)},
      {"operands' element types do not go together", SCATTER,
       BREAK(m.out[0].dtype = LOOM_I32)},
      {"operands' element types do not go together", DOT,
       BREAK(m.in[0].dtype = LOOM_I8)},
      {"unused or reserved parameter is not 0", REDUCE,
       PARAM(reduce, p.rsvd = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.rsvd[4] = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.size[2] = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.stride[7] = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.dilation[3] = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.in_dilation[2] = 1)},
      {"unused or reserved parameter is not 0", WINDOW,
       PARAM(window, p.pad[2] = 1)},
      {"unused or reserved parameter is not 0", SELECT,
       PARAM(select_scatter, p.rsvd = 1)},
      {"unused or reserved parameter is not 0", SELECT,
       PARAM(select_scatter, p.size[2] = 1)},
      {"unused or reserved parameter is not 0", GATHER,
       PARAM(gather, p.rsvd = 1)},
      {"unused or reserved parameter is not 0", GATHER,
       PARAM(gather, p.limit[1] = 1)},
      {"unused or reserved parameter is not 0", SCATTER,
       PARAM(scatter, p.stride[0][7] = 1)},
      {"unused or reserved parameter is not 0", SCATTER,
       PARAM(scatter, p.stride[1][0] = 1)},
      {"unused or reserved parameter is not 0", SCATTER,
       PARAM(scatter, p.rsvd[6] = 1)},
      {"unused or reserved parameter is not 0", SCATTER,
       PARAM(scatter, p.limit[1] = 1)},
      {"count is not 1 to 4", SCATTER, PARAM(scatter, p.count = 0)},
      {"count is not 1 to 4", SCATTER, PARAM(scatter, p.count = 5)},
      {"number of operands is not the structure's", SCATTER,
       PARAM(scatter, p.count = 2)},
      {"operands' dims differ", SCATTER,
       BREAK(two_arrays(m); m.in[1].dims[1]--)},
      {"operands' dims differ", SCATTER,
       BREAK(two_arrays(m); m.out[1].dims[1]--)},
      {"operands' element types do not go together", SCATTER,
       BREAK(two_arrays(m); m.out[1].dtype = LOOM_F64)},
      {"operand goes outside its slot", SCATTER,
       BREAK(two_arrays(m); params<scatter>(m).stride[1][0] = -1)},
      {"output's slot lacks a right", SCATTER,
       BREAK(two_arrays(m); m.out[1].slot = 2)},
      {"scalar program does not store every result", SCATTER,
       BREAK(two_arrays(m))},
      {"unused or reserved parameter is not 0", SORT,
       PARAM(sort, p.rsvd[2] = 1)},
      {"unused or reserved parameter is not 0", SCAN, PARAM(scan, p.rsvd = 1)},
      {"unused or reserved parameter is not 0", DOT, PARAM(dot, p.rsvd = 1)},
      {"unused or reserved parameter is not 0", DOT, PARAM(dot, p.dims[1] = 1)},
      {"unused or reserved parameter is not 0", DOT, PARAM(dot, p.left[1] = 1)},
      {"unused or reserved parameter is not 0", DOT,
       PARAM(dot, p.right[7] = 1)},
      {"unused or reserved parameter is not 0", CONV,
       PARAM(conv, p.window[1] = 1)},
      {"unused or reserved parameter is not 0", CONV,
       PARAM(conv, p.left[3] = 1)},
      {"number of operands is not the structure's", COPY,
       BREAK(m.out.push_back(m.out[0]))},
      {"number of operands is not the structure's", REDUCE,
       BREAK(m.in.pop_back())},
      {"number of operands is not the structure's", REDUCE,
       PARAM(reduce, p.count = 2)},
      {"number of operands is not the structure's", GATHER,
       PARAM(gather, p.n_index = 2)},
      {"number of operands is not the structure's", SORT,
       BREAK(m.out.pop_back())},
      {"number of operands is not the structure's", DOT,
       BREAK(m.in.pop_back())},
      {"structure has no scalar program here", COPY,
       BREAK(m.ops = binary(LOOM_UOP_FADD))},
      {"structure has no scalar program here", DOT, BREAK(m.imms = {1})},
      {"structure has no scalar program here", SCAN,
       PARAM(scan, p.combiner = LOOM_UOP_RADD_F)},
      {"no such combiner", SCAN, PARAM(scan, p.combiner = LOOM_UOP_FADD),
       unsupported},
      {"no such combiner", SCAN, PARAM(scan, p.combiner = LOOM_UOP_RARGMAX_F),
       unsupported},
      {"a combiner takes one array", SCAN,
       PARAM(scan, p.combiner = LOOM_UOP_RADD_F; p.count = 2;
             m.in.push_back(m.in[0]); m.out.push_back(m.out[0]))},
      {"combiner is not for this element type", SCAN,
       PARAM(scan, p.combiner = LOOM_UOP_RADD_I)},
      {"combiner is not for this element type", SCAN,
       PARAM(scan, p.combiner = LOOM_CPU_RADD_F64)},
      {"count is not 1 to 4", SCAN, PARAM(scan, p.count = 0)},
      {"count is not 1 to 4", REDUCE, PARAM(reduce, p.count = 5)},
      {"count is not 1 to 4", SORT, PARAM(sort, p.count = 255)},
      {"initial value's rank is not 0", REDUCE,
       BREAK(m.in[1] = dense(0, LOOM_F32, {1}))},
      {"reduced dimensions are none, or not the operand's", REDUCE,
       PARAM(reduce, p.dims = 0)},
      {"reduced dimensions are none, or not the operand's", REDUCE,
       PARAM(reduce, p.dims = 4)},
      {"output's dims are not those of the reduction", REDUCE,
       PARAM(reduce, p.dims = 1)},
      {"output's dims are not those of the reduction", REDUCE,
       BREAK(m.out[0].dims[0] = 3)},
      {"size, stride or dilation of a window is not 1 to 2^24", WINDOW,
       PARAM(window, p.size[0] = 0)},
      {"size, stride or dilation of a window is not 1 to 2^24", WINDOW,
       PARAM(window, p.stride[1] = 0)},
      {"size, stride or dilation of a window is not 1 to 2^24", WINDOW,
       PARAM(window, p.in_dilation[1] = 0)},
      {"size, stride or dilation of a window is not 1 to 2^24", SELECT,
       PARAM(select_scatter, p.stride[1] = 1 << 25)},
      {"size, stride or dilation of a window is not 1 to 2^24", CONV,
       PARAM(conv, p.window[0] = 0)},
      {"padding of a window is beyond 2^24", WINDOW,
       PARAM(window, p.pad[0] = 1 << 25)},
      {"padding of a window is beyond 2^24", CONV,
       PARAM(conv, p.pad[0] = INT32_MIN)},
      {"dimension is not the operand's", SCAN, PARAM(scan, p.dim = 2)},
      {"dimension is not the operand's", SORT, PARAM(sort, p.dim = 2)},
      {"operand's extent overflows", GATHER,
       PARAM(gather, p.stride[0] = INT64_MAX)},
      {"operand goes outside its slot", GATHER,
       PARAM(gather, p.limit[0] = 65536 / 4)},
      {"operand goes outside its slot", SCATTER,
       PARAM(scatter, p.stride[0][0] = -4)},
      {"index array is not of an integer type", GATHER,
       BREAK(m.in[1].dtype = LOOM_F32)},
      {"index array is not of an integer type", SCATTER,
       BREAK(m.in[1].dtype = LOOM_BF16)},
      {"number of index arrays is not 1 to 8", GATHER,
       PARAM(gather, p.n_index = 0)},
      {"number of index arrays is not 1 to 8", SCATTER,
       PARAM(scatter, p.n_index = 9)},
      {"unknown flag", SCATTER, PARAM(scatter, p.flags = 2)},
      {"workspace is not dense U32, twice a line", SORT,
       BREAK(m.out[1].dtype = LOOM_I32)},
      {"workspace is not dense U32, twice a line", SORT,
       BREAK(m.out[1].dims[0] = 15)},
      {"workspace is not dense U32, twice a line", SORT,
       BREAK(m.out[1].strides[0] = 8)},
      {"selecting program is longer than both", SELECT,
       PARAM(select_scatter, p.n_select = 9)},
      {"scalar program does not store every result", SELECT,
       PARAM(select_scatter, p.n_select = 3)},
      {"number of contracted dimensions is not 1 to 8", DOT,
       PARAM(dot, p.n_dims = 0)},
      {"number of contracted dimensions is not 1 to 8", DOT,
       PARAM(dot, p.n_dims = 9)},
      {"contracted dimension is 0", DOT, PARAM(dot, p.dims[0] = 0)},
      {"operand goes outside its slot", DOT, PARAM(dot, p.left[0] = 65536)},
      {"operand goes outside its slot", DOT, PARAM(dot, p.right[0] = -1)},
      {"operand's extent overflows", DOT, PARAM(dot, p.right[0] = INT64_MAX)},
      {"number of spatial dimensions or channels out of range", CONV,
       PARAM(conv, p.n_spatial = 0)},
      {"number of spatial dimensions or channels out of range", CONV,
       PARAM(conv, p.n_spatial = 5)},
      {"number of spatial dimensions or channels out of range", CONV,
       PARAM(conv, p.channels = 0)},
      {"spatial dimension is not the output's, or has size 0", CONV,
       PARAM(conv, p.dim[0] = 2)},
      {"spatial dimension is not the output's, or has size 0", CONV,
       PARAM(conv, p.size[0] = 0)},
      {"operand goes outside its slot", CONV,
       PARAM(conv, p.channels = 3; p.left_channel = 65536)},
      {"operand's extent overflows", CONV,
       PARAM(conv, p.channels = 3; p.right_channel = INT64_MIN)},
      {"kind or length of a transform out of range", FFT,
       PARAM(fft, p.kind = 4)},
      {"kind or length of a transform out of range", FFT,
       PARAM(fft, p.length = 0)},
      {"kind or length of a transform out of range", FFT,
       PARAM(fft, p.length = (1 << 24) + 1)},
      {"unused or reserved parameter is not 0", FFT, PARAM(fft, p.rsvd[6] = 1)},
      {"number of operands is not the structure's", FFT,
       PARAM(fft, p.kind = LOOM_CPU_FFT_RFFT)},
      {"number of operands is not the structure's", FFT,
       PARAM(fft, p.kind = LOOM_CPU_FFT_IRFFT)},
      {"number of operands is not the structure's", FFT,
       BREAK(m.out.pop_back())},
      {"structure has no scalar program here", FFT, BREAK(m.imms = {1})},
      {"dimension of a transform is not the operand's", FFT,
       PARAM(fft, p.dim = 2)},
      {"transform is not of F32 or F64", FFT, BREAK(m.in[0].dtype = LOOM_BF16)},
      {"operands' element types differ", FFT, BREAK(m.in[1].dtype = LOOM_I32)},
      {"operands' element types differ", FFT,
       BREAK(m.out[0] = m.out[1] = dense(2, LOOM_F64, {4, 8}))},
      {"operands' ranks differ", FFT,
       BREAK(m.out[0] = dense(2, LOOM_F32, {8}))},
      {"operands' dims differ", FFT, BREAK(m.in[1].dims[0] = 3)},
      {"operand's dims are not those of the transform", FFT,
       PARAM(fft, p.length = 7)},
      {"operand's dims are not those of the transform", FFT,
       BREAK(m.out[0].dims[0] = 3)},
      {"operand's dims are not those of the transform", FFT,
       PARAM(fft, p.kind = LOOM_CPU_FFT_RFFT; m.in.pop_back())},
      {"operand's dims are not those of the transform", FFT,
       PARAM(fft, p.kind = LOOM_CPU_FFT_IRFFT; m.out.erase(m.out.begin()))},
      {"workspace is not dense F64 of the transform's size", FFT,
       BREAK(m.out[2].dims[0]++)},
      {"workspace is not dense F64 of the transform's size", FFT,
       BREAK(m.out[2].dtype = LOOM_U64)},
      {"workspace is not dense F64 of the transform's size", FFT,
       BREAK(m.out[2].strides[0] = 0)},
      {"output's slot lacks a right", FFT, BREAK(m.out[2].slot = 2)},
      {"matrix is not of F32, or F64, or pairs of F32", CHOLESKY,
       BREAK(m.in[0].dtype = m.out[0].dtype = LOOM_BF16)},
      {"matrix is not of F32, or F64, or pairs of F32", CHOLESKY,
       BREAK(m.in[0].dtype = LOOM_F64; m.in.push_back(m.in[0]);
             m.out.push_back(m.out[0]))},
      {"matrix is not of F32, or F64, or pairs of F32", SOLVE,
       BREAK(m.in[0].dtype = LOOM_I32)},
      {"matrix has less than two dimensions", SOLVE,
       BREAK(m.in[0] = dense(0, LOOM_F32, {4}))},
      {"matrix is not square", CHOLESKY,
       BREAK(m.in[0].dims[1] = m.out[0].dims[1] = 3)},
      {"matrix is not square", SOLVE, BREAK(m.in[0].dims[0] = 3)},
      {"operands' element types differ", CHOLESKY,
       BREAK(m.out[0] = dense(1, LOOM_F64, {4, 4}))},
      {"operands' element types differ", SOLVE,
       BREAK(m.in[1].dtype = LOOM_I32)},
      {"operands' ranks differ", SOLVE,
       BREAK(m.in[1] = dense(0, LOOM_F32, {4}))},
      {"operands' dims differ", CHOLESKY,
       BREAK(m.out[0] = dense(1, LOOM_F32, {5, 5}))},
      {"operands' dims differ", CHOLESKY,
       BREAK(m.in.push_back(dense(0, LOOM_F32, {3, 3}));
             m.out.push_back(m.out[0]))},
      {"operands' dims differ", SOLVE, BREAK(m.in[1].dims[0] = 5)},
      {"operands' dims differ", SOLVE, BREAK(m.out[0].dims[1] = 7)},
      {"output's slot lacks a right", CHOLESKY, BREAK(m.out[0].slot = 2)},
      {"output's slot lacks a right", SOLVE, BREAK(m.out[0].slot = 2)},
      {"number of operands is not the structure's", CHOLESKY,
       BREAK(m.in.push_back(m.in[0]))},
      {"number of operands is not the structure's", SOLVE,
       BREAK(m.in.pop_back())},
      {"structure has no scalar program here", CHOLESKY, BREAK(m.imms = {1})},
      {"structure has no scalar program here", SOLVE,
       BREAK(m.ops = binary(LOOM_UOP_FADD))},
      {"unused or reserved parameter is not 0", SOLVE,
       PARAM(solve, p.rsvd = 1)},
      {"unknown flag", SOLVE, PARAM(solve, p.flags = 4)},
      {"unknown flag", SOLVE,
       PARAM(solve, p.flags = LOOM_CPU_SOLVE_CONJUGATE)}, // of what is real
  };
  return all;
}

TEST(cpu_check, sound_operations_pass) {
  for (uint32_t s = LOOM_CPU_MAP; s < LOOM_CPU_TEXT; s++) {
    world w = slots();
    w.add(sound(s));
    EXPECT_EQ(w.check(), LOOM_CPU_OK) << s << ": " << w.error.what;
    EXPECT_EQ(w.segment.n_ops, 1u);
  }
}

TEST(cpu_check, every_refusal) {
  for (const refusal &r : refusals()) {
    world w = slots();
    operation m = sound(r.structure);
    w.add(sound(LOOM_CPU_MAP)); // so that the number is seen to be right
    r.damage(m);
    w.add(m, 1ull << 55);
    ASSERT_EQ(w.check(), r.status) << r.what;
    EXPECT_STREQ(w.error.what, r.what);
    EXPECT_EQ(w.error.op, 1u) << r.what;
  }
}

// Those that are about the segment, and one field that operations share.
TEST(cpu_check, segments) {
  world w = slots();
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "segment is empty or not of whole rows");

  w.add(sound(LOOM_CPU_MAP));
  const auto *op = reinterpret_cast<loom_cpu_op *>(w.code.data());
  const uint64_t cost = op->cost;
  EXPECT_EQ(cost, 1 * 64 * (8 + 4));
  EXPECT_EQ(w.check(cost), LOOM_CPU_OK);
  EXPECT_EQ(w.segment.cost, cost);
  EXPECT_EQ(w.check(cost - 1), LOOM_CPU_TOO_MUCH);
  EXPECT_STREQ(w.error.what, "segment costs more than its budget");

  w.code.resize(w.code.size() + 2);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "segment ends within an operation");
  EXPECT_EQ(w.error.op, 1u);

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP), cost - 1);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "operation costs more than it states");

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP));
  reinterpret_cast<loom_cpu_op *>(w.code.data())->loc = 1;
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "source location does not exist");

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP));
  w.code.pop_back();
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "bytes are not those of the operation's parts");
}

TEST(cpu_check, segments_of_too_many_operations) {
  world w = slots();
  operation m = sound(LOOM_CPU_COPY);
  const auto rows = m.encode();
  for (uint32_t i = 0; i <= LOOM_CPU_MAX_OPS; i++)
    w.code.insert(w.code.end(), rows.begin(), rows.end());
  EXPECT_EQ(w.check(), LOOM_CPU_TOO_MUCH);
  EXPECT_STREQ(w.error.what, "more than 65536 operations");
}

// A window of 2^24 to the 8th over 2^32 outputs: the product is not wrapped.
TEST(cpu_check, cost_does_not_wrap) {
  world w = slots();
  operation m = sound(LOOM_CPU_WINDOW);
  auto &p = params<loom_cpu_window>(m);
  p.size[0] = p.size[1] = 1 << 24;
  m.out[0] = operand(2, LOOM_F32, {1 << 16, 1 << 16}, {0, 0});
  w.add(m, LOOM_CPU_MAX_COST);
  EXPECT_EQ(w.check(~0ull), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "operation costs more than it states");
  EXPECT_EQ(w.error.value, ~0ull);
}

// The first and the last byte of a slot may be reached, forwards and backwards.
TEST(cpu_check, boxes_up_to_the_edge) {
  world w = slots();
  operation m = sound(LOOM_CPU_COPY);
  m.in[0].offset = 65536 - 128;
  m.out[0] = operand(2, LOOM_F32, {4, 8}, {-32, -4}, 124);
  w.add(m);
  EXPECT_EQ(w.check(), LOOM_CPU_OK) << w.error.what;
  m.out[0].offset = 123;
  w.code.clear();
  w.add(m);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
}

// Texts in the check's sources, but for those made of two (rights).
TEST(cpu_check, no_refusal_is_without_a_test) {
  std::set<std::string> tested = {
      "segment is empty or not of whole rows",
      "segment ends within an operation",
      "segment costs more than its budget",
      "operation costs more than it states",
      "source location does not exist",
      "more than 65536 operations",
      " is not run by this engine",
      "structure ",
  };
  for (const refusal &r : refusals())
    tested.insert(r.what);
  size_t found = 0;
  const std::regex text("\"([^\"]*)\"");
  for (const char *file :
       {"cpu_check.c", "cpu_check_linear.c", "cpu_check_struct.c"}) {
    std::ifstream in(std::string(LOOM_CORE_DIR "/") + file);
    std::stringstream all;
    all << in.rdbuf();
    const std::string source = all.str();
    for (std::sregex_iterator i(source.begin(), source.end(), text), end;
         i != end; ++i) {
      const std::string t = (*i)[1];
      if (t.ends_with(".h"))
        continue;
      EXPECT_TRUE(tested.contains(t)) << file << ": " << t;
      found++;
    }
  }
  EXPECT_GT(found, 60u);
}

} // namespace
} // namespace loom::test
