/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Between the array (mxu.c), its check (mxu_check.c) and its epilogue (epi.c). */
#ifndef LOOM_MXU_H
#define LOOM_MXU_H

#include "exec.h"

/* The epilogue that follows the record, or NULL. */
static inline const struct loom_epi *loom_mxu_epi(const struct loom_dispatched *r)
{
	return r->mxu.flags & LOOM_MXU_EPI ? (const struct loom_epi *)(r->bytes + sizeof(struct loom_mxu)) : NULL;
}

/* Bytes of an element of A and B. */
static inline uint32_t loom_mxu_elem(uint32_t type)
{
	return type == LOOM_MXU_F32 ? 4 : type == LOOM_MXU_BF16 ? 2 : 1;
}

/* The accumulators of outer repetition (o0, o1), pixel 0, column 0. */
static inline uint32_t *loom_mxu_acc(const struct loom_exec *x, const struct loom_mxu *m, uint32_t o0, uint32_t o1)
{
	const uint64_t pixels = (uint64_t)m->oh * m->ow;

	return x->acc + (uint64_t)m->acc_base * (LOOM_ACC_GRANULE / 4) +
	       ((uint64_t)o0 * m->outer[1] + o1) * pixels * m->acc_pitch;
}

enum { LOOM_MXU_DW_SCRATCH = 256 * 256 * 4 + 2 * 256 * 4 };

/*
 * Pixels [first, end) of one outer repetition in depthwise mode; acc are the repetition's accumulators, scratch has
 * LOOM_MXU_DW_SCRATCH bytes.
 */
void loom_mxu_depthwise(const struct loom_exec *x, const struct loom_mxu *m, const uint8_t *a, const uint8_t *b,
			uint32_t *acc, uint32_t first, uint32_t end, uint8_t *scratch);
/* Accumulators of a record on their way out. */
struct loom_drain {
	const struct loom_exec *x;
	const struct loom_mxu *m;
	const struct loom_epi *e; /* NULL: none */
	const uint32_t *bias; /* copies; NULL: none */
	const uint32_t *scale; /* f32, or pairs of multiplier and shift */
	const int8_t *lut;
	int64_t out, residual; /* addresses; residual -1: none */
	uint64_t pixels; /* of all outer repetitions */
	bool plain; /* rows leave as they are */
};

int loom_epi_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why);
/* Fills all accumulators of the record with the bias of their column. */
void loom_epi_bias(const struct loom_exec *x, const struct loom_dispatched *r);
/* Converts all accumulators and writes OUT. */
void loom_epi_drain(const struct loom_exec *x, const struct loom_dispatched *r);
/* The same in pieces: pixels [first, end) of all, in row-major order of (outer 0, outer 1, row, column). */
void loom_epi_drain_begin(const struct loom_exec *x, const struct loom_dispatched *r, uint8_t *lists,
			  struct loom_drain *d);
void loom_epi_drain_pixels(const struct loom_drain *d, uint64_t first, uint64_t end);
/* Whether the order of pixels cannot show. lists of drain_begin() has room for three words a column and a table. */
bool loom_epi_pixels_apart(const struct loom_drain *d);

#endif
