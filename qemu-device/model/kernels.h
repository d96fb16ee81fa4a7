/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Micro-kernels of the array, one table for each host instruction set. All tables give the same bits: lanes run
 * across outputs, every output has one accumulator that takes its products in ascending k.
 */
#ifndef LOOM_KERNELS_H
#define LOOM_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include "loom_npu.h"

/*
 * Rows in host memory that the next records will read. A kernel may ask for them as it computes, so that they have
 * come into the cache by the time they are copied; it moves on through them. Hints only: results and time are the
 * same without.
 */
struct loom_ahead_part {
	const uint8_t *at; /* the next row */
	int64_t stride;
	uint64_t rows, len; /* rows left, at least one; bytes of each */
};

struct loom_ahead {
	struct loom_ahead_part part[2];
	unsigned n, next; /* parts, and the one that is next */
	uint64_t off; /* in its row */
};

/*
 * acc[i][j] += sum over t < taps, c < kc, ascending, of a[t * a_pitch + i][c] * B[t * kc + c][j]
 * for i < m, j < n. NaNs are left canonical.
 *
 * f32: a are rows of float; b points to B's element [0][0], b_pitch elements from k to k. Whole vectors of
 * 16 columns are read: up to 60 bytes past the last column.
 * i8: operands are widened to int16 and paired along k: kc counts pairs, a rows hold pairs, and B[k][j] is a
 * pair, b_pitch counts pairs. taps is 1.
 */
struct loom_gemm {
	const void *const *a; /* row pointers */
	size_t a_pitch; /* pointers from tap to tap */
	const void *b;
	ptrdiff_t b_pitch;
	void *acc; /* float or int32_t */
	size_t acc_pitch; /* elements from row to row */
	unsigned m, n, taps, kc;
	bool zero; /* begin at zero instead of what acc holds */
	struct loom_ahead *ahead; /* or NULL */
};

/* The float steps of the epilogue for n <= LOOM_EPI_CHUNK columns of one pixel, each with its own rounding. */
#define LOOM_EPI_CHUNK 256
struct loom_epi_row {
	const uint32_t *bias, *scale; /* of these columns, or NULL */
	uint32_t scale_imm; /* without scale: of all columns, if scaled */
	bool scaled, clamp;
	const uint8_t *residual; /* or NULL */
	ptrdiff_t res_step;
	uint32_t res_type;
	uint32_t lo, hi;
};

/*
 * One pixel of the depthwise mode in f32: acc[i] += sum over t < taps, ascending, of a[t][i] * b[t * b_pitch + i], i < n.
 * Up to 60 bytes past the last channel of a and b are read.
 */
struct loom_dw {
	const void *const *a; /* rows of float */
	const float *b;
	size_t b_pitch;
	float *acc;
	unsigned n, taps;
};

struct loom_kernels {
	const char *name;
	void (*gemm_f32)(const struct loom_gemm *g);
	void (*gemm_i8)(const struct loom_gemm *g);
	void (*dw_f32)(const struct loom_dw *g);
	void (*epilogue)(const struct loom_epi_row *e, uint32_t *v, uint32_t n);
	/*
	 * n rows of len bytes, strides ds and ss; no byte that is written is read. asked: a kernel has asked for the
	 * source (struct loom_ahead).
	 */
	void (*copy_rows)(uint8_t *dst, const uint8_t *src, uint64_t n, int64_t ds, int64_t ss, uint64_t len,
			  bool asked);
	/*
	 * d[i] = op(a[i], b[i], c[i]) for all micro-operations but loads, stores, IOTA, LUT8 and reducers; n is a multiple
	 * of 16 and at most a chunk of the vector unit, any may be the same array
	 */
	void (*alu)(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n);
	/* acc[i] = op(acc[i], a[i]) for the reducers */
	void (*combine)(uint32_t op, uint32_t *acc, const uint32_t *a, uint32_t n);
	/* n elements of a storage type, step bytes apart, to and from lanes */
	void (*load_run)(const uint8_t *at, ptrdiff_t step, uint32_t dtype, uint32_t *d, uint32_t n);
	void (*store_run)(uint8_t *at, ptrdiff_t step, uint32_t dtype, const uint32_t *a, uint32_t n);
};

/*
 * Rows that copy_rows asks for before it copies them, and how much of each: the host's prefetcher stops at the end
 * of a page, and rows of a matrix often lie a page apart. Of longer rows the host fetches the rest by itself.
 */
#define LOOM_PREFETCH_ROWS 8
#define LOOM_PREFETCH_BYTES 1024

/* copy_rows by the host's memcpy. */
void loom_copy_rows(uint8_t *dst, const uint8_t *src, uint64_t n, int64_t ds, int64_t ss, uint64_t len, bool asked);

extern const struct loom_kernels loom_kernels_scalar;
#ifdef __x86_64__
extern const struct loom_kernels loom_kernels_avx2;
extern const struct loom_kernels loom_kernels_avx512;
#endif

/* NULL if this CPU lacks the instruction set; AUTO takes the best it has. */
const struct loom_kernels *loom_kernels_select(enum loom_host_isa isa);

#endif
