/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Between the vector unit's walk (vpu.c), its check (vpu_check.c), what is
 * independent (vpu_apart.c), its operations (vpu_ops.c), loads and stores
 * (vpu_mem.c) and reducers (vpu_reduce.c).
 */
#ifndef LOOM_VPU_H
#define LOOM_VPU_H

#include "exec.h"

enum { LOOM_VPU_CHUNK = 256, LOOM_VPU_DIMS = 6, LOOM_VPU_MAX_REDUCERS = 2 };

#if defined(__clang__)
#define LOOM_VECTORISE /* it compares the addresses at run time */
#else
#define LOOM_VECTORISE _Pragma("GCC ivdep") /* arrays are the same or apart */
#endif

enum loom_uop_class { LOOM_UC_NONE, LOOM_UC_M, LOOM_UC_F, LOOM_UC_I, LOOM_UC_B, LOOM_UC_C, LOOM_UC_R, LOOM_UC_T };

struct loom_uop_info {
	uint8_t operands; /* 0: no such operation */
	uint8_t cls; /* enum loom_uop_class */
};

extern const struct loom_uop_info loom_uop_table[256];

/* The record's tail. */
static inline const struct loom_view *loom_vpu_views(const struct loom_vpu *v)
{
	return (const struct loom_view *)(const void *)(v + 1);
}

static inline const uint32_t *loom_vpu_imms(const struct loom_vpu *v)
{
	return (const uint32_t *)(const void *)(loom_vpu_views(v) + v->nviews);
}

static inline const uint32_t *loom_vpu_ops(const struct loom_vpu *v)
{
	return loom_vpu_imms(v) + v->nimms;
}

/*
 * The dimensions that a chunk's elements run through, outermost first. Those of length 1 are left out, and
 * neighbours that are one dimension for every view are merged.
 */
struct loom_walk {
	uint32_t dims; /* at least 1 */
	uint32_t n[LOOM_VPU_DIMS];
	int64_t stride[LOOM_VPU_DIMS][LOOM_VPU_MAX_VIEWS];
	int8_t place[LOOM_VPU_DIMS]; /* of each dimension of the record; -1: not walked, or of length 1 */
	uint64_t elements;
};

/* A chunk of up to 256 elements is a list of runs along the innermost dimension of the walk. */
struct loom_run {
	uint32_t first, count; /* lanes */
	uint32_t index[LOOM_VPU_DIMS]; /* of the first element, by place */
	int64_t offset[LOOM_VPU_MAX_VIEWS]; /* bytes from the view's base */
};

/* A reducer while its record runs: partial results of one output, or of 256 side by side. */
struct loom_reducer {
	uint32_t op, view;
	uint32_t partial[LOOM_VPU_PARTIALS][LOOM_VPU_CHUNK];
	uint32_t best[LOOM_VPU_CHUNK], best_index[LOOM_VPU_CHUNK]; /* argmin, argmax */
};

/* One record in progress. */
struct loom_vpu_run {
	const struct loom_exec *x;
	const struct loom_vpu *v;
	const struct loom_view *views;
	uint8_t *base[LOOM_VPU_MAX_VIEWS]; /* first element, moved by the outer indices of the walk */
	int64_t step[LOOM_VPU_MAX_VIEWS]; /* bytes from element to element of a run */
	struct loom_walk walk;
	uint32_t index[LOOM_VPU_DIMS]; /* of the record's dimensions that are not walked */
	bool by_lanes; /* reducers: lanes are outputs */
	uint32_t partials; /* those that take elements; the others keep the identity, which changes no sum of partials */
	uint32_t lanes; /* elements of this chunk */
	uint32_t nruns;
	struct loom_run runs[LOOM_VPU_CHUNK];
	uint32_t regs[LOOM_VPU_NUM_VREGS + LOOM_VPU_MAX_IMMS][LOOM_VPU_CHUNK];
	uint32_t nreducers;
	struct loom_reducer reducer[LOOM_VPU_MAX_REDUCERS];
};

/* X(reducer, p and x combined) */
#define LOOM_COMBINATIONS(X)                                                                                                \
	X(RADD_F, loom_num_add(p, x))                                                                                  \
	X(RMUL_F, loom_num_mul(p, x))                                                                                  \
	X(RMIN_F, loom_num_min(p, x))                                                                                  \
	X(RMAX_F, loom_num_max(p, x))                                                                                  \
	X(RADD_I, p + x)                                                                                               \
	X(RMUL_I, p *x)                                                                                                \
	X(RMIN_I, (int32_t)p < (int32_t)x ? p : x)                                                                     \
	X(RMAX_I, (int32_t)p > (int32_t)x ? p : x)                                                                     \
	X(RMIN_U, p < x ? p : x)                                                                                       \
	X(RMAX_U, p > x ? p : x)                                                                                       \
	X(RAND, p &x)                                                                                                  \
	X(ROR, p | x)                                                                                                  \
	X(RXOR, p ^ x)

/* Whether no output reads or writes what another writes, so that their order does not show; see vpu_apart.c. */
bool loom_vpu_outputs_apart(const struct loom_dispatched *r);

/* d = op(a, b, c) over n lanes, a multiple of 16, for all operations but loads, stores, IOTA and reducers. */
void loom_vpu_alu(const struct loom_exec *x, uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b,
		  const uint32_t *c, unsigned n);

void loom_vpu_load(struct loom_vpu_run *k, uint32_t view, uint32_t *d);
void loom_vpu_store(struct loom_vpu_run *k, uint32_t view, const uint32_t *a);

static inline bool loom_vpu_is_arg(uint32_t op)
{
	return op == LOOM_UOP_RARGMIN_F || op == LOOM_UOP_RARGMAX_F;
}

/* Before the first, for element (or elements) number i of the output (or outputs), and after the last. */
void loom_reduce_begin(struct loom_vpu_run *k, struct loom_reducer *d);
void loom_reduce_take(struct loom_vpu_run *k, struct loom_reducer *d, const uint32_t *a, uint32_t i);
void loom_reduce_end(struct loom_vpu_run *k, struct loom_reducer *d);

#endif
