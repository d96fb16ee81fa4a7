/* SPDX-License-Identifier: MIT */
/*
 * CPU operations: what the kernel's CPU engine (accel/core) runs where the NPU has no unit. About a dozen bounded
 * structures, times one verified straight-line scalar program: the VPU's micro-operations and their 64-bit
 * companions.
 *
 * A CPU segment is a run of 8-byte rows in section CPU_CODE: struct loom_cpu_op, its operands, its structure's
 * parameters, its scalar program, in this order. This release defines the encoding; an engine that does not run
 * a structure refuses its segment with EOPNOTSUPP and names it.
 */
#ifndef LOOM_CPU_OPS_H
#define LOOM_CPU_OPS_H

#include <linux/types.h>
#include "loom_isa.h"

#define LOOM_CPU_MAX_OPERANDS 16u
#define LOOM_CPU_MAX_SCALAR_OPS 64u
#define LOOM_CPU_MAX_RANK 8u

/* Structures: X(number, name, text). */
#define LOOM_CPU_STRUCTURES(X)                                                                                         \
	X(1, MAP, "scalar program over all elements")                                                                  \
	X(2, REDUCE, "combine along dimensions")                                                                       \
	X(3, WINDOW, "combine over sliding windows")                                                                   \
	X(4, SELECT_SCATTER, "scatter a source to the selected element of each window")                                \
	X(5, GATHER, "slices at given indices, clamped")                                                               \
	X(6, SCATTER, "combine updates at given indices, out of bounds dropped")                                       \
	X(7, SORT, "stable sort along a dimension, and top-k")                                                         \
	X(8, COPY, "copy, pad, concatenate, reverse: strided boxes")                                                   \
	X(9, SCAN, "cumulative combine along a dimension")                                                             \
	X(10, DOT, "batched matrix product")                                                                           \
	X(11, CONV, "convolution")                                                                                     \
	X(12, FFT, "discrete Fourier transform over pairs of f32")                                                     \
	X(13, CHOLESKY, "Cholesky factor")                                                                             \
	X(14, TRIANGULAR_SOLVE, "solve with a triangular matrix")                                                      \
	X(15, TEXT, "tokenise, detokenise, labels")

enum loom_cpu_structure {
#define LOOM_CPU_ENUM(num, name, text) LOOM_CPU_##name = num,
	LOOM_CPU_STRUCTURES(LOOM_CPU_ENUM)
#undef LOOM_CPU_ENUM
	LOOM_NUM_CPU_STRUCTURES = 16,
};

struct loom_cpu_op {
	__u16 structure; /* enum loom_cpu_structure */
	__u16 n_operands; /* 1 to 16, inputs first */
	__u16 n_inputs; /* at most n_operands */
	__u16 n_scalar_ops; /* 0 to 64 */
	__u32 bytes; /* of the whole operation, multiple of 8 */
	__u32 loc; /* index into the program's source table */
	__u64 cost; /* upper bound in cost units; the deadline and the modelled cycles follow from it */
};

/* An operand: a strided box in a slot. */
struct loom_cpu_operand {
	__u32 slot;
	__u8 dtype; /* enum loom_dtype */
	__u8 rank; /* at most 8 */
	__u16 rsvd; /* must be 0 */
	__u64 offset; /* bytes from the slot's start */
	__u32 dims[8];
	__s64 strides[8]; /* bytes */
};

/* A scalar operation on 64-bit registers; the VPU's micro-operation numbers, 0x100 added for f64, 0x200 for 64-bit integers. */
struct loom_cpu_scalar_op {
	__u16 op;
	__u8 dst; /* register, 0 to 63 */
	__u8 a, b, c; /* registers; LOAD, STORE: operand number in a */
	__u16 rsvd; /* must be 0 */
};

#endif
