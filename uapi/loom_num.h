/* SPDX-License-Identifier: MIT */
/*
 * The numeric contract of Loom, executable. The model, the CPU engine and the compiler's constant folder all
 * include it, so that a value never depends on who computed it.
 *
 * Values are passed as their bits: __u32 for f32 and 32-bit integers, __u16 for bf16 and f16. Rules:
 *  - binary32 arithmetic is IEEE 754, round to nearest even, with subnormals; nothing is flushed to zero.
 *  - An operation whose result is a NaN yields the canonical one, whatever its operands: LOOM_NUM_NAN. Negation,
 *    absolute value and sign are operations, so -NaN is the canonical NaN too. Moves and bit operations keep bits.
 *  - Comparisons with a NaN are false, but for "not equal". minimum and maximum: a NaN wins; -0 < +0.
 *  - Integers wrap modulo 2^32. Conversions from float saturate.
 *
 * Freestanding: no libc, no libm, no global. Needs SSE2 arithmetic (on 32-bit x86 -msse2 -mfpmath=sse) and
 * -ffp-contract=off. In the kernel only translation units with CC_FLAGS_FPU may include it.
 */
#ifndef LOOM_NUM_H
#define LOOM_NUM_H

#include <linux/types.h>

/* sparse, which only reads, knows neither of these. */
#if !defined(__SSE2__) && !defined(__CHECKER__)
#error "loom_num.h needs SSE2: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
#if (!defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ != 0) && !defined(__CHECKER__)
#error "loom_num.h needs float arithmetic in float: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
#if defined(__FAST_MATH__)
#error "loom_num.h needs IEEE arithmetic: compile without -ffast-math"
#endif

#define LOOM_NUM_NAN 0x7fc00000u /* the f32 NaN that every operation yields */
#define LOOM_NUM_NAN_BF16 0x7fc0u
#define LOOM_NUM_NAN_F16 0x7e00u
#define LOOM_NUM_INF 0x7f800000u
#define LOOM_NUM_ONE 0x3f800000u
#define LOOM_NUM_SIGN 0x80000000u

/* ---- bits ---------------------------------------------------------------------------------------------- */

static inline float loom_num_float(__u32 bits)
{
	float f;

	__builtin_memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline __u32 loom_num_bits(float f)
{
	__u32 bits;

	__builtin_memcpy(&bits, &f, sizeof(bits));
	return bits;
}

/* cond ? x : y by bits: for the conditional operator compilers branch, or load what they pick alone. */
static inline __u32 loom_num_pick(int cond, __u32 x, __u32 y)
{
	const __u32 mask = 0u - (__u32)cond;

	return (x & mask) | (y & ~mask);
}

static inline int loom_num_isnan(__u32 a)
{
	return (a & ~LOOM_NUM_SIGN) > LOOM_NUM_INF;
}

static inline __u32 loom_num_isfinite(__u32 a)
{
	return (a & ~LOOM_NUM_SIGN) < LOOM_NUM_INF;
}

static inline __u32 loom_num_canonical(__u32 a)
{
	return loom_num_isnan(a) ? LOOM_NUM_NAN : a;
}

/* The bits of a result, canonical. */
static inline __u32 loom_num_result(float f)
{
	return loom_num_canonical(loom_num_bits(f));
}

/* ---- f32 arithmetic ------------------------------------------------------------------------------------ */

static inline __u32 loom_num_add(__u32 a, __u32 b)
{
	return loom_num_result(loom_num_float(a) + loom_num_float(b));
}

static inline __u32 loom_num_sub(__u32 a, __u32 b)
{
	return loom_num_result(loom_num_float(a) - loom_num_float(b));
}

static inline __u32 loom_num_mul(__u32 a, __u32 b)
{
	return loom_num_result(loom_num_float(a) * loom_num_float(b));
}

static inline __u32 loom_num_div(__u32 a, __u32 b)
{
	return loom_num_result(loom_num_float(a) / loom_num_float(b));
}

/*
 * a * b + c with one rounding. Without the instruction: the product of two f32 is exact in a double; TwoSum
 * gives the sum and its error; where there is an error, the sum is rounded to odd, and 53 bits rounded to odd
 * round to 24 or fewer as the exact sum does. Neither product nor sum leaves the normal range of a double
 * except to zero, so subnormal results are right as well.
 */
static inline float loom_num_fma_soft(float a, float b, float c)
{
	const double p = (double)a * (double)b;
	const double d = (double)c;
	const double s = p + d;
	const double t = s - p;
	const double e = (p - (s - t)) + (d - t);
	double r = s;
	__u64 bits, ebits;

	__builtin_memcpy(&bits, &s, sizeof(bits));
	__builtin_memcpy(&ebits, &e, sizeof(ebits));
	if ((bits & 0x7ff0000000000000ull) == 0x7ff0000000000000ull)
		return (float)s; /* infinite or NaN: the error means nothing */
	if ((ebits << 1) != 0 && !(bits & 1)) {
		/* Magnitude grows if the error has the sum's sign, shrinks otherwise; either neighbour is odd. */
		bits += ((bits ^ ebits) >> 63) ? ~0ull : 1ull;
		__builtin_memcpy(&r, &bits, sizeof(r));
	}
	return (float)r;
}

static inline float loom_num_fmaf(float a, float b, float c)
{
#ifdef __FMA__
	__asm__("vfmadd231ss %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
	return c;
#else
	return loom_num_fma_soft(a, b, c);
#endif
}

static inline __u32 loom_num_fma(__u32 a, __u32 b, __u32 c)
{
	return loom_num_result(loom_num_fmaf(loom_num_float(a), loom_num_float(b), loom_num_float(c)));
}

static inline float loom_num_sqrtf(float a)
{
#ifdef __NO_MATH_ERRNO__
	return __builtin_sqrtf(a); /* never a call, and several lanes at once */
#else
	float r;

	__asm__("sqrtss %1, %0" : "=x"(r) : "x"(a));
	return r;
#endif
}

static inline __u32 loom_num_sqrt(__u32 a)
{
	return loom_num_result(loom_num_sqrtf(loom_num_float(a)));
}

/* Two roundings: the root's, then the quotient's. */
static inline __u32 loom_num_rsqrt(__u32 a)
{
	return loom_num_result(1.0f / loom_num_sqrtf(loom_num_float(a)));
}

static inline __u32 loom_num_neg(__u32 a)
{
	return loom_num_canonical(a ^ LOOM_NUM_SIGN);
}

static inline __u32 loom_num_abs(__u32 a)
{
	return loom_num_canonical(a & ~LOOM_NUM_SIGN);
}

/* -1, -0, +0, 1 or NaN. */
static inline __u32 loom_num_sign(__u32 a)
{
	const __u32 mag = a & ~LOOM_NUM_SIGN;

	return loom_num_canonical(mag == 0 || mag > LOOM_NUM_INF ? a : (a & LOOM_NUM_SIGN) | LOOM_NUM_ONE);
}

/* Monotonic in the order -inf .. -0 +0 .. +inf, as a signed integer. */
static inline __s32 loom_num_key(__u32 a)
{
	return (__s32)(a ^ ((__u32)((__s32)a >> 31) >> 1));
}

static inline __u32 loom_num_min(__u32 a, __u32 b)
{
	const __u32 m = loom_num_key(a) < loom_num_key(b) ? a : b;

	return loom_num_isnan(a) | loom_num_isnan(b) ? LOOM_NUM_NAN : m;
}

static inline __u32 loom_num_max(__u32 a, __u32 b)
{
	const __u32 m = loom_num_key(a) > loom_num_key(b) ? a : b;

	return loom_num_isnan(a) | loom_num_isnan(b) ? LOOM_NUM_NAN : m;
}

static inline __u32 loom_num_clamp(__u32 a, __u32 lo, __u32 hi)
{
	return loom_num_min(loom_num_max(a, lo), hi);
}

static inline __u32 loom_num_eq(__u32 a, __u32 b)
{
	return loom_num_float(a) == loom_num_float(b);
}

static inline __u32 loom_num_ne(__u32 a, __u32 b)
{
	return loom_num_float(a) != loom_num_float(b);
}

static inline __u32 loom_num_lt(__u32 a, __u32 b)
{
	return loom_num_float(a) < loom_num_float(b);
}

static inline __u32 loom_num_le(__u32 a, __u32 b)
{
	return loom_num_float(a) <= loom_num_float(b);
}

/*
 * Remainder of a / b with a's sign, exact: a - b * trunc(a / b). NaN if a is infinite or b zero; a if b is
 * infinite; a zero result has a's sign. Long division by bits, at most 277 steps.
 */
static inline __u32 loom_num_rem(__u32 a, __u32 b)
{
	const __u32 sign = a & LOOM_NUM_SIGN;
	const __u32 ua = a ^ sign, ub = b & ~LOOM_NUM_SIGN;
	__u32 ma, mb;
	int ea, eb, shift;

	if (ua >= LOOM_NUM_INF || ub > LOOM_NUM_INF || ub == 0)
		return LOOM_NUM_NAN;
	if (ua < ub)
		return a;
	/* Mantissas with bit 23 set; the exponents of subnormals go below 1. */
	ea = (int)(ua >> 23);
	eb = (int)(ub >> 23);
	shift = ea ? 0 : __builtin_clz(ua) - 8;
	ma = ea ? (ua & 0x7fffffu) | 0x800000u : ua << shift;
	ea = ea ? ea : 1 - shift;
	shift = eb ? 0 : __builtin_clz(ub) - 8;
	mb = eb ? (ub & 0x7fffffu) | 0x800000u : ub << shift;
	eb = eb ? eb : 1 - shift;
	for (; ea > eb; ea--) {
		ma -= ma >= mb ? mb : 0;
		ma <<= 1;
	}
	ma -= ma >= mb ? mb : 0;
	if (ma == 0)
		return sign;
	shift = __builtin_clz(ma) - 8;
	ma <<= shift;
	eb -= shift;
	if (eb < 1) /* a subnormal; the remainder is a multiple of the smallest one, so nothing is lost */
		return sign | ma >> (1 - eb);
	return sign | (__u32)eb << 23 | (ma & 0x7fffffu);
}

/* ---- rounding to integral values ----------------------------------------------------------------------- */

enum loom_num_rounding {
	LOOM_NUM_TRUNC = 0,
	LOOM_NUM_FLOOR = 1,
	LOOM_NUM_CEIL = 2,
	LOOM_NUM_RNE = 3, /* nearest, ties to even */
	LOOM_NUM_RAZ = 4, /* nearest, ties away from zero */
};

/* A zero result keeps a's sign. */
static inline __u32 loom_num_round(__u32 a, enum loom_num_rounding how)
{
	const __u32 sign = a & LOOM_NUM_SIGN, mag = a ^ sign;
	const int exp = (int)(mag >> 23) - 127; /* of the value */
	__u32 frac, keep, half, up;

	if (exp >= 23)
		return loom_num_canonical(a);
	if (mag == 0)
		return a;
	if (exp < 0) { /* below 1 */
		switch (how) {
		case LOOM_NUM_FLOOR:
			up = sign != 0;
			break;
		case LOOM_NUM_CEIL:
			up = sign == 0;
			break;
		case LOOM_NUM_RNE:
			up = mag > 0x3f000000u;
			break;
		case LOOM_NUM_RAZ:
			up = mag >= 0x3f000000u;
			break;
		default:
			up = 0;
			break;
		}
		return up ? sign | LOOM_NUM_ONE : sign;
	}
	keep = 0x7fffffu >> exp; /* the bits below one */
	frac = mag & keep;
	half = (keep + 1) >> 1;
	switch (how) {
	case LOOM_NUM_FLOOR:
		up = sign != 0 && frac != 0;
		break;
	case LOOM_NUM_CEIL:
		up = sign == 0 && frac != 0;
		break;
	case LOOM_NUM_RNE: /* the bit of one, or for exp = 0 the implicit bit, is the last place */
		up = frac > half || (frac == half && (exp == 0 || (mag & (keep + 1)) != 0));
		break;
	case LOOM_NUM_RAZ:
		up = frac >= half;
		break;
	default:
		up = 0;
		break;
	}
	return sign | ((mag & ~keep) + (up ? keep + 1 : 0)); /* a carry into the exponent is right */
}

/* ---- storage types ------------------------------------------------------------------------------------- */

static inline __u16 loom_num_to_bf16(__u32 a)
{
	const __u32 r = (a + 0x7fffu + (a >> 16 & 1)) >> 16;

	return (__u16)(loom_num_isnan(a) ? LOOM_NUM_NAN_BF16 : r);
}

static inline __u32 loom_num_from_bf16(__u16 h)
{
	return loom_num_canonical((__u32)h << 16);
}

/* Round to nearest even; overflow gives an infinity, underflow subnormals of f16. */
static inline __u16 loom_num_to_f16(__u32 a)
{
	const __u32 sign = a >> 16 & 0x8000u, mag = a & ~LOOM_NUM_SIGN;
	__u32 r;

	if (mag > LOOM_NUM_INF)
		return LOOM_NUM_NAN_F16;
	if (mag >= 0x477ff000u) /* 65520 and above round to infinity */
		r = 0x7c00u;
	else if (mag >= 0x38800000u) /* normal in f16 */
		r = (mag - 0x38000000u + 0xfffu + (mag >> 13 & 1)) >> 13;
	else /* 0.5 has the weight of f16's last place in its last place: the adder rounds */
		r = loom_num_bits(loom_num_float(mag) + 0.5f) - 0x3f000000u;
	return (__u16)(sign | r);
}

static inline __u32 loom_num_from_f16(__u16 h)
{
	const __u32 sign = (__u32)(h & 0x8000u) << 16, mag = h & 0x7fffu;

	if (mag > 0x7c00u)
		return LOOM_NUM_NAN;
	if (mag == 0x7c00u)
		return sign | LOOM_NUM_INF;
	if (mag >= 0x400u)
		return sign | ((mag << 13) + 0x38000000u);
	return sign | loom_num_bits((float)(__s32)mag * 0x1p-24f);
}

/*
 * a rounded to a format of e exponent bits (1 to 8) and m mantissa bits (0 to 23), kept in f32: the mantissa
 * rounds to nearest, ties to an even last bit (for m = 0 that is the last bit of the exponent field). Then, if
 * e < 8, what is too large becomes infinite, and what is below the format's smallest normal number becomes zero
 * of the same sign. Values of e and m outside their ranges count as the nearest in it.
 */
static inline __u32 loom_num_reduce_precision(__u32 a, __u32 e, __u32 m)
{
	const __u32 sign = a & LOOM_NUM_SIGN;
	__u32 mag = a ^ sign;

	e = e < 1 ? 1 : e > 8 ? 8 : e;
	if (mag > LOOM_NUM_INF)
		return LOOM_NUM_NAN;
	if (m < 23) {
		const __u32 drop = 23 - m, last = 1u << drop;

		mag = (mag + (last >> 1) - 1 + (mag >> drop & 1)) & ~(last - 1);
	}
	if (e < 8) {
		const __u32 bias = (1u << (e - 1)) - 1;

		if (mag >> 23 > 127 + bias)
			mag = LOOM_NUM_INF;
		else if (mag >> 23 <= 127 - bias)
			mag = 0;
	}
	return sign | mag;
}

/* ---- conversions between f32 and integers -------------------------------------------------------------- */

/* Toward zero, saturating; NaN gives 0. */
static inline __s32 loom_num_to_i32(__u32 a)
{
	if (loom_num_isnan(a))
		return 0;
	if ((a & ~LOOM_NUM_SIGN) >= 0x4f000000u) /* 2^31 and above */
		return a & LOOM_NUM_SIGN ? (__s32)0x80000000u : 0x7fffffff;
	return (__s32)loom_num_float(a);
}

static inline __u32 loom_num_to_u32(__u32 a)
{
	if (loom_num_isnan(a) || a & LOOM_NUM_SIGN)
		return 0;
	if (a >= 0x4f800000u) /* 2^32 and above */
		return 0xffffffffu;
	if (a >= 0x4f000000u)
		return ((a & 0x7fffffu) | 0x800000u) << 8;
	return (__u32)(__s32)loom_num_float(a);
}

static inline __u32 loom_num_from_i32(__s32 a)
{
	return loom_num_bits((float)a);
}

static inline __u32 loom_num_from_u32(__u32 a)
{
	return loom_num_bits((float)(double)a);
}

/* ---- 32-bit integers ----------------------------------------------------------------------------------- */

static inline __s32 loom_num_sat8(__s32 a)
{
	return a < -128 ? -128 : a > 127 ? 127 : a;
}

static inline __u32 loom_num_imulh(__u32 a, __u32 b)
{
	return (__u32)((__u64)((__s64)(__s32)a * (__s32)b) >> 32);
}

static inline __u32 loom_num_umulh(__u32 a, __u32 b)
{
	return (__u32)((__u64)a * b >> 32);
}

/* Toward zero; x / 0 = -1; INT_MIN / -1 = INT_MIN. */
static inline __u32 loom_num_idiv(__u32 a, __u32 b)
{
	if (b == 0)
		return 0xffffffffu;
	return b == 0xffffffffu ? 0u - a : (__u32)((__s32)a / (__s32)b);
}

/* x / 0 = 2^32 - 1. */
static inline __u32 loom_num_udiv(__u32 a, __u32 b)
{
	return b ? a / b : 0xffffffffu;
}

/* a's sign; x % 0 = x; INT_MIN % -1 = 0. */
static inline __u32 loom_num_irem(__u32 a, __u32 b)
{
	if (b == 0)
		return a;
	return b == 0xffffffffu ? 0 : (__u32)((__s32)a % (__s32)b);
}

/* x % 0 = x. */
static inline __u32 loom_num_urem(__u32 a, __u32 b)
{
	return b ? a % b : a;
}

static inline __u32 loom_num_iabs(__u32 a)
{
	return a >> 31 ? 0u - a : a;
}

static inline __u32 loom_num_isign(__u32 a)
{
	return a >> 31 ? 0xffffffffu : a != 0;
}

static inline __u32 loom_num_shl(__u32 a, __u32 b)
{
	return b > 31 ? 0 : a << b;
}

static inline __u32 loom_num_shr(__u32 a, __u32 b)
{
	return b > 31 ? 0 : a >> b;
}

static inline __u32 loom_num_sar(__u32 a, __u32 b)
{
	return (__u32)((__s32)a >> (b > 31 ? 31 : b));
}

static inline __u32 loom_num_rotl(__u32 a, __u32 b)
{
	return a << (b & 31) | a >> (-b & 31);
}

static inline __u32 loom_num_clz(__u32 a)
{
	return a ? (__u32)__builtin_clz(a) : 32;
}

static inline __u32 loom_num_popc(__u32 a)
{
	a -= a >> 1 & 0x55555555u;
	a = (a & 0x33333333u) + (a >> 2 & 0x33333333u);
	a = (a + (a >> 4)) & 0x0f0f0f0fu;
	return a * 0x01010101u >> 24;
}

/* ---- requantisation ------------------------------------------------------------------------------------ */

#define LOOM_NUM_SHIFT_MIN (-31) /* shifts of a multiplier; others count as the nearest of the two */
#define LOOM_NUM_SHIFT_MAX 30

static inline int loom_num_shift_range(__s32 shift)
{
	return shift < LOOM_NUM_SHIFT_MIN ? LOOM_NUM_SHIFT_MIN : shift > LOOM_NUM_SHIFT_MAX ? LOOM_NUM_SHIFT_MAX : shift;
}

/* High half of the doubled product, to nearest, halves away from zero except that -0.5 goes to 0; saturates. */
static inline __s32 loom_num_doubling_high_mul(__s32 a, __s32 b)
{
	__s64 v = (__s64)a * b;

	if (a == b && a == (__s32)0x80000000u)
		return 0x7fffffff;
	v += v >= 0 ? 1ll << 30 : 1 - (1ll << 30);
	return (__s32)((v + (v >> 63 & 0x7fffffffll)) >> 31); /* division by 2^31 toward zero */
}

/* a / 2^exp to nearest, halves away from zero. exp: 0 to 31. */
static inline __s32 loom_num_rounding_shift(__s32 a, int exp)
{
	const __s32 mask = (__s32)((1u << exp) - 1u);
	const __s32 threshold = (mask >> 1) + (a < 0);

	return (a >> exp) + ((a & mask) > threshold);
}

/* a * multiplier * 2^(shift - 31), TFLite's two roundings; a left shift comes first and wraps. */
static inline __s32 loom_num_requant_double(__s32 a, __s32 multiplier, __s32 shift)
{
	const int s = loom_num_shift_range(shift);
	const __s32 x = s > 0 ? (__s32)((__u32)a << s) : a;

	return loom_num_rounding_shift(loom_num_doubling_high_mul(x, multiplier), s > 0 ? 0 : -s);
}

/* The same with one rounding of the 64-bit product, halves up; saturates. */
static inline __s32 loom_num_requant_single(__s32 a, __s32 multiplier, __s32 shift)
{
	const int total = 31 - loom_num_shift_range(shift);
	const __s64 v = ((__s64)a * multiplier + (1ll << (total - 1))) >> total;

	return v > 0x7fffffffll ? 0x7fffffff : v < -0x80000000ll ? (__s32)0x80000000u : (__s32)v;
}

/* Convert to f32, multiply, round to nearest even, saturate; a NaN gives 0. */
static inline __s32 loom_num_requant_f32(__s32 a, __u32 scale)
{
	return loom_num_to_i32(loom_num_round(loom_num_mul(loom_num_from_i32(a), scale), LOOM_NUM_RNE));
}

/* ---- reductions ---------------------------------------------------------------------------------------- */

/*
 * A reduction has LOOM_NUM_PARTIALS partial results. All begin at the operation's identity. Element i, in
 * row-major order of the reduced dimensions, goes into partial i mod 16, ascending: p = op(p, x). At the end
 * p[i] = op(p[i], p[i + 8]) for i < 8, then p[i] = op(p[i], p[i + 4]) for i < 4, then with 2, then with 1.
 * Sums begin at +0, so that a sum of negative zeros is +0.
 */
#define LOOM_NUM_PARTIALS 16

#define LOOM_NUM_ID_ADD_F 0u
#define LOOM_NUM_ID_MUL_F LOOM_NUM_ONE
#define LOOM_NUM_ID_MIN_F LOOM_NUM_INF
#define LOOM_NUM_ID_MAX_F (LOOM_NUM_INF | LOOM_NUM_SIGN)

/* Folds the sixteen partial results by op. */
static inline __u32 loom_num_fold(__u32 *p, __u32 (*op)(__u32 a, __u32 b))
{
	int half, i;

	for (half = LOOM_NUM_PARTIALS / 2; half; half /= 2)
		for (i = 0; i < half; i++)
			p[i] = op(p[i], p[i + half]);
	return p[0];
}

/* True if x at a higher index takes the place of the best so far; NaN wins, the lowest index of equals stays. */
static inline int loom_num_arg_better(__u32 x, __u32 best, int want_max)
{
	if (loom_num_isnan(best))
		return 0;
	if (loom_num_isnan(x))
		return 1;
	return want_max ? loom_num_float(x) > loom_num_float(best) : loom_num_float(x) < loom_num_float(best);
}

/* ---- elementary functions ------------------------------------------------------------------------------ */

#include "loom_num_elementary.h" /* exp to pow */

#endif
