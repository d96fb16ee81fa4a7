/* SPDX-License-Identifier: MIT */
/*
 * The program container, file name ending .loom: what the compiler writes and libloom and the kernel read.
 *
 * Layout: struct loom_prog_header, then the sections it names, padded to a multiple of 4096 (meta_bytes); then
 * the constants, page-aligned (const_bytes). All little-endian. A section is count rows of stride bytes; a
 * reader takes rows longer than it knows if their tail is zero, and refuses shorter ones. Strings are byte
 * offsets into section STRINGS, each NUL-terminated; offset 0 is the empty string.
 *
 * accel/core/prog_check.c is the one validator, for kernel and user space.
 */
#ifndef LOOM_PROGRAM_H
#define LOOM_PROGRAM_H

#include <linux/types.h>
#include "loom_isa.h"
#include "loom_target.h"

#define LOOM_PROG_MAGIC 0x474f5250 /* the characters PROG */
#define LOOM_PROG_VERSION 1
#define LOOM_PROG_ALIGN 4096u
#define LOOM_PROG_MAX_META (64u << 20)
#define LOOM_PROG_MAX_CONST (1ull << 30)
#define LOOM_PROG_MAX_SEGMENTS 64u /* in one entry point */
#define LOOM_PROG_MAX_RANK 8u
#define LOOM_PROG_MAX_DEPTH 8u /* of loops in a schedule, one in the other */

enum loom_prog_section_id {
	LOOM_SEC_TARGET = 0, /* one struct loom_target: the program needs a superset of it */
	LOOM_SEC_STRINGS = 1, /* bytes, stride 1 */
	LOOM_SEC_NPU_CODE = 2, /* units, stride 32 */
	LOOM_SEC_CPU_CODE = 3, /* CPU operations, stride 8: see loom_cpu_ops.h */
	LOOM_SEC_SLOTS = 4, /* struct loom_prog_slot */
	LOOM_SEC_TENSORS = 5, /* struct loom_prog_tensor */
	LOOM_SEC_ENTRIES = 6, /* struct loom_prog_entry */
	LOOM_SEC_SEGMENTS = 7, /* struct loom_prog_segment */
	LOOM_SEC_SCHEDULE = 8, /* struct loom_prog_step: loops that go round CPU operations */
	LOOM_SEC_SCOPES = 9, /* struct loom_prog_scope: module paths */
	LOOM_SEC_LOCS = 10, /* struct loom_prog_loc: what loom_hdr.loc indexes; row 0 is unknown */
	LOOM_SEC_TOKENIZER = 11, /* bytes, stride 1 */
	LOOM_SEC_LABELS = 12, /* string offsets, stride 4 */
	LOOM_SEC_LAYERS = 13, /* struct loom_prog_layer: what the compiler planned, for reports */
	LOOM_NUM_SECTIONS = 16,
};

struct loom_prog_section {
	__u64 offset; /* from the start of the file, multiple of 8 */
	__u32 count; /* rows */
	__u32 stride; /* bytes a row */
};

struct loom_prog_header {
	__u32 magic; /* LOOM_PROG_MAGIC */
	__u32 version; /* LOOM_PROG_VERSION; others are refused by name */
	__u64 file_bytes; /* meta_bytes + const_bytes */
	__u64 meta_bytes; /* header and sections, multiple of 4096 */
	__u64 const_bytes; /* constants, multiple of 4096 */
	__u64 target_hash; /* loom_prog_hash() of section TARGET */
	__u32 meta_crc; /* CRC-32 (IEEE 802.3) of the first meta_bytes with this field 0 */
	__u32 const_crc; /* CRC-32 of the constants */
	__u32 producer; /* string: compiler and version */
	__u32 flags; /* must be 0 */
	__u64 rsvd; /* must be 0 */
	struct loom_prog_section sections[16]; /* by enum loom_prog_section_id; unused ones are 0 */
};

enum loom_slot_kind {
	LOOM_SLOT_CONST = 0, /* a range of the constants, read-only, shared by all instances */
	LOOM_SLOT_STATE = 1, /* owned by the instance, survives from call to call */
	LOOM_SLOT_SCRATCH = 2, /* owned by the instance, undefined between calls */
	LOOM_SLOT_ARG = 3, /* bound by the caller at SUBMIT to the entry points whose tensors name it; to all if none does */
	LOOM_NUM_SLOT_KINDS = 4,
};

#define LOOM_SLOT_INIT 0x1u /* flags, STATE: begins as a copy of the constants at const_offset; else as zeros */
/*
 * flags, ARG: not for callers. libloom binds memory of its own, one an instance, zeros at first, undefined between
 * calls. It is for what the host must read in the middle of a call, such as a condition.
 */
#define LOOM_SLOT_HIDDEN 0x2u

struct loom_prog_slot {
	__u32 name; /* string, e.g. "params", "cache/key" */
	__u8 kind; /* enum loom_slot_kind */
	__u8 rights; /* LOOM_RIGHT_*; CONST: read only */
	__u8 mem_class; /* memory class that its accesses are timed as */
	__u8 flags; /* LOOM_SLOT_INIT, LOOM_SLOT_HIDDEN */
	__u64 bytes; /* not 0; at most 1 GiB */
	__u64 const_offset; /* CONST, and STATE with INIT: multiple of 64; else 0 */
};

enum loom_tensor_role {
	LOOM_ROLE_INPUT = 0,
	LOOM_ROLE_OUTPUT = 1,
	LOOM_ROLE_PARAM = 2,
	LOOM_ROLE_STATE = 3,
	LOOM_ROLE_RNG = 4,
	LOOM_NUM_ROLES = 5,
};

/* A named array in a slot, row-major and dense. */
struct loom_prog_tensor {
	__u32 name; /* string: pytree path */
	__u32 slot; /* index into SLOTS */
	__u8 dtype; /* enum loom_dtype */
	__u8 rank; /* at most 8 */
	__u8 role; /* enum loom_tensor_role */
	__u8 rsvd; /* must be 0 */
	__u32 donated_to; /* INPUT, STATE: 1 + index of the output tensor that takes its place; 0: none */
	__u64 offset; /* bytes from the slot's start */
	__u64 bytes; /* product of dims times the element's size */
	__u32 dims[8]; /* the first rank are used, the rest 0 */
};

/* An entry point: a straight chain of segments, or a schedule. */
struct loom_prog_entry {
	__u32 name; /* string, e.g. "__call__" */
	__u32 flags; /* must be 0 */
	__u32 first_tensor; /* its inputs and outputs, consecutive in TENSORS */
	__u32 n_tensors;
	__u32 first_segment; /* consecutive in SEGMENTS */
	__u32 n_segments; /* 1 to 64 without a schedule */
	__u32 first_step; /* consecutive in SCHEDULE, after those of earlier rows; n_steps 0: run the segments once, in order */
	__u32 n_steps;
	__u64 macs; /* products in one call, without padding */
	__u64 cycles; /* the compiler's estimate; 0 if it made none */
	__u64 rsvd[2]; /* must be 0 */
};

enum loom_engine {
	LOOM_ENGINE_NPU = 0,
	LOOM_ENGINE_CPU = 1,
	LOOM_NUM_ENGINES = 2,
};

/*
 * CPU code is checked whole when the program is loaded, against the slots' bytes and rights. The rows of a CPU segment
 * come after those of the CPU segments before it, so that nothing is checked twice.
 */
struct loom_prog_segment {
	__u8 engine; /* enum loom_engine */
	__u8 rsvd[3]; /* must be 0 */
	__u32 first; /* NPU: unit; CPU: row of CPU_CODE */
	__u32 count; /* units, or rows; not 0 */
	__u32 rsvd2; /* must be 0 */
	__u64 insn_budget; /* NPU: instructions; CPU: cost units; not 0 */
	__u64 cycle_budget; /* NPU: modelled cycles; not 0. CPU: 0 */
};

enum loom_step_kind {
	LOOM_STEP_RUN = 0, /* submit segments first .. first + count - 1 of the entry point as one chain */
	LOOM_STEP_WHILE = 1, /* while the i1 tensor cond is not 0: run the next count steps; cond is read before each round */
	LOOM_STEP_REPEAT = 2, /* run the next count steps arg times */
};

/*
 * Steps run one after the other; a loop's body are the count steps after it, all within the loop around it. Who
 * submits reads conditions: the driver has no part in it, and user space sees no state and no scratch. So a condition
 * is an i1 tensor of rank 0 in an ARG slot that may be read, one that the entry point's segments write: HIDDEN, if no
 * caller is to know of it. It need not be among the tensors of the entry point.
 */
struct loom_prog_step {
	__u8 kind; /* enum loom_step_kind */
	__u8 rsvd[3]; /* must be 0 */
	__u32 first; /* RUN: number of the first segment, counted from the entry point's; else 0 */
	__u32 count; /* RUN: segments, 1 to 64; else steps, not 0 */
	__u32 cond; /* WHILE: index into TENSORS; else 0 */
	__u64 arg; /* REPEAT: times, not 0; else 0 */
};

struct loom_prog_scope {
	__u32 parent; /* index of an earlier row, or its own index for a root */
	__u32 name; /* string, e.g. "Dense_0" */
};

struct loom_prog_loc {
	__u32 scope; /* index into SCOPES */
	__u32 file; /* string */
	__u32 line;
	__u32 column;
	__u32 op; /* string, e.g. "dot_general" */
	__u32 rsvd; /* must be 0 */
};

/* A layer as the compiler planned it. */
struct loom_prog_layer {
	__u32 loc; /* index into LOCS */
	__u32 first_unit;
	__u32 n_units;
	__u32 rsvd; /* must be 0 */
	__u64 macs;
	__u64 bytes; /* moved to and from memory */
	__u64 ideal; /* cycles of the roofline */
	__u64 cycles; /* planned */
};

/* FNV-1a, 64 bit: identity of a target or a file, not a defence. */
static inline __u64 loom_prog_hash(const void *data, __u64 bytes)
{
	const unsigned char *p = (const unsigned char *)data;
	__u64 h = 0xcbf29ce484222325ull, i;

	for (i = 0; i < bytes; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

#endif
