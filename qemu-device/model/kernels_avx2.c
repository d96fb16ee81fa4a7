// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The micro-kernels in AVX2 with FMA. A tile of MR rows and NV vectors of 8 columns stays in registers over all
 * of k; A is broadcast element by element from its row pointers.
 */
#ifdef __x86_64__

#include <immintrin.h>
#include "kernels.h"
#include "kernels_alu.h"
#include "kernels_epi.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 canonical(__m256 v)
{
	const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));

	return _mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}

/* The lanes of the vector at col that hold columns. */
INLINE __m256i lanes(unsigned n, unsigned col)
{
	const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n - col)), index);
}

INLINE void tile_f32(const struct loom_gemm *g, unsigned row, unsigned col, const unsigned MR, const unsigned NV)
{
	float *acc = (float *)g->acc + row * g->acc_pitch + col;
	const float *b = (const float *)g->b + col;
	const ptrdiff_t pitch = g->b_pitch;
	__m256 s[6][2];

#pragma GCC unroll 6
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 2
		for (unsigned v = 0; v < NV; v++)
			s[i][v] = g->zero ? _mm256_setzero_ps() :
					    _mm256_maskload_ps(acc + i * g->acc_pitch + 8 * v,
							       lanes(g->n, col + 8 * v));
	for (unsigned t = 0; t < g->taps; t++) {
		const float *a[6];
		const unsigned kc = g->kc;

#pragma GCC unroll 6
		for (unsigned i = 0; i < MR; i++)
			a[i] = (const float *)g->a[t * g->a_pitch + row + i];
		for (size_t c = 0; c < kc; c++, b += pitch) {
			__m256 w[2];

#pragma GCC unroll 2
			for (unsigned v = 0; v < NV; v++)
				w[v] = _mm256_loadu_ps(b + 8 * v);
#pragma GCC unroll 6
			for (unsigned i = 0; i < MR; i++) {
				const __m256 x = _mm256_broadcast_ss(a[i] + c);

#pragma GCC unroll 2
				for (unsigned v = 0; v < NV; v++)
					s[i][v] = _mm256_fmadd_ps(x, w[v], s[i][v]);
			}
		}
	}
#pragma GCC unroll 6
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 2
		for (unsigned v = 0; v < NV; v++)
			_mm256_maskstore_ps(acc + i * g->acc_pitch + 8 * v, lanes(g->n, col + 8 * v),
					    canonical(s[i][v]));
}

INLINE void tile_i8(const struct loom_gemm *g, unsigned row, unsigned col, const unsigned MR, const unsigned NV)
{
	int32_t *acc = (int32_t *)g->acc + row * g->acc_pitch + col;
	const int32_t *b = (const int32_t *)g->b + col;
	const int32_t *a[6];
	__m256i s[6][2];

#pragma GCC unroll 6
	for (unsigned i = 0; i < MR; i++) {
		a[i] = (const int32_t *)g->a[row + i];
#pragma GCC unroll 2
		for (unsigned v = 0; v < NV; v++)
			s[i][v] = g->zero ? _mm256_setzero_si256() :
					    _mm256_maskload_epi32(acc + i * g->acc_pitch + 8 * v,
								  lanes(g->n, col + 8 * v));
	}
	for (size_t c = 0; c < g->kc; c++, b += g->b_pitch) {
		__m256i w[2];

#pragma GCC unroll 2
		for (unsigned v = 0; v < NV; v++)
			w[v] = _mm256_loadu_si256((const __m256i *)(b + 8 * v));
#pragma GCC unroll 6
		for (unsigned i = 0; i < MR; i++) {
			const __m256i x = _mm256_set1_epi32(a[i][c]);

#pragma GCC unroll 2
			for (unsigned v = 0; v < NV; v++)
				s[i][v] = _mm256_add_epi32(s[i][v], _mm256_madd_epi16(x, w[v]));
		}
	}
#pragma GCC unroll 6
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 2
		for (unsigned v = 0; v < NV; v++)
			_mm256_maskstore_epi32(acc + i * g->acc_pitch + 8 * v, lanes(g->n, col + 8 * v), s[i][v]);
}

/* All rows of one panel of 8 * NV columns: tiles of 6 rows, then what is left by halves. */
#define PANEL(type, NV)                                                                                                \
	static __attribute__((noinline)) void panel_##type##_##NV(const struct loom_gemm *g, unsigned col)             \
	{                                                                                                              \
		unsigned row = 0;                                                                                      \
                                                                                                                       \
		for (; row + 6 <= g->m; row += 6)                                                                      \
			tile_##type(g, row, col, 6, NV);                                                               \
		for (; row + 2 <= g->m; row += 2)                                                                      \
			tile_##type(g, row, col, 2, NV);                                                               \
		if (row < g->m)                                                                                        \
			tile_##type(g, row, col, 1, NV);                                                               \
	}

PANEL(f32, 1)
PANEL(f32, 2)
PANEL(i8, 1)
PANEL(i8, 2)

#define GEMM(type)                                                                                                     \
	static void gemm_##type(const struct loom_gemm *g)                                                             \
	{                                                                                                              \
		for (unsigned col = 0; col < g->n; col += 16)                                                          \
			if (g->n - col > 8)                                                                            \
				panel_##type##_2(g, col);                                                              \
			else                                                                                           \
				panel_##type##_1(g, col);                                                              \
	}

GEMM(f32)
GEMM(i8)

static void fma_f32(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	for (unsigned i = 0; i < n; i += 8) {
		const __m256 x = _mm256_loadu_ps((const float *)(a + i));
		const __m256 y = _mm256_loadu_ps((const float *)(b + i));
		const __m256 z = _mm256_loadu_ps((const float *)(c + i));

		_mm256_storeu_ps((float *)(d + i), canonical(_mm256_fmadd_ps(x, y, z)));
	}
}

static void dw_f32(const struct loom_dw *g)
{
	for (unsigned i = 0; i < g->n; i += 8) {
		const __m256i in = lanes(g->n, i);
		__m256 s = _mm256_maskload_ps(g->acc + i, in);

		for (unsigned t = 0; t < g->taps; t++)
			s = _mm256_fmadd_ps(_mm256_loadu_ps((const float *)g->a[t] + i),
					    _mm256_loadu_ps(g->b + t * g->b_pitch + i), s);
		_mm256_maskstore_ps(g->acc + i, in, canonical(s));
	}
}

const struct loom_kernels loom_kernels_avx2 = {
	.name = "avx2",
	.gemm_f32 = gemm_f32,
	.gemm_i8 = gemm_i8,
	.dw_f32 = dw_f32,
	.epilogue = epilogue,
	.copy_rows = loom_copy_rows,
	.alu = alu,
	.combine = combine,
	.load_run = load_run,
	.store_run = store_run,
};

#else
typedef int loom_kernels_avx2_unused; /* a translation unit may not be empty */
#endif
