/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Elements in SRAM as lanes of 32 bits and back, for each table of kernels: the same C in all, which the compiler
 * vectorises.
 */
#ifndef LOOM_KERNELS_MEM_H
#define LOOM_KERNELS_MEM_H

#include "storage.h"
#include "vpu.h"

/*
 * With type and step constants in the common case, the loops have no branch in them. SRAM and lanes are apart.
 */
#define LOAD_RUN(T, bytes)                                                                                             \
	case T:                                                                                                        \
		if (step == (bytes)) {                                                                                 \
			LOOM_VECTORISE                                                                                 \
			for (uint32_t i = 0; i < n; i++)                                                               \
				d[i] = loom_load_one(at + (size_t)i * (bytes), T);                                     \
		} else if (!step) {                                                                                    \
			const uint32_t value = n ? loom_load_one(at, T) : 0;                                           \
                                                                                                                       \
			for (uint32_t i = 0; i < n; i++)                                                               \
				d[i] = value;                                                                          \
		} else {                                                                                               \
			for (uint32_t i = 0; i < n; i++)                                                               \
				d[i] = loom_load_one(at + (ptrdiff_t)i * step, T);                                     \
		}                                                                                                      \
		break;

static void load_run(const uint8_t *at, ptrdiff_t step, uint32_t dtype, uint32_t *d, uint32_t n)
{
	switch (dtype) {
		LOAD_RUN(LOOM_F32, 4)
		LOAD_RUN(LOOM_I32, 4)
		LOAD_RUN(LOOM_U32, 4)
		LOAD_RUN(LOOM_BF16, 2)
		LOAD_RUN(LOOM_F16, 2)
		LOAD_RUN(LOOM_I16, 2)
		LOAD_RUN(LOOM_U16, 2)
		LOAD_RUN(LOOM_I8, 1)
		LOAD_RUN(LOOM_U8, 1)
		LOAD_RUN(LOOM_I1, 1)
	}
}

#define STORE_RUN(T, bytes)                                                                                            \
	case T:                                                                                                        \
		if (step == (bytes)) {                                                                                 \
			LOOM_VECTORISE                                                                                 \
			for (uint32_t i = 0; i < n; i++)                                                               \
				loom_store_one(at + (size_t)i * (bytes), T, a[i]);                                     \
		} else {                                                                                               \
			for (uint32_t i = 0; i < n; i++)                                                               \
				loom_store_one(at + (ptrdiff_t)i * step, T, a[i]);                                     \
		}                                                                                                      \
		break;

static void store_run(uint8_t *at, ptrdiff_t step, uint32_t dtype, const uint32_t *a, uint32_t n)
{
	switch (dtype) {
		STORE_RUN(LOOM_F32, 4)
		STORE_RUN(LOOM_I32, 4)
		STORE_RUN(LOOM_U32, 4)
		STORE_RUN(LOOM_BF16, 2)
		STORE_RUN(LOOM_F16, 2)
		STORE_RUN(LOOM_I16, 2)
		STORE_RUN(LOOM_U16, 2)
		STORE_RUN(LOOM_I8, 1)
		STORE_RUN(LOOM_U8, 1)
		STORE_RUN(LOOM_I1, 1)
	}
}

#undef LOAD_RUN
#undef STORE_RUN

#endif
