// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Target/Program/Record.h"

using namespace mlir::loom::program;

unsigned mlir::loom::program::queueOf(uint8_t opcode) {
  if (opcode >= LOOM_OP_HALT && opcode <= LOOM_OP_MARK)
    return LOOM_Q_SEQ;
  if (opcode >= LOOM_OP_LD_COPY && opcode <= LOOM_OP_LD_SCATTER)
    return LOOM_Q_LD;
  if (opcode >= LOOM_OP_ST_COPY && opcode <= LOOM_OP_ST_SCATTER)
    return LOOM_Q_ST;
  if (opcode == LOOM_OP_MXU)
    return LOOM_Q_MXU;
  if (opcode == LOOM_OP_VPU)
    return LOOM_Q_VPU;
  return LOOM_NUM_QUEUES;
}

void mlir::loom::program::rebase(Record &record, uint32_t base) {
  const uint8_t op = record.header().op;
  if (op == LOOM_OP_LOOP || op == LOOM_OP_BR)
    record.as<loom_seq>().target -= base;
}

Access mlir::loom::program::makeAccess(uint32_t space, bool write, int64_t base,
                                       int64_t inner,
                                       const std::vector<Dim> &dims) {
  Access access = loom_box_run(space, write, base, inner);
  for (const Dim &dim : dims)
    loom_box_extend(&access, dim.count, dim.stride);
  loom_box_join(&access);
  return access;
}

bool mlir::loom::program::mayOverlap(const Access &a, const Access &b) {
  return loom_boxes_meet(&a, &b);
}

bool mlir::loom::program::covers(const Access &outside, const Access &inside) {
  return loom_box_covers(&outside, &inside);
}

std::vector<Access> mlir::loom::program::accessesOf(const Record &record) {
  loom_dispatched dispatched;
  memcpy(dispatched.bytes, record.bytes.data(), record.bytes.size());
  memset(dispatched.base, 0, sizeof(dispatched.base));
  loom_box boxes[LOOM_MAX_BOXES];
  const unsigned n = loom_footprint(&dispatched, boxes);
  return {boxes, boxes + n};
}
