// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The micro-kernels in plain C: what the others must equal, and what runs on a host without AVX2. */
#include <string.h>
#include "kernels.h"
#include "kernels_alu.h"
#include "kernels_epi.h"

static void gemm_f32(const struct loom_gemm *g)
{
	for (unsigned i = 0; i < g->m; i++) {
		float *acc = (float *)g->acc + i * g->acc_pitch;

		for (unsigned j = 0; j < g->n; j++) {
			float s = g->zero ? 0.0f : acc[j];
			const float *b = (const float *)g->b + j;

			for (unsigned t = 0; t < g->taps; t++) {
				const float *a = g->a[t * g->a_pitch + i];

				for (unsigned c = 0; c < g->kc; c++, b += g->b_pitch)
					s = loom_num_fmaf(a[c], *b, s);
			}
			acc[j] = loom_num_float(loom_num_result(s));
		}
	}
}

static void gemm_i8(const struct loom_gemm *g)
{
	for (unsigned i = 0; i < g->m; i++) {
		uint32_t *acc = (uint32_t *)g->acc + i * g->acc_pitch;
		const int16_t *a = g->a[i];

		for (unsigned j = 0; j < g->n; j++) {
			uint32_t s = g->zero ? 0 : acc[j];
			const int16_t *b = (const int16_t *)g->b + 2 * j;

			for (unsigned c = 0; c < g->kc; c++, b += 2 * g->b_pitch)
				s += (uint32_t)(a[2 * c] * b[0] + a[2 * c + 1] * b[1]);
			acc[j] = s;
		}
	}
}

static void fma_f32(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		d[i] = loom_num_fma(a[i], b[i], c[i]);
}

static void dw_f32(const struct loom_dw *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		float s = g->acc[i];

		for (unsigned t = 0; t < g->taps; t++)
			s = loom_num_fmaf(((const float *)g->a[t])[i], g->b[t * g->b_pitch + i], s);
		g->acc[i] = loom_num_float(loom_num_result(s));
	}
}

void loom_copy_rows(uint8_t *dst, const uint8_t *src, uint64_t n, int64_t ds, int64_t ss, uint64_t len, bool asked)
{
	const uint64_t ahead = len < LOOM_PREFETCH_BYTES ? len : LOOM_PREFETCH_BYTES;

	for (uint64_t i = 0; i < n; i++, src += ss, dst += ds) {
		for (uint64_t o = 0; !asked && i + LOOM_PREFETCH_ROWS < n && o < ahead; o += 64)
			__builtin_prefetch(src + LOOM_PREFETCH_ROWS * ss + o);
		memcpy(dst, src, len);
	}
}

const struct loom_kernels loom_kernels_scalar = {
	.name = "scalar",
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
