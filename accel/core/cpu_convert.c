// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Elements in memory as lanes and back, and conversions between types. This file computes with floats. */
#include "loom_num64.h"
#include "cpu_run.h"

static inline __u16 get16(const __u8 *at)
{
	__u16 v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline __u32 get32(const __u8 *at)
{
	__u32 v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline __u64 get64(const __u8 *at)
{
	__u64 v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline void put16(__u8 *at, __u16 v)
{
	memcpy(at, &v, sizeof(v));
}

static inline void put32(__u8 *at, __u32 v)
{
	memcpy(at, &v, sizeof(v));
}

static inline void put64(__u8 *at, __u64 v)
{
	memcpy(at, &v, sizeof(v));
}

/* Lanes and elements are apart. With the step a constant, the compiler makes vectors of it. */
#define LOAD(bytes, lanes, expr)                                                                                       \
	do {                                                                                                           \
		__typeof__(d->lanes[0]) *const to = &d->lanes[lane];                                                   \
		if (step == (bytes)) {                                                                                 \
			LOOM_CPU_VECTORISE                                                                             \
			for (__u64 i = 0; i < n; i++) {                                                                \
				const __u8 *p = at + i * (bytes);                                                      \
				to[i] = (expr);                                                                        \
			}                                                                                              \
		} else {                                                                                               \
			for (__u32 i = 0; i < n; i++) {                                                                \
				const __u8 *p = at + (__s64)i * step;                                                  \
				to[i] = (expr);                                                                        \
			}                                                                                              \
		}                                                                                                      \
	} while (0)

void loom_cpu_load_run(const __u8 *at, __s64 step, __u32 dtype, union loom_cpu_reg *d, __u32 lane, __u32 n)
{
	switch (dtype) {
	case LOOM_F32:
	case LOOM_I32:
	case LOOM_U32:
		LOAD(4, w, get32(p));
		break;
	case LOOM_BF16:
		LOAD(2, w, loom_num_from_bf16(get16(p)));
		break;
	case LOOM_F16:
		LOAD(2, w, loom_num_from_f16(get16(p)));
		break;
	case LOOM_I16:
		LOAD(2, w, (__u32)(__s16)get16(p));
		break;
	case LOOM_U16:
		LOAD(2, w, get16(p));
		break;
	case LOOM_I8:
		LOAD(1, w, (__u32)(__s8)*p);
		break;
	case LOOM_U8:
		LOAD(1, w, *p);
		break;
	case LOOM_I1:
		LOAD(1, w, *p != 0);
		break;
	default:
		LOAD(8, d, get64(p));
		break;
	}
}

#define STORE(bytes, lanes, statement)                                                                                 \
	do {                                                                                                           \
		const __typeof__(a->lanes[0]) *const from = &a->lanes[lane];                                           \
		if (step == (bytes)) {                                                                                 \
			LOOM_CPU_VECTORISE                                                                             \
			for (__u64 i = 0; i < n; i++) {                                                                \
				__u8 *p = at + i * (bytes);                                                            \
				statement;                                                                             \
			}                                                                                              \
		} else {                                                                                               \
			for (__u32 i = 0; i < n; i++) {                                                                \
				__u8 *p = at + (__s64)i * step;                                                        \
				statement;                                                                             \
			}                                                                                              \
		}                                                                                                      \
	} while (0)

#define VALUE (from[i])

void loom_cpu_store_run(__u8 *at, __s64 step, __u32 dtype, const union loom_cpu_reg *a, __u32 lane, __u32 n)
{
	switch (dtype) {
	case LOOM_F32:
		STORE(4, w, put32(p, loom_num_canonical(VALUE)));
		break;
	case LOOM_I32:
	case LOOM_U32:
		STORE(4, w, put32(p, VALUE));
		break;
	case LOOM_BF16:
		STORE(2, w, put16(p, loom_num_to_bf16(VALUE)));
		break;
	case LOOM_F16:
		STORE(2, w, put16(p, loom_num_to_f16(VALUE)));
		break;
	case LOOM_I16:
	case LOOM_U16:
		STORE(2, w, put16(p, (__u16)VALUE));
		break;
	case LOOM_I8:
	case LOOM_U8:
		STORE(1, w, *p = (__u8)VALUE);
		break;
	case LOOM_I1:
		STORE(1, w, *p = VALUE != 0);
		break;
	case LOOM_F64:
		STORE(8, d, put64(p, loom_num_canonical64(VALUE)));
		break;
	default:
		STORE(8, d, put64(p, VALUE));
		break;
	}
}

/* ---- conversions --------------------------------------------------------------------------------------- */

/* A float saturates at the limits of the type it becomes. */
static __u32 narrow_from_f64(__u32 to, __u64 a)
{
	static const __s64 lo[] = { -0x80000000ll, 0, -0x8000, 0, -0x80, 0 };
	static const __s64 hi[] = { 0x7fffffff, 0xffffffffll, 0x7fff, 0xffff, 0x7f, 0xff };
	const __s64 v = (__s64)loom_num_f64_to_i64(a);
	const __u32 t = to - LOOM_I32;

	return (__u32)(v < lo[t] ? lo[t] : v > hi[t] ? hi[t] : v);
}

/* An integer wraps. */
static __u32 narrow_integer(__u32 to, __u64 a)
{
	switch (to) {
	case LOOM_I16:
		return (__u32)(__s16)a;
	case LOOM_U16:
		return (__u16)a;
	case LOOM_I8:
		return (__u32)(__s8)a;
	case LOOM_U8:
		return (__u8)a;
	default:
		return (__u32)a;
	}
}

static __u32 round_to(__u32 to, __u32 a)
{
	switch (to) {
	case LOOM_BF16:
		return loom_num_from_bf16(loom_num_to_bf16(a));
	case LOOM_F16:
		return loom_num_from_f16(loom_num_to_f16(a));
	default:
		return loom_num_canonical(a);
	}
}

static __u64 from_f64(__u32 to, __u64 a)
{
	switch (to) {
	case LOOM_F32:
		return loom_num_f64_to_f32(a);
	case LOOM_BF16:
	case LOOM_F16:
		return round_to(to, loom_num_f64_to_odd(a));
	case LOOM_I1:
		return a << 1 != 0;
	case LOOM_F64:
		return loom_num_canonical64(a);
	case LOOM_I64:
		return loom_num_f64_to_i64(a);
	case LOOM_U64:
		return loom_num_f64_to_u64(a);
	default:
		return narrow_from_f64(to, a);
	}
}

/* From an integer type, extended to 64 bits by its sign. */
static __u64 from_integer(__u32 to, __u64 a, bool is_u64)
{
	switch (to) {
	case LOOM_F32:
	case LOOM_BF16:
	case LOOM_F16:
		return round_to(to, is_u64 ? loom_num_u64_to_f32(a) : loom_num_i64_to_f32(a));
	case LOOM_F64:
		return is_u64 ? loom_num_u64_to_f64(a) : loom_num_i64_to_f64(a);
	case LOOM_I64:
	case LOOM_U64:
		return a;
	case LOOM_I1:
		return a != 0;
	default:
		return narrow_integer(to, a);
	}
}

static __u64 converted(__u32 from, __u32 to, const union loom_cpu_reg *a, __u32 i)
{
	switch (from) {
	case LOOM_F32:
	case LOOM_BF16:
	case LOOM_F16:
		return to <= LOOM_F16 ? round_to(to, a->w[i]) : from_f64(to, loom_num_f32_to_f64(a->w[i]));
	case LOOM_F64:
		return from_f64(to, a->d[i]);
	case LOOM_I64:
	case LOOM_U64:
		return from_integer(to, a->d[i], from == LOOM_U64);
	case LOOM_I32:
	case LOOM_I16:
	case LOOM_I8:
		return from_integer(to, (__u64)(__s32)a->w[i], false);
	default:
		return from_integer(to, a->w[i], false);
	}
}

/* Pairs that programs are full of, without a decision in the loop; false for the others. The bits are those below. */
#define EACH(expr)                                                                                                     \
	do {                                                                                                           \
		LOOM_CPU_VECTORISE                                                                                     \
		for (__u32 i = 0; i < n; i++)                                                                          \
			d->w[i] = (expr);                                                                              \
		return true;                                                                                           \
	} while (0)

static bool convert_float(__u32 to, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 n)
{
	switch (to) {
	case LOOM_F32:
		EACH(loom_num_canonical(a->w[i]));
	case LOOM_BF16:
		EACH(loom_num_from_bf16(loom_num_to_bf16(a->w[i])));
	case LOOM_F16:
		EACH(loom_num_from_f16(loom_num_to_f16(a->w[i])));
	case LOOM_I32:
		EACH((__u32)loom_num_to_i32(a->w[i]));
	case LOOM_I1:
		EACH(a->w[i] << 1 != 0);
	default:
		return false;
	}
}

static bool convert_integer(__u32 to, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 n, bool is_u32)
{
	switch (to) {
	case LOOM_F32:
		if (is_u32)
			return false;
		EACH(loom_num_from_i32((__s32)a->w[i]));
	case LOOM_I32:
	case LOOM_U32:
		EACH(a->w[i]);
	case LOOM_I16:
		EACH((__u32)(__s16)a->w[i]);
	case LOOM_U16:
		EACH((__u16)a->w[i]);
	case LOOM_I8:
		EACH((__u32)(__s8)a->w[i]);
	case LOOM_U8:
		EACH((__u8)a->w[i]);
	case LOOM_I1:
		EACH(a->w[i] != 0);
	default:
		return false;
	}
}

void loom_cpu_convert(__u32 from, __u32 to, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 n)
{
	if (from <= LOOM_F16 && convert_float(to, d, a, n))
		return;
	if (loom_cpu_form(from) == LOOM_CPU_FORM_I32 && convert_integer(to, d, a, n, from == LOOM_U32))
		return;
	/* Lanes that become wider go from the last on, so that d may be a. */
	if (loom_cpu_is_wide(to))
		for (__u32 i = n; i-- > 0;)
			d->d[i] = converted(from, to, a, i);
	else
		for (__u32 i = 0; i < n; i++)
			d->w[i] = (__u32)converted(from, to, a, i);
}
