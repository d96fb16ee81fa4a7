/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The cost function: stand-alone time of one record on a target. Shared by the model and the compiler, and the
 * only statement of it in code; docs/hardware.md states the same in prose. Integers only, freestanding.
 */
#ifndef LOOM_TIMING_H
#define LOOM_TIMING_H

#include "loom_isa.h"
#include "loom_target.h"

#define LOOM_T_JOB_START 64u /* doorbell to the request for the first lines of code */
#define LOOM_T_JOB_END 32u /* HALT to completion */
#define LOOM_T_SEQ 1u /* one scalar record, or the dispatch of one record */
#define LOOM_T_SEM 2u /* signal to the wait it satisfies */
#define LOOM_T_RECORD 16u /* start-up of a record in any queue but SEQ */
#define LOOM_T_WEIGHT_BYTES 64u /* bytes of B the array loads a cycle */
#define LOOM_T_TURN 8u /* the bus of a memory class turns from reading to writing or back */
#define LOOM_BANK_BYTES 16u /* width of an SRAM bank */
#define LOOM_FETCH_AHEAD 4u /* lines of code asked for ahead of SEQ */
#define LOOM_FETCH_KEEP 64u /* lines of code that stay: 4 KiB */

struct loom_cost {
	__u64 busy; /* cycles at full rate on real work, rounded down to whole tiles' share */
	__u64 edge; /* cycles on padding of partial tiles, vectors and bursts */
	__u64 fill; /* start-up, fill, drain, latency */
	__u64 conflict; /* cycles more because strided operands hit the same SRAM banks */
};

static inline __u64 loom_ceil_div(__u64 a, __u64 b)
{
	return (a + b - 1) / b;
}

/*
 * SRAM: sram_partitions by address, each of sram_banks banks of LOOM_BANK_BYTES, interleaved. A unit takes elements
 * along one direction as many at a time as it works on; their distance says how many of them share a bank, and so how
 * many times as long it takes. Contiguous and repeated elements never share.
 */
static inline __u32 loom_bank_factor(const struct loom_target *t, __s64 stride)
{
	const __u64 all = (__u64)t->sram_banks * LOOM_BANK_BYTES;
	const __u64 s = stride < 0 ? 0 - (__u64)stride : (__u64)stride;
	const __u64 low = s & (0 - s); /* gcd of s and any larger power of two */
	const __u64 common = low < all ? low : all;

	return common > LOOM_BANK_BYTES ? (__u32)(common / LOOM_BANK_BYTES) : 1;
}

/*
 * The same for an operand of the array, which takes it along either of two directions: loads transpose at full rate.
 * Directions of one element are none.
 */
static inline __u32 loom_bank_factor2(const struct loom_target *t, __u64 n1, __s64 stride1, __u64 n2, __s64 stride2)
{
	const __u32 f1 = n1 > 1 ? loom_bank_factor(t, stride1) : ~0u;
	const __u32 f2 = n2 > 1 ? loom_bank_factor(t, stride2) : ~0u;
	const __u32 f = f1 < f2 ? f1 : f2;

	return f == ~0u ? 1 : f;
}

/* Cycles a row of this product occupies the array. */
static inline __u32 loom_mxu_row_cycles(const struct loom_target *t, __u32 type)
{
	return type == LOOM_MXU_F32 ? t->f32_div : type == LOOM_MXU_BF16 ? t->bf16_div : t->int8_div;
}

/* Products that the array can do in 64 cycles, for utilisation without fractions. */
static inline __u64 loom_mxu_peak64(const struct loom_target *t, __u32 type)
{
	return (__u64)t->rows * t->cols * 64 / loom_mxu_row_cycles(t, type);
}

/*
 * Weight-stationary array: for every outer repetition, ceil(K / R) x ceil(N / C) weight tiles; under each, one
 * row of A enters every row_cycles cycles. The next tile's weights load meanwhile, LOOM_T_WEIGHT_BYTES a cycle.
 * Fill and drain of R + C cycles happen once a record; finished columns leave the accumulators while the next
 * column tile is computed, so that only the last C columns' drain shows.
 */
static inline struct loom_cost loom_cost_mxu_dims(const struct loom_target *t, __u32 type, __u64 outer, __u64 m,
						   __u64 k, __u64 n, int drain)
{
	struct loom_cost c = { 0, 0, 0, 0 };
	const __u64 row = loom_mxu_row_cycles(t, type);
	const __u64 elem = type == LOOM_MXU_F32 ? 4 : type == LOOM_MXU_BF16 ? 2 : 1;
	const __u64 load = loom_ceil_div((__u64)t->rows * t->cols * elem, LOOM_T_WEIGHT_BYTES);
	const __u64 tile = m * row > load ? m * row : load;
	const __u64 tiles = outer * loom_ceil_div(k, t->rows) * loom_ceil_div(n, t->cols);
	const __u64 macs64 = outer * m * k * n * 64;

	c.busy = macs64 / loom_mxu_peak64(t, type);
	c.edge = tiles * tile > c.busy ? tiles * tile - c.busy : 0;
	c.fill = LOOM_T_RECORD + load + t->rows + t->cols;
	if (drain)
		c.fill += t->cols;
	return c;
}

/*
 * Depthwise mode: rows of the array are taps, columns are channels, and every PE takes its own element of a window
 * that slides along a row of the map. A pixel takes as many steps as columns enter the window: the stride, or the
 * whole width of the kernel if that is less. With fewer channels than columns, neighbouring pixels of a row fill
 * the array.
 */
static inline __u64 loom_mxu_dw_steps(const struct loom_target *t, __u64 oh, __u64 ow, __u64 kw, __u64 sx, __u64 n)
{
	const __u64 abreast = n < t->cols ? t->cols / n : 1;

	return oh * loom_ceil_div(ow, abreast) * (sx < kw ? sx : kw);
}

static inline struct loom_cost loom_cost_mxu_dw(const struct loom_target *t, __u32 type, __u64 outer, __u64 oh,
						 __u64 ow, __u64 kh, __u64 kw, __u64 sx, __u64 n, int drain)
{
	struct loom_cost c = { 0, 0, 0, 0 };
	const __u64 steps = loom_mxu_dw_steps(t, oh, ow, kw, sx, n);
	const __u64 row = loom_mxu_row_cycles(t, type);
	const __u64 elem = type == LOOM_MXU_F32 ? 4 : type == LOOM_MXU_BF16 ? 2 : 1;
	const __u64 load = loom_ceil_div((__u64)t->rows * t->cols * elem, LOOM_T_WEIGHT_BYTES);
	const __u64 tile = steps * row > load ? steps * row : load;
	const __u64 tiles = outer * loom_ceil_div(kh * kw, t->rows) * loom_ceil_div(n, t->cols);

	c.busy = outer * oh * ow * kh * kw * n * 64 / loom_mxu_peak64(t, type);
	c.edge = tiles * tile > c.busy ? tiles * tile - c.busy : 0;
	c.fill = LOOM_T_RECORD + load + t->rows + t->cols;
	if (drain)
		c.fill += t->cols;
	return c;
}

/*
 * Bank conflicts of a product. A paces the rows, B the loading of a weight tile, and each takes the longer of the two;
 * OUT and the residual are touched once a pixel and column tile.
 */
static inline __u64 loom_mxu_conflict(const struct loom_target *t, const struct loom_mxu *r, const struct loom_epi *e,
				      __u64 rows, __u64 tiles)
{
	const __u64 elem = r->type == LOOM_MXU_F32 ? 4 : r->type == LOOM_MXU_BF16 ? 2 : 1;
	const __u64 load = loom_ceil_div((__u64)t->rows * t->cols * elem, LOOM_T_WEIGHT_BYTES);
	const __u64 k = (__u64)r->kh * r->kw * r->kc;
	const __u64 a = rows * loom_bank_factor2(t, r->mode == LOOM_MXU_DW ? r->n : r->kc, r->a_sc, r->iw, r->a_sw);
	const __u64 b = load * loom_bank_factor2(t, k, r->b_sk, r->n, r->b_sn);
	__u64 c = tiles * ((a > b ? a : b) - (rows > load ? rows : load)) + b - load, once = 0;

	if (r->flags & LOOM_MXU_DRAIN)
		once += loom_bank_factor2(t, r->n, r->o_sn, r->ow, r->o_sx) - 1;
	if (e && e->residual != LOOM_EPI_NONE)
		once += loom_bank_factor2(t, r->n, e->r_sn, r->ow, e->r_sx) - 1;
	return c + once * r->outer[0] * r->outer[1] * r->oh * r->ow * loom_ceil_div(r->n, t->cols);
}

/* e: the record's epilogue, or NULL. */
static inline struct loom_cost loom_cost_mxu(const struct loom_target *t, const struct loom_mxu *r,
					     const struct loom_epi *e)
{
	const __u64 outer = (__u64)r->outer[0] * r->outer[1], pixels = (__u64)r->oh * r->ow;
	const __u64 k = (__u64)r->kh * r->kw * r->kc;
	const __u64 tiles = outer * loom_ceil_div(k, t->rows) * loom_ceil_div(r->n, t->cols);
	const __u32 row = loom_mxu_row_cycles(t, r->type);
	struct loom_cost c;

	if (r->mode == LOOM_MXU_DW) {
		c = loom_cost_mxu_dw(t, r->type, outer, r->oh, r->ow, r->kh, r->kw, r->sx, r->n,
				     r->flags & LOOM_MXU_DRAIN);
		c.conflict = loom_mxu_conflict(t, r, e, loom_mxu_dw_steps(t, r->oh, r->ow, r->kw, r->sx, r->n) * row, tiles);
	} else {
		c = loom_cost_mxu_dims(t, r->type, outer, pixels, k, r->n, r->flags & LOOM_MXU_DRAIN);
		c.conflict = loom_mxu_conflict(t, r, e, pixels * row, tiles);
	}
	return c;
}

/*
 * Every micro-operation takes one pass of the lanes over the elements, but: division, remainder, roots and elementary
 * functions take 8, those of two arguments 16, a look-up 2.
 */
static inline __u32 loom_uop_passes(__u32 op)
{
	switch (op) {
	case LOOM_UOP_FDIV:
	case LOOM_UOP_FREM:
	case LOOM_UOP_FSQRT:
	case LOOM_UOP_FRSQRT:
	case LOOM_UOP_IDIV:
	case LOOM_UOP_UDIV:
	case LOOM_UOP_IREM:
	case LOOM_UOP_UREM:
	case LOOM_UOP_EXP:
	case LOOM_UOP_EXPM1:
	case LOOM_UOP_LOG:
	case LOOM_UOP_LOG1P:
	case LOOM_UOP_TANH:
	case LOOM_UOP_LOGISTIC:
	case LOOM_UOP_ERF:
	case LOOM_UOP_SIN:
	case LOOM_UOP_COS:
	case LOOM_UOP_CBRT:
		return 8;
	case LOOM_UOP_ATAN2:
	case LOOM_UOP_POW:
		return 16;
	case LOOM_UOP_LUT8:
		return 2;
	default:
		return 1;
	}
}

static inline struct loom_cost loom_cost_vpu(const struct loom_target *t, __u64 elems, __u64 passes)
{
	struct loom_cost c = { 0, 0, 0, 0 };
	const __u64 whole = loom_ceil_div(elems, t->vpu_lanes) * passes;

	c.busy = elems * passes / t->vpu_lanes;
	c.edge = whole - c.busy;
	c.fill = LOOM_T_RECORD + passes;
	return c;
}

/*
 * A scan of groups of length elements. Its reducers take an element of each group a cycle, groups side by side on the
 * lanes: one after the other is their definition. The rest of the chain runs as in any record.
 */
static inline struct loom_cost loom_cost_vpu_scan(const struct loom_target *t, __u64 groups, __u64 length,
						   __u64 passes, __u64 reducers)
{
	struct loom_cost c = loom_cost_vpu(t, groups * length, passes);
	const __u64 pass = loom_ceil_div(groups * length, t->vpu_lanes);
	const __u64 serial = length * loom_ceil_div(groups, t->vpu_lanes);

	c.edge += (serial - pass) * reducers;
	return c;
}

/*
 * Bank conflicts of one view: lanes lie along the innermost dimension of the record that is not of length 1 (in a scan
 * the innermost that is not scanned). Elements that a view repeats count once.
 */
static inline __u64 loom_vpu_conflict(const struct loom_target *t, const struct loom_vpu *r, const struct loom_view *w)
{
	const __u8 scanned = r->mask & LOOM_VPU_SCAN ? r->mask : 0;
	__u64 elems = 1;
	int d, lane = -1;

	for (d = 0; d < 6; d++) {
		if (w->stride[d])
			elems *= r->n[d];
		if (r->n[d] > 1 && !(scanned >> d & 1))
			lane = d;
	}
	return lane < 0 ? 0 : loom_ceil_div(elems, t->vpu_lanes) * (loom_bank_factor(t, w->stride[lane]) - 1);
}

/* Sustained bandwidth of a memory class in bytes per 64 cycles. */
static inline __u64 loom_mem_bandwidth64(const struct loom_mem_class *m)
{
	const __u64 peak = (__u64)m->bytes_per_cycle * 64;
	const __u64 limit = m->latency ? (__u64)m->outstanding * LOOM_BURST_BYTES * 64 / m->latency : peak;

	return limit < peak ? limit : peak;
}

/* Bytes on the bus for len bytes at an address: whole bursts. */
static inline __u64 loom_burst_bytes(__u64 addr, __u64 len)
{
	const __u64 first = addr / LOOM_BURST_BYTES, last = (addr + len - 1) / LOOM_BURST_BYTES;

	return (last - first + 1) * LOOM_BURST_BYTES;
}

/*
 * Bytes on the bus for one memory side of a DMA record: every contiguous run moves whole bursts, where rows that
 * follow each other without a gap are one run. phase is the address of the first row mod 64. Rows are counted by
 * their address mod 64, of which strides make at most 64 different ones.
 */
static inline __u64 loom_dma_bus_bytes(__u32 phase, const __u32 n[4], const __s32 stride[4], __u64 inner)
{
	__u64 rows[64], next[64], bytes = 0, count;
	int d = 3, i, p, whole;

	while (d >= 0 && (n[d] == 1 || (__s64)stride[d] == (__s64)inner)) {
		inner *= n[d];
		d--;
	}
	for (i = 0, whole = 1, count = 1; i <= d; i++) {
		whole &= n[i] == 1 || stride[i] % 64 == 0;
		count *= n[i];
	}
	if (whole) /* all rows begin at the same address mod 64 */
		return count * loom_burst_bytes(phase % 64, inner);
	for (p = 0; p < 64; p++)
		rows[p] = p == (int)(phase % 64);
	for (; d >= 0; d--) {
		const __u32 step = (__u32)stride[d] % 64;

		for (p = 0; p < 64; p++) {
			if (!step)
				rows[p] *= n[d];
			next[p] = 0;
		}
		if (!step)
			continue;
		for (p = 0; p < 64; p++)
			for (i = 0; rows[p] && i < 64; i++)
				next[(p + i * step) % 64] += rows[p] * (n[d] / 64 + ((__u32)i < n[d] % 64));
		for (p = 0; p < 64; p++)
			rows[p] = next[p];
	}
	for (p = 0; p < 64; p++)
		bytes += rows[p] ? rows[p] * loom_burst_bytes((__u64)p, inner) : 0;
	return bytes;
}

/*
 * Bytes on the bus for the side of a gather or scatter that the index list names: every row by itself, and, so that
 * time does not depend on the indices, each at the worst place that the strides allow. Dropped rows count too.
 */
static inline __u64 loom_dma_indexed_bytes(__u32 phase, const __u32 n[4], const __s32 stride[4], __u64 inner)
{
	__u32 grain = LOOM_BURST_BYTES;
	__u64 rows = 1;
	int d;

	for (d = 0; d < 4; d++) {
		rows *= n[d];
		while ((n[d] > 1 || d == 3) && (__u32)stride[d] % grain)
			grain /= 2;
	}
	return rows * loom_burst_bytes(LOOM_BURST_BYTES - grain + phase % grain, inner);
}

/* Cycles in which a gather or scatter of n rows in its inner dimension fetches its index list. */
static inline __u64 loom_dma_index_cycles(__u32 n)
{
	return loom_ceil_div((__u64)n * 4, LOOM_BURST_BYTES);
}

/*
 * A DMA record: latency once, then the bytes on the bus at the class's bandwidth. useful and bus are the bytes
 * asked for and the bytes moved in whole bursts, both summed over its sides in memory; a record with both sides in
 * memory counts for the class of the lower bandwidth (of the source, if equal). SRAM to SRAM and fills of SRAM move
 * 64 bytes a cycle without latency, and there bus is useful.
 */
/*
 * Cycles that the SRAM side of a DMA record takes for its rows where they are shorter than all banks together: as many
 * rows a cycle as lie in different banks. A row that an index list names is alone: any may share its banks.
 */
static inline __u64 loom_dma_sram_cycles(const struct loom_target *t, const __u32 n[4], const __s32 stride[4],
					 __u64 inner, int indexed)
{
	__u64 rows = 1, banks = 1, factor = 1;
	int d = 3;

	while (d >= 0 && !indexed && (n[d] == 1 || (__s64)stride[d] == (__s64)inner)) {
		inner *= n[d];
		d--;
	}
	if (inner >= (__u64)t->sram_banks * LOOM_BANK_BYTES)
		return 0;
	if (d >= 0)
		factor = indexed ? t->sram_banks : loom_bank_factor(t, stride[d]);
	for (; d >= 0; d--)
		rows *= n[d];
	while (banks * LOOM_BANK_BYTES < inner)
		banks *= 2;
	return loom_ceil_div(rows * (banks > factor ? banks : factor), t->sram_banks);
}

static inline struct loom_cost loom_cost_dma(const struct loom_mem_class *m, __u64 useful, __u64 bus)
{
	struct loom_cost c = { 0, 0, 0, 0 };
	const __u64 bw = m ? loom_mem_bandwidth64(m) : 64 * 64;

	c.busy = useful * 64 / bw;
	c.edge = loom_ceil_div(bus * 64, bw) - c.busy;
	c.fill = LOOM_T_RECORD + (m ? m->latency : 0);
	return c;
}

/*
 * From the doorbell to the first record: the request, then the first LOOM_FETCH_AHEAD lines of code, always counted as
 * that many.
 */
static inline __u64 loom_job_start(const struct loom_target *t)
{
	return LOOM_T_JOB_START + t->mem[0].latency +
	       loom_ceil_div(LOOM_FETCH_AHEAD * LOOM_BURST_BYTES * 64, loom_mem_bandwidth64(&t->mem[0]));
}

#endif
