/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Elements of the storage types, and the 32-bit lanes that the vector unit and the epilogue make of them. */
#ifndef LOOM_STORAGE_H
#define LOOM_STORAGE_H

#include <string.h>
#include "loom_isa.h"
#include "loom_num.h"

/* One element of a storage type as a 32-bit lane. */
static inline uint32_t loom_load_one(const uint8_t *at, uint32_t dtype)
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

/* One lane as an element of a storage type. */
static inline void loom_store_one(uint8_t *at, uint32_t dtype, uint32_t value)
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

#endif
