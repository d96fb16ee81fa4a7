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
};

struct loom_kernels {
	const char *name;
	void (*gemm_f32)(const struct loom_gemm *g);
	void (*gemm_i8)(const struct loom_gemm *g);
	/* d[i] = a[i] * b[i] + c[i], one rounding, NaNs canonical; n is a multiple of 16, any may be the same array */
	void (*fma_f32)(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n);
	/*
	 * d[i] = op(a[i], b[i]) for the micro-operations EXP to POW; n is a multiple of 16 and at most a chunk of the
	 * vector unit, any may be the same array
	 */
	void (*elementary)(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n);
};

extern const struct loom_kernels loom_kernels_scalar;
#ifdef __x86_64__
extern const struct loom_kernels loom_kernels_avx2;
extern const struct loom_kernels loom_kernels_avx512;
#endif

/* NULL if this CPU lacks the instruction set; AUTO takes the best it has. */
const struct loom_kernels *loom_kernels_select(enum loom_host_isa isa);

#endif
