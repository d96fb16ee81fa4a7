/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What the checks of MXU and VPU records share: refusals, and the span of bytes that an operand covers. */
#ifndef LOOM_UNIT_CHECK_H
#define LOOM_UNIT_CHECK_H

#include "exec.h"

static inline int loom_unit_refuse(struct loom_refusal *why, int fault)
{
	*why = (struct loom_refusal){ .fault = fault };
	return fault;
}

static inline int loom_unit_refuse_memory(struct loom_refusal *why, int fault, int64_t offset, uint64_t limit)
{
	*why = (struct loom_refusal){ .fault = fault, .slot = LOOM_SLOT_SRAM, .offset = offset, .limit = limit };
	return fault;
}

static inline bool loom_feature(const struct loom_exec *x, enum loom_feature f)
{
	return x->target->features >> f & 1;
}

/* First and last byte address of an operand, before its element size is added. */
struct loom_span {
	int64_t lo, hi;
	bool odd; /* some element is not aligned */
	uint32_t elem; /* alignment in bytes, a power of two */
};

#define LOOM_SPAN_LIMIT (1ll << 60) /* base registers beyond this count as this: far outside either way */

static inline int64_t loom_unit_address(uint32_t field, int64_t base)
{
	if (base > LOOM_SPAN_LIMIT)
		base = LOOM_SPAN_LIMIT;
	if (base < -LOOM_SPAN_LIMIT)
		base = -LOOM_SPAN_LIMIT;
	return base + field;
}

static inline struct loom_span loom_span_begin(uint32_t field, int64_t base, uint32_t elem)
{
	const int64_t at = loom_unit_address(field, base);

	return (struct loom_span){ .lo = at, .hi = at, .odd = (at & (elem - 1)) != 0, .elem = elem };
}

/* Widens the span by indices first to last of a dimension; a stride that is never used is not looked at. */
static inline void loom_span_index(struct loom_span *s, int64_t stride, int64_t first, int64_t last)
{
	s->lo += stride < 0 ? stride * last : stride * first;
	s->hi += stride < 0 ? stride * first : stride * last;
	if (last > 0 && (stride & (s->elem - 1)))
		s->odd = true;
}

static inline void loom_span_dim(struct loom_span *s, int64_t stride, int64_t count)
{
	loom_span_index(s, stride, 0, count - 1);
}

/* Refuses a span of elements of len bytes that leaves SRAM or is not aligned. */
static inline int loom_span_check(const struct loom_exec *x, const struct loom_span *s, uint32_t len,
				  struct loom_refusal *why)
{
	const int64_t bytes = x->target->sram_bytes;

	if (s->odd)
		return loom_unit_refuse_memory(why, LOOM_FAULT_ALIGN, s->lo, (uint64_t)bytes);
	if (s->lo < 0)
		return loom_unit_refuse_memory(why, LOOM_FAULT_SRAM_BOUNDS, s->lo, (uint64_t)bytes);
	if (s->hi + len > bytes)
		return loom_unit_refuse_memory(why, LOOM_FAULT_SRAM_BOUNDS, s->lo > bytes ? s->lo : bytes, (uint64_t)bytes);
	return LOOM_FAULT_NONE;
}

static inline bool loom_dtype_float(uint32_t dtype)
{
	return dtype <= LOOM_F16;
}

#endif
