/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The cost function: stand-alone time of one record on a target. Shared by the model and the compiler, and the
 * only statement of it in code; docs/hardware.md states the same in prose. Integers only, freestanding.
 */
#ifndef LOOM_TIMING_H
#define LOOM_TIMING_H

#include "loom_isa.h"
#include "loom_target.h"

#define LOOM_T_JOB_START 64u /* doorbell to first dispatch */
#define LOOM_T_JOB_END 32u /* HALT to completion */
#define LOOM_T_SEQ 1u /* one scalar record, or the dispatch of one record */
#define LOOM_T_SEM 2u /* signal to the wait it satisfies */
#define LOOM_T_RECORD 16u /* start-up of a record in any queue but SEQ */
#define LOOM_T_WEIGHT_BYTES 64u /* bytes of B the array loads a cycle */

struct loom_cost {
	__u64 busy; /* cycles at full rate on real work, rounded down to whole tiles' share */
	__u64 edge; /* cycles on padding of partial tiles, vectors and bursts */
	__u64 fill; /* start-up, fill, drain, latency */
};

static inline __u64 loom_ceil_div(__u64 a, __u64 b)
{
	return (a + b - 1) / b;
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
	struct loom_cost c;
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
static inline struct loom_cost loom_cost_mxu_dw(const struct loom_target *t, __u32 type, __u64 outer, __u64 oh,
						 __u64 ow, __u64 kh, __u64 kw, __u64 sx, __u64 n, int drain)
{
	struct loom_cost c;
	const __u64 abreast = n < t->cols ? t->cols / n : 1;
	const __u64 steps = oh * loom_ceil_div(ow, abreast) * (sx < kw ? sx : kw);
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

static inline struct loom_cost loom_cost_mxu(const struct loom_target *t, const struct loom_mxu *r)
{
	if (r->mode == LOOM_MXU_DW)
		return loom_cost_mxu_dw(t, r->type, (__u64)r->outer[0] * r->outer[1], r->oh, r->ow, r->kh, r->kw,
					r->sx, r->n, r->flags & LOOM_MXU_DRAIN);
	return loom_cost_mxu_dims(t, r->type, (__u64)r->outer[0] * r->outer[1], (__u64)r->oh * r->ow,
				  (__u64)r->kh * r->kw * r->kc, r->n, r->flags & LOOM_MXU_DRAIN);
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
	struct loom_cost c;
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
static inline struct loom_cost loom_cost_dma(const struct loom_mem_class *m, __u64 useful, __u64 bus)
{
	struct loom_cost c;
	const __u64 bw = m ? loom_mem_bandwidth64(m) : 64 * 64;

	c.busy = useful * 64 / bw;
	c.edge = loom_ceil_div(bus * 64, bw) - c.busy;
	c.fill = LOOM_T_RECORD + (m ? m->latency : 0);
	return c;
}

#endif
