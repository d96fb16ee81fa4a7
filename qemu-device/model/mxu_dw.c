// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The array's depthwise mode: column n of OUT takes channel n of A, tap by tap. Lanes run across channels, so that
 * every accumulator still takes its products in ascending order of taps.
 */
#include <string.h>
#include "kernels.h"
#include "loom_num.h"
#include "mxu.h"
#include "unit_check.h"

enum {
	CHANNELS = 256, /* at a time */
	MAX_PACKED_TAPS = 256, /* rows of B that are widened once instead of once a pixel */
};

_Static_assert(CHANNELS * MAX_PACKED_TAPS * 4 <= 1 << 20, "fits the smallest scratch memory");

struct depthwise {
	const struct loom_exec *x;
	const struct loom_mxu *m;
	const uint8_t *a, *b; /* operands of this outer repetition */
	uint32_t first, n; /* channels of this chunk */
	bool packed;
};

static uint32_t load(const uint8_t *at, uint32_t type)
{
	uint32_t word;
	uint16_t half;

	if (type == LOOM_MXU_F32) {
		memcpy(&word, at, sizeof(word));
		return word;
	}
	if (type == LOOM_MXU_INT8)
		return (uint32_t)(int32_t)(int8_t)*at;
	memcpy(&half, at, sizeof(half));
	return (uint32_t)half << 16;
}

static uint32_t widened_pad(const struct loom_mxu *m)
{
	if (m->type == LOOM_MXU_INT8)
		return (uint32_t)(int32_t)(int8_t)m->pad_value;
	return m->type == LOOM_MXU_BF16 ? m->pad_value << 16 : m->pad_value;
}

static void widen(uint32_t *dst, const uint8_t *src, ptrdiff_t step, uint32_t n, uint32_t type)
{
	if (type == LOOM_MXU_F32 && step == 4)
		memcpy(dst, src, (size_t)n * 4);
	else
		for (uint32_t i = 0; i < n; i++)
			dst[i] = load(src + (ptrdiff_t)i * step, type);
}

static void widen_b(const struct depthwise *d, uint32_t tap, uint32_t *dst)
{
	const struct loom_mxu *m = d->m;

	widen(dst, d->b + (ptrdiff_t)tap * m->b_sk + (ptrdiff_t)d->first * m->b_sn, m->b_sn, d->n, m->type);
}

static void multiply(const struct depthwise *d, uint32_t *acc, const uint32_t *a, const uint32_t *b)
{
	if (d->m->type == LOOM_MXU_INT8)
		for (uint32_t i = 0; i < d->n; i++)
			acc[i] += a[i] * b[i];
	else
		d->x->kernels->fma_f32(acc, a, b, acc, (d->n + 15) & ~15u);
}

/* All taps of one pixel of OUT. */
static void one_pixel(const struct depthwise *d, uint32_t oy, uint32_t ox, uint32_t *acc)
{
	const struct loom_mxu *m = d->m;
	uint32_t s[CHANNELS] = { 0 }, a[CHANNELS] = { 0 }, unpacked[CHANNELS] = { 0 };
	const uint32_t *b = (const uint32_t *)(const void *)d->x->scratch;

	if (m->acc != LOOM_ACC_ZERO)
		memcpy(s, acc, (size_t)d->n * 4);
	for (uint32_t ky = 0, tap = 0; ky < m->kh; ky++)
		for (uint32_t kx = 0; kx < m->kw; kx++, tap++) {
			const int64_t iy = (int64_t)oy * m->sy + (int64_t)ky * m->dy - m->py;
			const int64_t ix = (int64_t)ox * m->sx + (int64_t)kx * m->dx - m->px;

			if (iy < 0 || iy >= m->ih || ix < 0 || ix >= m->iw)
				for (uint32_t i = 0; i < d->n; i++)
					a[i] = widened_pad(m);
			else
				widen(a, d->a + iy * m->a_sh + ix * m->a_sw + (ptrdiff_t)d->first * m->a_sc, m->a_sc,
				      d->n, m->type);
			if (!d->packed)
				widen_b(d, tap, unpacked);
			multiply(d, s, a, d->packed ? b + (size_t)tap * CHANNELS : unpacked);
		}
	memcpy(acc, s, (size_t)d->n * 4);
}

void loom_mxu_depthwise(const struct loom_exec *x, const struct loom_mxu *m, const uint8_t *a, const uint8_t *b,
			uint32_t *acc)
{
	const uint32_t taps = (uint32_t)m->kh * m->kw;
	struct depthwise d = { .x = x, .m = m, .a = a, .b = b, .packed = taps <= MAX_PACKED_TAPS };

	for (; d.first < m->n; d.first += CHANNELS) {
		uint32_t *at = acc + d.first;

		d.n = m->n - d.first < CHANNELS ? m->n - d.first : CHANNELS;
		for (uint32_t t = 0; d.packed && t < taps; t++)
			widen_b(&d, t, (uint32_t *)(void *)x->scratch + (size_t)t * CHANNELS);
		for (uint32_t oy = 0; oy < m->oh; oy++)
			for (uint32_t ox = 0; ox < m->ow; ox++, at += m->acc_pitch)
				one_pixel(&d, oy, ox, at);
	}
}
