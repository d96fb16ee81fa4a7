// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Loads and stores of the vector unit: runs along the innermost dimension, converted from and to storage types. */
#include <string.h>
#include "loom_num.h"
#include "vpu.h"

static uint32_t load_one(const uint8_t *at, uint32_t dtype)
{
	uint32_t word;
	uint16_t half;

	switch (dtype) {
	case LOOM_F32:
	case LOOM_I32:
	case LOOM_U32:
		memcpy(&word, at, sizeof(word));
		return word;
	case LOOM_I8:
		return (uint32_t)(int8_t)*at;
	case LOOM_U8:
		return *at;
	case LOOM_I1:
		return *at != 0;
	}
	memcpy(&half, at, sizeof(half));
	switch (dtype) {
	case LOOM_BF16:
		return loom_num_from_bf16(half);
	case LOOM_F16:
		return loom_num_from_f16(half);
	case LOOM_I16:
		return (uint32_t)(int16_t)half;
	default:
		return half;
	}
}

/* With the type a constant in each case, the loops have no branch in them. */
#define LOAD_RUN(T)                                                                                                    \
	case T:                                                                                                        \
		for (uint32_t i = 0; i < n; i++)                                                                       \
			d[i] = load_one(at + i * step, T);                                                             \
		break;

static void load_run(const uint8_t *at, ptrdiff_t step, uint32_t dtype, uint32_t *d, uint32_t n)
{
	switch (dtype) {
	case LOOM_F32:
	case LOOM_I32:
	case LOOM_U32:
		if (step == 4) {
			memcpy(d, at, (size_t)n * 4);
			break;
		}
		for (uint32_t i = 0; i < n; i++)
			d[i] = load_one(at + i * step, LOOM_U32);
		break;
		LOAD_RUN(LOOM_BF16)
		LOAD_RUN(LOOM_F16)
		LOAD_RUN(LOOM_I16)
		LOAD_RUN(LOOM_U16)
		LOAD_RUN(LOOM_I8)
		LOAD_RUN(LOOM_U8)
		LOAD_RUN(LOOM_I1)
	}
}

void loom_vpu_store_one(uint8_t *at, uint32_t dtype, uint32_t value)
{
	uint16_t half;

	switch (dtype) {
	case LOOM_F32:
		value = loom_num_canonical(value);
		memcpy(at, &value, sizeof(value));
		return;
	case LOOM_I32:
	case LOOM_U32:
		memcpy(at, &value, sizeof(value));
		return;
	case LOOM_I8:
	case LOOM_U8:
		*at = (uint8_t)value;
		return;
	case LOOM_I1:
		*at = value != 0;
		return;
	case LOOM_BF16:
		half = loom_num_to_bf16(value);
		break;
	case LOOM_F16:
		half = loom_num_to_f16(value);
		break;
	default:
		half = (uint16_t)value;
		break;
	}
	memcpy(at, &half, sizeof(half));
}

#define STORE_RUN(T)                                                                                                   \
	case T:                                                                                                        \
		for (uint32_t i = 0; i < n; i++)                                                                       \
			loom_vpu_store_one(at + i * step, T, a[i]);                                                    \
		break;

static void store_run(uint8_t *at, ptrdiff_t step, uint32_t dtype, const uint32_t *a, uint32_t n)
{
	switch (dtype) {
	case LOOM_F32:
		if (step == 4) {
			for (uint32_t i = 0; i < n; i++)
				loom_vpu_store_one(at + i * 4, LOOM_F32, a[i]);
			break;
		}
		for (uint32_t i = 0; i < n; i++)
			loom_vpu_store_one(at + i * step, LOOM_F32, a[i]);
		break;
	case LOOM_I32:
	case LOOM_U32:
		if (step == 4) {
			memcpy(at, a, (size_t)n * 4);
			break;
		}
		for (uint32_t i = 0; i < n; i++)
			loom_vpu_store_one(at + i * step, LOOM_U32, a[i]);
		break;
		STORE_RUN(LOOM_BF16)
		STORE_RUN(LOOM_F16)
		STORE_RUN(LOOM_I16)
		STORE_RUN(LOOM_U16)
		STORE_RUN(LOOM_I8)
		STORE_RUN(LOOM_U8)
		STORE_RUN(LOOM_I1)
	}
}

void loom_vpu_load(struct loom_vpu_run *k, uint32_t view, uint32_t *d)
{
	const struct loom_view *w = &k->views[view];

	for (uint32_t i = 0; i < k->nruns; i++) {
		const struct loom_run *run = &k->runs[i];

		load_run(k->base[view] + run->offset[view], k->step[view], w->dtype, d + run->first, run->count);
	}
}

void loom_vpu_store(struct loom_vpu_run *k, uint32_t view, const uint32_t *a)
{
	const struct loom_view *w = &k->views[view];

	for (uint32_t i = 0; i < k->nruns; i++) {
		const struct loom_run *run = &k->runs[i];

		store_run(k->base[view] + run->offset[view], k->step[view], w->dtype, a + run->first,
			  run->count);
	}
}
