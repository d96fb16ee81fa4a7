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
	MAX_TAPS = 64, /* taps whose pixels of A are read in place */
};

_Static_assert(4 * CHANNELS * MAX_PACKED_TAPS <= LOOM_MXU_DW_SCRATCH, "B fits");

struct depthwise {
	const struct loom_exec *x;
	const struct loom_mxu *m;
	const uint8_t *a, *b; /* operands of this outer repetition */
	const uint32_t *taps; /* B, widened, CHANNELS a tap; NULL: there are too many taps */
	uint32_t first, n; /* channels of this chunk */
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
	const void *rows[1] = { a };
	const struct loom_dw g = { rows, (const float *)(const void *)b, 0, (float *)(void *)acc, d->n, 1 };

	if (d->m->type == LOOM_MXU_INT8)
		for (uint32_t i = 0; i < d->n; i++)
			acc[i] += a[i] * b[i];
	else
		d->x->kernels->dw_f32(&g);
}

/* The pixel of A under a tap of OUT's pixel (oy, ox), or NULL for padding. */
static const uint8_t *under(const struct depthwise *d, uint32_t oy, uint32_t ox, uint32_t ky, uint32_t kx)
{
	const struct loom_mxu *m = d->m;
	const int64_t iy = (int64_t)oy * m->sy + (int64_t)ky * m->dy - m->py;
	const int64_t ix = (int64_t)ox * m->sx + (int64_t)kx * m->dx - m->px;

	if (iy < 0 || iy >= m->ih || ix < 0 || ix >= m->iw)
		return NULL;
	return d->a + iy * m->a_sh + ix * m->a_sw + (ptrdiff_t)d->first * m->a_sc;
}

/* All taps of one pixel of OUT, a tap at a time. */
static void one_pixel(const struct depthwise *d, uint32_t oy, uint32_t ox, uint32_t *acc)
{
	const struct loom_mxu *m = d->m;
	uint32_t a[CHANNELS + 16] = { 0 }, unpacked[CHANNELS + 16] = { 0 };

	for (uint32_t ky = 0, tap = 0; ky < m->kh; ky++)
		for (uint32_t kx = 0; kx < m->kw; kx++, tap++) {
			const uint8_t *at = under(d, oy, ox, ky, kx);

			if (at)
				widen(a, at, m->a_sc, d->n, m->type);
			else
				for (uint32_t i = 0; i < d->n; i++)
					a[i] = widened_pad(m);
			if (!d->taps)
				widen_b(d, tap, unpacked);
			multiply(d, acc, a, d->taps ? d->taps + (size_t)tap * CHANNELS : unpacked);
		}
}

/* The same with A read in place. pad: a row of padding. */
static void one_pixel_in_place(const struct depthwise *d, uint32_t oy, uint32_t ox, uint32_t *acc,
			       const uint32_t *pad)
{
	const struct loom_mxu *m = d->m;
	const void *a[MAX_TAPS];
	struct loom_dw g = { a, (const float *)(const void *)d->taps, CHANNELS, (float *)(void *)acc, d->n, 0 };

	for (uint32_t ky = 0; ky < m->kh; ky++)
		for (uint32_t kx = 0; kx < m->kw; kx++) {
			const uint8_t *at = under(d, oy, ox, ky, kx);

			a[g.taps++] = at ? (const void *)at : pad;
		}
	d->x->kernels->dw_f32(&g);
}

void loom_mxu_depthwise(const struct loom_exec *x, const struct loom_mxu *m, const uint8_t *a, const uint8_t *b,
			uint32_t *acc, uint32_t first, uint32_t end, uint8_t *scratch)
{
	const uint32_t taps = (uint32_t)m->kh * m->kw;
	const bool in_place = m->type == LOOM_MXU_F32 && m->a_sc == 4 && taps <= MAX_TAPS;
	uint32_t *packed = (uint32_t *)(void *)scratch, pad[CHANNELS + 16];
	struct depthwise d = { .x = x, .m = m, .a = a, .b = b, .taps = taps <= MAX_PACKED_TAPS ? packed : NULL };

	for (uint32_t i = 0; i < CHANNELS + 16; i++)
		pad[i] = widened_pad(m);
	for (; d.first < m->n; d.first += CHANNELS) {
		d.n = m->n - d.first < CHANNELS ? m->n - d.first : CHANNELS;
		for (uint32_t t = 0; d.taps && t < taps; t++)
			widen_b(&d, t, packed + (size_t)t * CHANNELS);
		for (uint32_t p = first; p < end; p++) {
			uint32_t *at = acc + (size_t)p * m->acc_pitch + d.first;

			if (m->acc == LOOM_ACC_ZERO)
				memset(at, 0, (size_t)d.n * 4);
			if (in_place)
				one_pixel_in_place(&d, p / m->ow, p % m->ow, at, pad);
			else
				one_pixel(&d, p / m->ow, p % m->ow, at);
		}
	}
}
