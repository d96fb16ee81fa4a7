// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The array. Threads share a record's output pixels, of all outer repetitions: each takes ranges of them. A range
 * runs in blocks of columns and of k; for each, B is packed once (or read in place), then blocks of rows go through
 * a micro-kernel. Each output keeps its accumulator in accumulator memory between blocks, and blocks of k come in
 * ascending order, so that neither blocks nor threads show in the bits.
 *
 * A is read through row pointers: in place where its channels lie side by side in f32, from a packed and widened
 * copy otherwise. Padding is a pointer to a row of padding.
 *
 * A, B and the bias are read as a whole before OUT is written: results leave in one pass at the end (epi.c). Where OUT
 * lies beside all of them, a thread sends off its pixels as soon as it has them.
 */
#include <string.h>
#include "footprint.h"
#include "kernels.h"
#include "mxu.h"
#include "unit_check.h"

enum {
	BLOCK_M = 96, /* rows in one call of a micro-kernel */
	BLOCK_N = 384, /* columns of B packed at once */
	BLOCK_K = 256, /* packed 4-byte elements along k: f32, or pairs of int16 */
	PART_TILES = 4, /* tiles of a micro-kernel, at least, in a range of pixels that a thread takes */
	WIDE = 64, /* columns that go through a micro-kernel in tiles of 6 rows; fewer in tiles of 8 */
	MAX_TAPS = 16, /* taps of A read in place in one call */
	MAX_PARTS = 8, /* ranges of pixels that threads may share; */
	PACKED_PARTS = 4, /* fewer, where each packs B for itself */
	COLUMN_PARTS = 4, /* ranges of columns that threads may share */
	IN_PLACE_CHANNELS = 8, /* fewer channels than this are gathered, so that k runs over several taps */
	PACKED_B = BLOCK_N * BLOCK_K * 4,
	PACKED_A = BLOCK_M * BLOCK_K * 4,
};

_Static_assert(MAX_PARTS * (PACKED_B + PACKED_A) <= LOOM_EXEC_MIN_SCRATCH, "fits the smallest scratch memory");

#define PARALLEL_MACS (1u << 19) /* less work than this stays on the calling thread */

/* A record, and how it is shared. */
struct shared {
	const struct loom_exec *x;
	const struct loom_dispatched *r;
	uint32_t tile; /* pixels that stay together */
	uint64_t tiles; /* of one outer repetition */
	uint32_t parts;
	bool by_columns; /* ranges are of columns, not of pixels */
	bool drains; /* a thread drains its pixels when it has computed them */
	struct loom_drain drain;
};

/* A range of pixels of one outer repetition, and where it has got to. */
struct block {
	const struct loom_exec *x;
	const struct loom_mxu *m;
	const uint8_t *a, *b; /* operands of this outer repetition */
	uint32_t *acc; /* its accumulators */
	uint32_t first, end; /* pixels */
	uint32_t n_end; /* columns end here */
	uint8_t *packed_b, *packed_a; /* this part's own scratch memory */
	struct loom_ahead *ahead; /* or NULL */
	uint32_t k, len; /* first product and number of products in this block */
	uint32_t n, cols; /* first column and number of columns */
	uint32_t pad; /* padding element, widened */
	bool in_place; /* A is read where it lies; the block is whole taps, or part of one tap */
	bool zero; /* accumulators begin at zero here */
	const void *b_rows; /* B as the micro-kernel wants it */
	ptrdiff_t b_pitch;
};

static uint32_t load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t load_bf16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return (uint32_t)v << 16;
}

/* Where the window of an output pixel begins in the map; may lie outside. */
struct corner {
	int64_t y, x;
};

static struct corner corner_of(const struct loom_mxu *m, uint32_t p)
{
	return (struct corner){ (int64_t)(p / m->ow) * m->sy - m->py, (int64_t)(p % m->ow) * m->sx - m->px };
}

/* The pixel of A under tap (ky, kx) of a window, or NULL for padding. */
static const uint8_t *pixel(const struct block *k, struct corner c, uint32_t ky, uint32_t kx)
{
	const struct loom_mxu *m = k->m;
	const int64_t iy = c.y + (int64_t)ky * m->dy;
	const int64_t ix = c.x + (int64_t)kx * m->dx;

	if (iy < 0 || iy >= m->ih || ix < 0 || ix >= m->iw)
		return NULL;
	return k->a + iy * m->a_sh + ix * m->a_sw;
}

/*
 * Widening copies of n elements that lie step bytes apart. The step of neighbours is a constant in one branch, so
 * that the compiler makes vectors of it.
 */
#define WIDEN(name, type, bytes, expr)                                                                                 \
	static void widen_##name(type *dst, const uint8_t *src, ptrdiff_t step, uint32_t n)                            \
	{                                                                                                              \
		if (step == (bytes))                                                                                   \
			for (uint32_t i = 0; i < n; i++) {                                                             \
				const uint8_t *at = src + (ptrdiff_t)i * (bytes);                                      \
                                                                                                                       \
				dst[i] = (expr);                                                                       \
			}                                                                                              \
		else                                                                                                   \
			for (uint32_t i = 0; i < n; i++) {                                                             \
				const uint8_t *at = src + (ptrdiff_t)i * step;                                         \
                                                                                                                       \
				dst[i] = (expr);                                                                       \
			}                                                                                              \
	}

WIDEN(f32, uint32_t, 4, load32(at))
WIDEN(bf16, uint32_t, 2, load_bf16(at))
WIDEN(i8, int16_t, 1, (int8_t)*at)

/* Copies n elements of A, from src on or padding, widened, to element number first of dst. */
static void widen_a(const struct block *k, const uint8_t *src, uint32_t n, void *dst, uint32_t first)
{
	uint32_t *dst32 = (uint32_t *)dst + first;
	int16_t *dst16 = (int16_t *)dst + first;
	const ptrdiff_t step = k->m->a_sc;

	if (k->m->type == LOOM_MXU_INT8) {
		if (src)
			widen_i8(dst16, src, step, n);
		else
			for (uint32_t i = 0; i < n; i++)
				dst16[i] = (int16_t)k->pad;
	} else if (!src) {
		for (uint32_t i = 0; i < n; i++)
			dst32[i] = k->pad;
	} else if (k->m->type == LOOM_MXU_BF16) {
		widen_bf16(dst32, src, step, n);
	} else {
		widen_f32(dst32, src, step, n);
	}
}

/* Gathers the block's products of output pixel p: an implicit im2col of one row. */
static void pack_row(const struct block *k, uint32_t p, void *dst)
{
	const struct loom_mxu *m = k->m;
	const struct corner corner = corner_of(m, p);
	uint32_t c = k->k % m->kc, kx = k->k / m->kc % m->kw, ky = k->k / m->kc / m->kw;

	for (uint32_t done = 0; done < k->len;) {
		const uint8_t *src = pixel(k, corner, ky, kx);
		const uint32_t run = m->kc - c < k->len - done ? m->kc - c : k->len - done;

		widen_a(k, src ? src + (ptrdiff_t)c * m->a_sc : NULL, run, dst, done);
		done += run;
		c = 0;
		if (++kx == m->kw) {
			kx = 0;
			ky++;
		}
	}
	if (m->type == LOOM_MXU_INT8 && k->len % 2)
		((int16_t *)dst)[k->len] = 0;
}

/* One row of pairs of B: products i and i + 1 of n columns, or i and nothing. */
static void pair_row(uint32_t *dst, const uint8_t *first, const uint8_t *second, ptrdiff_t step, uint32_t n)
{
	if (!second)
		for (uint32_t j = 0; j < n; j++)
			dst[j] = (uint16_t)(int8_t)first[(ptrdiff_t)j * step];
	else if (step == 1)
		for (uint32_t j = 0; j < n; j++)
			dst[j] = (uint16_t)(int8_t)first[j] | (uint32_t)(int8_t)second[j] << 16;
	else
		for (uint32_t j = 0; j < n; j++)
			dst[j] = (uint16_t)(int8_t)first[(ptrdiff_t)j * step] |
				 (uint32_t)(int8_t)second[(ptrdiff_t)j * step] << 16;
}

/*
 * Packs a B whose columns are contiguous f32: a line of each column at a time, since rows would touch a line for each
 * element.
 */
static void pack_columns(const struct block *k, const uint8_t *src, uint32_t *dst, ptrdiff_t pitch)
{
	enum { ABREAST = 16 };

	for (uint32_t c = 0; c < k->len; c += ABREAST) {
		const uint32_t rows = k->len - c < ABREAST ? k->len - c : ABREAST;

		for (uint32_t j = 0; j < k->cols; j++)
			for (uint32_t i = 0; i < rows; i++)
				dst[(c + i) * pitch + j] = load32(src + (ptrdiff_t)j * k->m->b_sn + (size_t)(c + i) * 4);
	}
}

/* B as rows of k: in place if a row is contiguous f32, else packed, widened and paired. */
static void pack_b(struct block *k)
{
	const struct loom_mxu *m = k->m;
	const uint8_t *src = k->b + (ptrdiff_t)k->k * m->b_sk + (ptrdiff_t)k->n * m->b_sn;
	const ptrdiff_t pitch = (k->cols + 15) & ~15u;
	uint32_t *dst = (uint32_t *)(void *)k->packed_b;

	if (m->type == LOOM_MXU_F32 && (m->b_sn == 4 || k->cols == 1) && (k->len == 1 || m->b_sk % 4 == 0)) {
		k->b_rows = src;
		k->b_pitch = m->b_sk / 4;
		return;
	}
	k->b_rows = dst;
	k->b_pitch = pitch;
	if (m->type == LOOM_MXU_F32 && m->b_sk == 4) {
		pack_columns(k, src, dst, pitch);
		return;
	}
	for (uint32_t i = 0; i < k->len; i++, src += m->b_sk, dst += pitch) {
		if (m->type == LOOM_MXU_F32) {
			widen_f32(dst, src, m->b_sn, k->cols);
		} else if (m->type == LOOM_MXU_BF16) {
			widen_bf16(dst, src, m->b_sn, k->cols);
		} else {
			pair_row(dst, src, i + 1 < k->len ? src + m->b_sk : NULL, m->b_sn, k->cols);
			i++;
			src += m->b_sk;
		}
	}
}

/* Whether A is a transposed matrix: its pixels lie side by side, its products apart. */
static bool is_transposed(const struct loom_mxu *m)
{
	return m->type == LOOM_MXU_F32 && m->a_sw == 4 && m->kh * m->kw == 1 && m->oh == 1 && m->sx == 1 &&
	       !m->py && !m->px && m->ow <= m->iw;
}

/* Packs rows of a transposed A, a few products of all rows at a time. */
static void pack_transposed(const struct block *k, uint32_t first, uint32_t rows, uint32_t *dst)
{
	enum { ABREAST = 8 };
	const uint8_t *src = k->a + (ptrdiff_t)k->k * k->m->a_sc + (ptrdiff_t)first * 4;
	const ptrdiff_t step = k->m->a_sc;
	uint32_t c = 0;

	for (; c + ABREAST <= k->len; c += ABREAST, src += ABREAST * step)
		for (uint32_t i = 0; i < rows; i++)
			for (uint32_t j = 0; j < ABREAST; j++)
				dst[(size_t)i * BLOCK_K + c + j] = load32(src + j * step + (size_t)i * 4);
	for (; c < k->len; c++, src += step)
		for (uint32_t i = 0; i < rows; i++)
			dst[(size_t)i * BLOCK_K + c] = load32(src + (size_t)i * 4);
}

/* Rows first to first + rows of A, packed. */
static void rows_packed(const struct block *k, uint32_t first, uint32_t rows, struct loom_gemm *g)
{
	const void *a[BLOCK_M];
	const bool transposed = is_transposed(k->m);

	for (uint32_t i = 0; i < rows; i++) {
		a[i] = k->packed_a + (size_t)i * BLOCK_K * 4;
		if (!transposed)
			pack_row(k, first + i, k->packed_a + (size_t)i * BLOCK_K * 4);
	}
	if (transposed)
		pack_transposed(k, first, rows, (uint32_t *)(void *)k->packed_a);
	g->a = a;
	g->taps = 1;
	if (k->m->type == LOOM_MXU_INT8) {
		g->kc = (k->len + 1) / 2;
		k->x->kernels->gemm_i8(g);
	} else {
		g->kc = k->len;
		k->x->kernels->gemm_f32(g);
	}
}

/* The same, read in place, a row pointer for each pixel and tap. */
static void rows_in_place(const struct block *k, uint32_t first, uint32_t rows, struct loom_gemm *g)
{
	const struct loom_mxu *m = k->m;
	const uint32_t tap = k->k / m->kc, c = k->k % m->kc;
	const uint32_t ky0 = tap / m->kw, kx0 = tap % m->kw;
	struct corner corner = corner_of(m, first);
	uint32_t ox = first % m->ow;
	const void *a[MAX_TAPS * BLOCK_M];
	uint32_t pad[BLOCK_K];
	bool padded = false;

	g->kc = k->len < m->kc ? k->len : m->kc;
	g->taps = k->len / g->kc;
	g->a = a;
	g->a_pitch = rows;
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t ky = ky0, kx = kx0;

		for (uint32_t t = 0; t < g->taps; t++) {
			const uint8_t *at = pixel(k, corner, ky, kx);

			padded |= !at;
			a[t * rows + i] = at ? (const void *)(at + (size_t)c * 4) : pad;
			if (++kx == m->kw) {
				kx = 0;
				ky++;
			}
		}
		corner.x += m->sx;
		if (++ox == m->ow) {
			ox = 0;
			corner = corner_of(m, first + i + 1);
		}
	}
	for (uint32_t i = 0; padded && i < g->kc; i++)
		pad[i] = k->pad;
	k->x->kernels->gemm_f32(g);
}

/* All rows of the range through the micro-kernel, for the block of columns and k. */
static void run_rows(const struct block *k)
{
	for (uint32_t first = k->first; first < k->end; first += BLOCK_M) {
		const uint32_t rows = k->end - first < BLOCK_M ? k->end - first : BLOCK_M;
		struct loom_gemm g = {
			.b = k->b_rows,
			.b_pitch = k->b_pitch,
			.acc = k->acc + (size_t)first * k->m->acc_pitch + k->n,
			.acc_pitch = k->m->acc_pitch,
			.m = rows,
			.n = k->cols,
			.zero = k->zero,
			.ahead = k->ahead,
		};

		if (k->in_place)
			rows_in_place(k, first, rows, &g);
		else
			rows_packed(k, first, rows, &g);
	}
}

/* Products of the next block along k: as many as fit, in place whole taps or part of one. */
static uint32_t block_len(const struct block *k, uint32_t products)
{
	const struct loom_mxu *m = k->m;
	const uint32_t left = products - k->k;
	const uint32_t max = m->type == LOOM_MXU_INT8 ? 2 * BLOCK_K : BLOCK_K;
	uint32_t taps;

	if (!k->in_place)
		return left < max ? left : max;
	if (m->kc >= max) {
		const uint32_t in_tap = m->kc - k->k % m->kc;

		return in_tap < max ? in_tap : max;
	}
	taps = max / m->kc < MAX_TAPS ? max / m->kc : MAX_TAPS;
	return left < taps * m->kc ? left : taps * m->kc;
}

static void run_range(struct block *k)
{
	const struct loom_mxu *m = k->m;
	const uint32_t products = (uint32_t)m->kh * m->kw * m->kc;

	for (; k->n < k->n_end; k->n += BLOCK_N) {
		k->cols = k->n_end - k->n < BLOCK_N ? k->n_end - k->n : BLOCK_N;
		k->zero = m->acc == LOOM_ACC_ZERO;
		for (k->k = 0; k->k < products; k->k += k->len) {
			k->len = block_len(k, products);
			pack_b(k);
			run_rows(k);
			k->zero = false;
		}
	}
}

static uint32_t widened_pad(const struct loom_mxu *m)
{
	switch (m->type) {
	case LOOM_MXU_F32:
		return m->pad_value;
	case LOOM_MXU_BF16:
		return m->pad_value << 16;
	default:
		return (uint32_t)(int8_t)m->pad_value;
	}
}

/* Whether A is read where it lies. */
static bool in_place(const struct loom_mxu *m)
{
	return m->type == LOOM_MXU_F32 && (m->a_sc == 4 || m->kc == 1) &&
	       (m->kc >= IN_PLACE_CHANNELS || m->kh * m->kw == 1);
}

/* Some outputs of one outer repetition. */
struct range {
	uint32_t first, end; /* pixels */
	uint32_t n, n_end; /* columns */
};

static void run_outer(const struct shared *s, uint32_t part, uint32_t outer, const struct range *of)
{
	const struct loom_exec *x = s->x;
	const struct loom_mxu *m = &s->r->mxu;
	const int64_t o0 = outer / m->outer[1], o1 = outer % m->outer[1];
	uint8_t *scratch = x->scratch + (size_t)part * (PACKED_B + PACKED_A);
	struct block k = {
		.x = x,
		.m = m,
		.a = x->sram + loom_unit_address(m->a_base, s->r->base[0]) + o0 * m->a_so[0] + o1 * m->a_so[1],
		.b = x->sram + loom_unit_address(m->b_base, s->r->base[1]) + o0 * m->b_so[0] + o1 * m->b_so[1],
		.acc = loom_mxu_acc(x, m, (uint32_t)o0, (uint32_t)o1),
		.first = of->first,
		.end = of->end,
		.n = of->n,
		.n_end = of->n_end,
		.packed_b = scratch,
		.packed_a = scratch + PACKED_B,
		.ahead = part == 0 ? x->ahead : NULL,
		.pad = widened_pad(m),
		.in_place = in_place(m),
	};

	if (m->mode == LOOM_MXU_DW)
		loom_mxu_depthwise(x, m, k.a, k.b, k.acc, of->first, of->end, scratch);
	else
		run_range(&k);
}

/* Whole columns: all pixels of all outer repetitions. */
static void run_columns(const struct shared *s, unsigned part)
{
	const struct loom_mxu *m = &s->r->mxu;
	const uint32_t tiles = (m->n + WIDE - 1) / WIDE, end = tiles * (part + 1) / s->parts * WIDE;
	const struct range of = { 0, m->oh * m->ow, tiles * part / s->parts * WIDE, end < m->n ? end : m->n };

	for (uint32_t outer = 0; outer < m->outer[0] * m->outer[1]; outer++)
		run_outer(s, part, outer, &of);
}

/* A range of all pixels of the record, which may cross outer repetitions. */
static void run_pixels(const struct shared *s, unsigned part)
{
	const struct loom_mxu *m = &s->r->mxu;
	const uint64_t pixels = (uint64_t)m->oh * m->ow;
	const uint64_t all = s->tiles * m->outer[0] * m->outer[1];
	const uint64_t last = all * (part + 1) / s->parts;

	for (uint64_t t = all * part / s->parts; t < last;) {
		const uint64_t outer = t / s->tiles, rest = s->tiles - t % s->tiles;
		const uint64_t count = last - t < rest ? last - t : rest;
		const uint64_t first = t % s->tiles * s->tile, end = first + count * s->tile;
		const struct range of = { (uint32_t)first, (uint32_t)(end < pixels ? end : pixels), 0, m->n };

		run_outer(s, part, (uint32_t)outer, &of);
		if (s->drains)
			loom_epi_drain_pixels(&s->drain, outer * pixels + first, outer * pixels + of.end);
		t += count;
	}
}

static void run_part(void *arg, unsigned part)
{
	const struct shared *s = arg;

	if (s->by_columns)
		run_columns(s, part);
	else
		run_pixels(s, part);
}

/* Whether OUT lies beside all that the record reads; its residual is left to loom_epi_pixels_apart(). */
static bool out_apart(const struct loom_dispatched *r)
{
	struct loom_dispatched q = *r;
	struct loom_box box[LOOM_MAX_BOXES];
	unsigned n;

	if (q.mxu.flags & LOOM_MXU_EPI)
		((struct loom_epi *)(void *)(q.bytes + sizeof(struct loom_mxu)))->residual = LOOM_EPI_NONE;
	n = loom_footprint(&q, box);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (box[i].write && !box[j].write && box[i].space == LOOM_SLOT_SRAM &&
			    loom_boxes_meet(&box[i], &box[j]))
				return false;
	return true;
}

/* How threads share a record: into ranges of tiles, a power of two of them, so that two threads get as much each. */
static struct shared share(const struct loom_exec *x, const struct loom_dispatched *r)
{
	const struct loom_mxu *m = &r->mxu;
	const uint64_t pixels = (uint64_t)m->oh * m->ow, repetitions = (uint64_t)m->outer[0] * m->outer[1];
	const uint64_t macs = repetitions * pixels * m->n * m->kh * m->kw * (m->mode == LOOM_MXU_DW ? 1 : m->kc);
	const uint32_t most = in_place(m) || m->mode == LOOM_MXU_DW ? MAX_PARTS : PACKED_PARTS;
	struct shared s = { .x = x, .r = r, .tile = m->n >= WIDE ? 6 : 8, .parts = 1 };

	s.tiles = (pixels + s.tile - 1) / s.tile;
	if (!x->host || !x->host->parallel_for || macs < PARALLEL_MACS)
		return s;
	/* Each thread reads all of what is not shared out: let it be the smaller operand. */
	s.by_columns = in_place(m) && m->mode != LOOM_MXU_DW && m->n >= COLUMN_PARTS * WIDE && m->n > pixels;
	if (s.by_columns)
		s.parts = COLUMN_PARTS;
	else
		while (s.parts < most && s.tiles * repetitions >= 2 * s.parts * PART_TILES)
			s.parts *= 2;
	if (s.parts > 1 && !s.by_columns && m->flags & LOOM_MXU_DRAIN && out_apart(r)) {
		loom_epi_drain_begin(x, r, x->scratch + MAX_PARTS * (PACKED_B + PACKED_A), &s.drain);
		s.drains = loom_epi_pixels_apart(&s.drain);
	}
	return s;
}

void loom_mxu_exec(const struct loom_exec *x, const struct loom_dispatched *r)
{
	const struct loom_mxu *m = &r->mxu;
	struct shared s = share(x, r);

	if (m->acc == LOOM_ACC_BIAS)
		loom_epi_bias(x, r);
	if (s.parts > 1)
		x->host->parallel_for(x->opaque, s.parts, run_part, &s);
	else
		run_part(&s, 0);
	if (m->flags & LOOM_MXU_DRAIN && !s.drains)
		loom_epi_drain(x, r);
}
