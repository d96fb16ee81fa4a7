// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The micro-kernels in AVX-512. A tile of MR rows and NV vectors of 16 columns stays in registers over all of
 * k; A is broadcast element by element from its row pointers, which stay in general registers (MR <= 8).
 */
#ifdef __x86_64__

#include <immintrin.h>
#include "kernels.h"
#include "kernels_alu.h"
#include "kernels_epi.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 canonical(__m512 v)
{
	const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000));

	return _mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan);
}

/* s + x times w; around the intrinsic GCC 12 spills a row of B to the stack, and loads it split from there. */
INLINE __m512 fma_ps(__m512 s, __m512 x, __m512 w)
{
	__asm__("vfmadd231ps %2, %1, %0" : "+v"(s) : "v"(x), "v"(w));
	return s;
}

/* s + pairs of x times pairs of w; GCC 12 spills the accumulators of the intrinsic. */
INLINE __m512i dot_pairs(__m512i s, __m512i x, __m512i w)
{
	__asm__("vpdpwssd %2, %1, %0" : "+v"(s) : "v"(x), "v"(w));
	return s;
}

/* The lanes of the last vector that hold columns. */
INLINE __mmask16 tail_mask(unsigned n)
{
	return (__mmask16)(0xffffu >> (-n & 15));
}

/* Asks for the next 512 bytes that will be read soon; often enough to hide them, seldom enough to cost nothing. */
#define AHEAD_STEP 16
INLINE void fetch_ahead(struct loom_ahead *h)
{
	struct loom_ahead_part *p;

	if (!h || h->next == h->n)
		return;
	p = &h->part[h->next];
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		_mm_prefetch(p->at + h->off + 64 * i, _MM_HINT_T1);
	h->off += 512;
	if (h->off < p->len)
		return;
	h->off = 0;
	p->at += p->stride;
	if (!--p->rows)
		h->next++;
}

INLINE void tile_f32(const struct loom_gemm *g, unsigned row, unsigned col, const unsigned MR, const unsigned NV)
{
	const __mmask16 tail = tail_mask(g->n);
	const __mmask16 last = col + 16 * NV >= g->n ? tail : (__mmask16)0xffff;
	float *acc = (float *)g->acc + row * g->acc_pitch + col;
	const float *b = (const float *)g->b + col;
	const ptrdiff_t pitch = g->b_pitch;
	__m512 s[8][4];

#pragma GCC unroll 8
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 4
		for (unsigned v = 0; v < NV; v++)
			s[i][v] = g->zero ? _mm512_setzero_ps() :
					    _mm512_maskz_loadu_ps(v + 1 == NV ? last : 0xffff,
								  acc + i * g->acc_pitch + 16 * v);
	for (unsigned t = 0; t < g->taps; t++) {
		const float *a[8];
		const unsigned kc = g->kc;

#pragma GCC unroll 8
		for (unsigned i = 0; i < MR; i++)
			a[i] = (const float *)g->a[t * g->a_pitch + row + i];
		for (size_t c = 0; c < kc;) {
			const size_t end = kc - c < AHEAD_STEP ? kc : c + AHEAD_STEP;

			fetch_ahead(g->ahead);
			for (; c < end; c++, b += pitch) {
				__m512 w[4];

#pragma GCC unroll 4
				for (unsigned v = 0; v < NV; v++)
					w[v] = _mm512_loadu_ps(b + 16 * v);
#pragma GCC unroll 8
				for (unsigned i = 0; i < MR; i++) {
					const __m512 x = _mm512_set1_ps(a[i][c]);

#pragma GCC unroll 4
					for (unsigned v = 0; v < NV; v++)
						s[i][v] = fma_ps(s[i][v], x, w[v]);
				}
			}
		}
	}
#pragma GCC unroll 8
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 4
		for (unsigned v = 0; v < NV; v++)
			_mm512_mask_storeu_ps(acc + i * g->acc_pitch + 16 * v, v + 1 == NV ? last : 0xffff,
					      canonical(s[i][v]));
}

INLINE void tile_i8(const struct loom_gemm *g, unsigned row, unsigned col, const unsigned MR, const unsigned NV)
{
	const __mmask16 tail = tail_mask(g->n);
	const __mmask16 last = col + 16 * NV >= g->n ? tail : (__mmask16)0xffff;
	int32_t *acc = (int32_t *)g->acc + row * g->acc_pitch + col;
	const int32_t *b = (const int32_t *)g->b + col;
	const int32_t *a[8];
	__m512i s[8][4];

#pragma GCC unroll 8
	for (unsigned i = 0; i < MR; i++) {
		a[i] = (const int32_t *)g->a[row + i];
#pragma GCC unroll 4
		for (unsigned v = 0; v < NV; v++)
			s[i][v] = g->zero ? _mm512_setzero_si512() :
					    _mm512_maskz_loadu_epi32(v + 1 == NV ? last : 0xffff,
								     acc + i * g->acc_pitch + 16 * v);
	}
	for (size_t c = 0; c < g->kc; c++, b += g->b_pitch) {
		__m512i w[4];

#pragma GCC unroll 4
		for (unsigned v = 0; v < NV; v++)
			w[v] = _mm512_loadu_si512(b + 16 * v);
#pragma GCC unroll 8
		for (unsigned i = 0; i < MR; i++) {
			const __m512i x = _mm512_set1_epi32(a[i][c]);

#pragma GCC unroll 4
			for (unsigned v = 0; v < NV; v++)
				s[i][v] = dot_pairs(s[i][v], x, w[v]);
		}
	}
#pragma GCC unroll 8
	for (unsigned i = 0; i < MR; i++)
#pragma GCC unroll 4
		for (unsigned v = 0; v < NV; v++)
			_mm512_mask_storeu_epi32(acc + i * g->acc_pitch + 16 * v, v + 1 == NV ? last : 0xffff,
						 s[i][v]);
}

/*
 * All rows of one panel of 16 * NV columns: tiles of FULL rows, then what is left by halves. Tiles of fewer than 4
 * rows wait for B; where 8 rows are left they are two tiles of 4, not 6 and 2.
 */
#define PANEL(type, NV, FULL)                                                                                          \
	static __attribute__((noinline)) void panel_##type##_##NV(const struct loom_gemm *g, unsigned col)             \
	{                                                                                                              \
		unsigned row = 0;                                                                                      \
                                                                                                                       \
		for (; row + FULL <= g->m && (FULL == 8 || g->m - row != 8); row += FULL)                              \
			tile_##type(g, row, col, FULL, NV);                                                            \
		for (; row + 4 <= g->m; row += 4)                                                                      \
			tile_##type(g, row, col, 4, NV);                                                               \
		for (; row + 2 <= g->m; row += 2)                                                                      \
			tile_##type(g, row, col, 2, NV);                                                               \
		if (row < g->m)                                                                                        \
			tile_##type(g, row, col, 1, NV);                                                               \
	}

PANEL(f32, 1, 8)
PANEL(f32, 2, 8)
PANEL(f32, 3, 8)
PANEL(f32, 4, 6)
PANEL(i8, 1, 8)
PANEL(i8, 2, 8)
PANEL(i8, 3, 8)
PANEL(i8, 4, 6)

#define GEMM(type)                                                                                                     \
	static void gemm_##type(const struct loom_gemm *g)                                                             \
	{                                                                                                              \
		for (unsigned col = 0; col < g->n; col += 64) {                                                        \
			switch (g->n - col >= 64 ? 4 : (g->n - col + 15) / 16) {                                       \
			case 1:                                                                                        \
				panel_##type##_1(g, col);                                                              \
				break;                                                                                 \
			case 2:                                                                                        \
				panel_##type##_2(g, col);                                                              \
				break;                                                                                 \
			case 3:                                                                                        \
				panel_##type##_3(g, col);                                                              \
				break;                                                                                 \
			default:                                                                                       \
				panel_##type##_4(g, col);                                                              \
				break;                                                                                 \
			}                                                                                              \
		}                                                                                                      \
	}

GEMM(f32)
GEMM(i8)

static void fma_f32(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	for (unsigned i = 0; i < n; i += 16)
		_mm512_storeu_ps(d + i, canonical(_mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i),
								  _mm512_loadu_ps(c + i))));
}

static void dw_f32(const struct loom_dw *g)
{
	for (unsigned i = 0; i < g->n; i += 16) {
		const __mmask16 in = i + 16 <= g->n ? (__mmask16)0xffff : tail_mask(g->n);
		__m512 s = _mm512_maskz_loadu_ps(in, g->acc + i);

		for (unsigned t = 0; t < g->taps; t++)
			s = _mm512_fmadd_ps(_mm512_loadu_ps((const float *)g->a[t] + i),
					    _mm512_loadu_ps(g->b + t * g->b_pitch + i), s);
		_mm512_mask_storeu_ps(g->acc + i, in, canonical(s));
	}
}

/* Eight vectors on their way at once. */
INLINE void copy_512(uint8_t *dst, const uint8_t *src)
{
	__m512i v[8];

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		v[i] = _mm512_loadu_si512(src + 64 * i);
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		_mm512_storeu_si512(dst + 64 * i, v[i]);
}

static void copy_rows(uint8_t *dst, const uint8_t *src, uint64_t n, int64_t ds, int64_t ss, uint64_t len,
		      bool asked)
{
	const uint64_t ahead = len < LOOM_PREFETCH_BYTES ? len : LOOM_PREFETCH_BYTES;
	const __mmask64 tail = (__mmask64)(((uint64_t)1 << len % 64) - 1);

	for (uint64_t i = 0; i < n; i++, src += ss, dst += ds) {
		uint64_t o;

		for (o = 0; i + LOOM_PREFETCH_ROWS < n && o < ahead; o += 64) {
			if (!asked)
				_mm_prefetch(src + LOOM_PREFETCH_ROWS * ss + o, _MM_HINT_T0);
			__builtin_prefetch(dst + LOOM_PREFETCH_ROWS * ds + o, 1);
		}
		for (o = 0; o + 512 <= len; o += 512)
			copy_512(dst + o, src + o);
		for (; o + 64 <= len; o += 64)
			_mm512_storeu_si512(dst + o, _mm512_loadu_si512(src + o));
		if (tail)
			_mm512_mask_storeu_epi8(dst + o, tail, _mm512_maskz_loadu_epi8(tail, src + o));
	}
}

const struct loom_kernels loom_kernels_avx512 = {
	.name = "avx512",
	.gemm_f32 = gemm_f32,
	.gemm_i8 = gemm_i8,
	.dw_f32 = dw_f32,
	.epilogue = epilogue,
	.copy_rows = copy_rows,
	.alu = alu,
	.combine = combine,
	.load_run = load_run,
	.store_run = store_run,
};

#else
typedef int loom_kernels_avx512_unused; /* a translation unit may not be empty */
#endif
