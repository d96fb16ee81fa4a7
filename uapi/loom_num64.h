/* SPDX-License-Identifier: MIT */
/*
 * loom_num.h's companions for f64: the same rules, on the bits of binary64 in a __u64. For files with floats.
 */
#ifndef LOOM_NUM64_H
#define LOOM_NUM64_H

#include "loom_num.h"

#define LOOM_NUM_NAN64 0x7ff8000000000000ull
#define LOOM_NUM_INF64 0x7ff0000000000000ull
#define LOOM_NUM_SIGN64 0x8000000000000000ull
#define LOOM_NUM_ONE64 0x3ff0000000000000ull

static inline int loom_num_isnan64(__u64 a)
{
	return (a & ~LOOM_NUM_SIGN64) > LOOM_NUM_INF64;
}

static inline __u64 loom_num_canonical64(__u64 a)
{
	return loom_num_isnan64(a) ? LOOM_NUM_NAN64 : a;
}

static inline __u64 loom_num_result64(double d)
{
	return loom_num_canonical64(loom_num_bits64(d));
}

static inline double loom_num_sqrtd(double a)
{
	double r;

	__asm__("sqrtsd %1, %0" : "=x"(r) : "x"(a));
	return r;
}

static inline __u64 loom_num_sign64(__u64 a)
{
	const __u64 mag = a & ~LOOM_NUM_SIGN64;

	return loom_num_canonical64(mag == 0 || mag > LOOM_NUM_INF64 ? a : (a & LOOM_NUM_SIGN64) | LOOM_NUM_ONE64);
}

/* Monotonic in the order -inf .. -0 +0 .. +inf, as a signed integer. */
static inline __s64 loom_num_key64(__u64 a)
{
	return (__s64)(a ^ ((__u64)((__s64)a >> 63) >> 1));
}

static inline __u64 loom_num_min64(__u64 a, __u64 b)
{
	const __u64 m = loom_num_key64(a) < loom_num_key64(b) ? a : b;

	return loom_num_isnan64(a) | loom_num_isnan64(b) ? LOOM_NUM_NAN64 : m;
}

static inline __u64 loom_num_max64(__u64 a, __u64 b)
{
	const __u64 m = loom_num_key64(a) > loom_num_key64(b) ? a : b;

	return loom_num_isnan64(a) | loom_num_isnan64(b) ? LOOM_NUM_NAN64 : m;
}

/* Mantissa with bit 52 set, and the exponent, which goes below 1 for subnormals. */
static inline __u64 loom_num_parts64(__u64 mag, int *e)
{
	const int shift = mag >> 52 ? 0 : __builtin_clzll(mag) - 11;

	*e = mag >> 52 ? (int)(mag >> 52) : 1 - shift;
	return mag >> 52 ? (mag & 0xfffffffffffffull) | 1ull << 52 : mag << shift;
}

/* As loom_num_rem(): exact, a's sign. Eleven bits of quotient a step: at most 191 steps. */
static inline __u64 loom_num_rem64(__u64 a, __u64 b)
{
	const __u64 sign = a & LOOM_NUM_SIGN64, ua = a ^ sign, ub = b & ~LOOM_NUM_SIGN64;
	__u64 ma, mb;
	int ea, eb, shift;

	if (ua >= LOOM_NUM_INF64 || ub > LOOM_NUM_INF64 || ub == 0)
		return LOOM_NUM_NAN64;
	if (ua < ub)
		return a;
	ma = loom_num_parts64(ua, &ea);
	mb = loom_num_parts64(ub, &eb);
	for (ma %= mb; ea > eb; ea -= shift) {
		shift = ea - eb < 11 ? ea - eb : 11;
		ma = (ma << shift) % mb;
	}
	if (ma == 0)
		return sign;
	shift = __builtin_clzll(ma) - 11;
	ma <<= shift;
	eb -= shift;
	if (eb < 1) /* a subnormal; a multiple of the smallest one, so nothing is lost */
		return sign | ma >> (1 - eb);
	return sign | (__u64)eb << 52 | (ma & 0xfffffffffffffull);
}

/* Whether a value whose fraction is frac, half being one half, rounds away from zero. */
static inline int loom_num_rounds_up(enum loom_num_rounding how, int negative, __u64 frac, __u64 half, int odd)
{
	switch (how) {
	case LOOM_NUM_FLOOR:
		return negative && frac;
	case LOOM_NUM_CEIL:
		return !negative && frac;
	case LOOM_NUM_RNE:
		return frac > half || (frac == half && odd);
	case LOOM_NUM_RAZ:
		return frac >= half;
	default:
		return 0;
	}
}

/* A zero result keeps a's sign. */
static inline __u64 loom_num_round64(__u64 a, enum loom_num_rounding how)
{
	const __u64 sign = a & LOOM_NUM_SIGN64, mag = a ^ sign;
	const int exp = (int)(mag >> 52) - 1023; /* of the value */
	__u64 keep, odd;

	if (exp >= 52)
		return loom_num_canonical64(a);
	if (mag == 0)
		return a;
	if (exp < 0) { /* below 1: as a fraction, mag is monotonic, and a half has the bits of 0.5 */
		return sign | (loom_num_rounds_up(how, sign != 0, mag, 0x3fe0000000000000ull, 0) ? LOOM_NUM_ONE64 : 0);
	}
	keep = 0xfffffffffffffull >> exp; /* the bits below one */
	odd = exp == 0 || (mag & (keep + 1)) != 0;
	if (loom_num_rounds_up(how, sign != 0, mag & keep, (keep + 1) >> 1, (int)odd))
		return sign | ((mag & ~keep) + keep + 1); /* a carry into the exponent is right */
	return sign | (mag & ~keep);
}

/* a rounded to e exponent bits (1 to 11) and m mantissa bits (0 to 52): see loom_num_reduce_precision(). */
static inline __u64 loom_num_reduce_precision64(__u64 a, __u64 e, __u64 m)
{
	const __u64 sign = a & LOOM_NUM_SIGN64;
	__u64 mag = a ^ sign;

	e = e < 1 ? 1 : e > 11 ? 11 : e;
	if (mag > LOOM_NUM_INF64)
		return LOOM_NUM_NAN64;
	if (m < 52) {
		const __u64 drop = 52 - m, last = 1ull << drop;

		mag = (mag + (last >> 1) - 1 + (mag >> drop & 1)) & ~(last - 1);
	}
	if (e < 11) {
		const __u64 bias = (1ull << (e - 1)) - 1;

		if (mag >> 52 > 1023 + bias)
			mag = LOOM_NUM_INF64;
		else if (mag >> 52 <= 1023 - bias)
			mag = 0;
	}
	return sign | mag;
}

/* ---- fused multiply-add -------------------------------------------------------------------------------- */

/* A magnitude of 128 bits, times 2^exponent. */
struct loom_num_wide {
	__u64 hi, lo;
	int exponent;
};

static inline int loom_num_wide_zeros(const struct loom_num_wide *w)
{
	return w->hi ? __builtin_clzll(w->hi) : w->lo ? 64 + __builtin_clzll(w->lo) : 128;
}

/* The highest bit to that of number top; what it is does not change. Not 0; only to the left. */
static inline void loom_num_wide_raise(struct loom_num_wide *w, int top)
{
	const int n = loom_num_wide_zeros(w) - (127 - top);

	if (n >= 64) {
		w->hi = w->lo << (n - 64);
		w->lo = 0;
	} else if (n) {
		w->hi = w->hi << n | w->lo >> (64 - n);
		w->lo <<= n;
	}
	w->exponent -= n;
}

/* Right by n; the last bit says whether anything was cut off. */
static inline void loom_num_wide_lower(struct loom_num_wide *w, int n)
{
	const __u64 any = w->hi | w->lo;
	__u64 cut;

	if (n >= 128) {
		w->hi = 0;
		w->lo = any != 0;
	} else if (n >= 64) {
		cut = w->lo | (n > 64 ? w->hi << (128 - n) : 0);
		w->lo = w->hi >> (n - 64) | (cut != 0);
		w->hi = 0;
	} else if (n) {
		cut = w->lo << (64 - n);
		w->lo = (w->hi << (64 - n) | w->lo >> n) | (cut != 0);
		w->hi >>= n;
	}
}

/* The product of 53-bit numbers. */
static inline struct loom_num_wide loom_num_wide_product(__u64 a, __u64 b)
{
	const __u64 a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
	const __u64 low = a0 * b0, mid = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (mid & 0xffffffffu);
	const struct loom_num_wide w = { a1 * b1 + (mid >> 32) + (mid2 >> 32), mid2 << 32 | (low & 0xffffffffu), 0 };

	return w;
}

/* Rounded to nearest even; the last bit of w may stand for more. Not 0. */
static inline __u64 loom_num_wide_round(struct loom_num_wide w)
{
	int exp, drop;
	__u64 q, rest, half;

	loom_num_wide_raise(&w, 127);
	exp = w.exponent + 127 + 1023;
	w.hi |= w.lo != 0;
	drop = exp < 1 ? 12 - exp : 11;
	if (exp > 2046)
		return LOOM_NUM_INF64;
	if (drop > 63)
		return drop == 64 && w.hi > 1ull << 63; /* half of the smallest number, or less */
	q = w.hi >> drop;
	half = 1ull << (drop - 1);
	rest = w.hi & (2 * half - 1);
	q += rest > half || (rest == half && q & 1);
	return (exp < 1 ? 0 : (__u64)(exp - 1) << 52) + q;
}

/* a b + c, rounded once. */
static inline __u64 loom_num_fma64(__u64 a, __u64 b, __u64 c)
{
	const __u64 ua = a & ~LOOM_NUM_SIGN64, ub = b & ~LOOM_NUM_SIGN64, uc = c & ~LOOM_NUM_SIGN64;
	const __u64 sign = (a ^ b) & LOOM_NUM_SIGN64;
	struct loom_num_wide x, y;
	__u64 result = sign;
	int ea, eb, carry;

	if (ua >= LOOM_NUM_INF64 || ub >= LOOM_NUM_INF64 || ua == 0 || ub == 0)
		return loom_num_result64(loom_num_double(a) * loom_num_double(b) + loom_num_double(c));
	if (uc >= LOOM_NUM_INF64)
		return loom_num_canonical64(c);
	if (uc == 0)
		return loom_num_bits64(loom_num_double(a) * loom_num_double(b));
	x = loom_num_wide_product(loom_num_parts64(ua, &ea), loom_num_parts64(ub, &eb));
	x.exponent = ea + eb - 2150;
	y.hi = 0;
	y.lo = loom_num_parts64(uc, &y.exponent);
	y.exponent -= 1075;
	loom_num_wide_raise(&x, 125);
	loom_num_wide_raise(&y, 125);
	if (x.exponent < y.exponent || (x.exponent == y.exponent && (x.hi < y.hi || (x.hi == y.hi && x.lo < y.lo)))) {
		const struct loom_num_wide t = x;

		x = y;
		y = t;
		result = c & LOOM_NUM_SIGN64;
	}
	loom_num_wide_lower(&y, x.exponent - y.exponent);
	if (sign == (c & LOOM_NUM_SIGN64)) {
		x.lo += y.lo;
		carry = x.lo < y.lo;
		x.hi += y.hi + (__u64)carry;
	} else {
		carry = x.lo < y.lo;
		x.lo -= y.lo;
		x.hi -= y.hi + (__u64)carry;
	}
	return x.hi | x.lo ? result | loom_num_wide_round(x) : 0;
}

/* ---- conversions --------------------------------------------------------------------------------------- */

static inline __u32 loom_num_f64_to_f32(__u64 a)
{
	return loom_num_result((float)loom_num_double(a));
}

static inline __u64 loom_num_f32_to_f64(__u32 a)
{
	return loom_num_result64((double)loom_num_float(a));
}

/*
 * f64 as an f32 rounded to odd: 24 bits of which the last says whether anything was cut off. Rounded again to bf16 or
 * f16, both far shorter, that is one rounding.
 */
static inline __u32 loom_num_f64_to_odd(__u64 a)
{
	const __u32 near = loom_num_f64_to_f32(a);
	const double back = (double)loom_num_float(near), exact = loom_num_double(a);
	__u32 r = near;

	if (loom_num_isnan64(a) || back == exact || near & 1)
		return near;
	/* The neighbour toward the exact value is odd, as near is even; an infinity's is the largest number. */
	if ((back > exact) == !(near >> 31))
		r--;
	else
		r++;
	return r;
}

/* Toward zero, saturating; NaN gives 0. */
static inline __u64 loom_num_f64_to_i64(__u64 a)
{
	if (loom_num_isnan64(a))
		return 0;
	if ((a & ~LOOM_NUM_SIGN64) >= 0x43e0000000000000ull) /* 2^63 and above */
		return a & LOOM_NUM_SIGN64 ? 1ull << 63 : ~(1ull << 63);
	return (__u64)(__s64)loom_num_double(a);
}

static inline __u64 loom_num_f64_to_u64(__u64 a)
{
	if (loom_num_isnan64(a) || a & LOOM_NUM_SIGN64)
		return 0;
	if (a >= 0x43f0000000000000ull) /* 2^64 and above */
		return ~0ull;
	if (a >= 0x43e0000000000000ull)
		return (a & 0xfffffffffffffull) << 11 | 1ull << 63;
	return (__u64)(__s64)loom_num_double(a);
}

static inline __u32 loom_num_i64_to_f32(__u64 a)
{
	return loom_num_bits((float)(__s64)a);
}

static inline __u64 loom_num_i64_to_f64(__u64 a)
{
	return loom_num_bits64((double)(__s64)a);
}

/* Half of it with a sticky bit where the signed conversion does not reach: the rounding is the same. */
static inline __u32 loom_num_u64_to_f32(__u64 a)
{
	return a >> 63 ? loom_num_bits((float)(__s64)(a >> 1 | (a & 1)) * 2.0f) : loom_num_i64_to_f32(a);
}

static inline __u64 loom_num_u64_to_f64(__u64 a)
{
	return a >> 63 ? loom_num_bits64((double)(__s64)(a >> 1 | (a & 1)) * 2.0) : loom_num_i64_to_f64(a);
}

/* ---- elementary functions ------------------------------------------------------------------------------ */

#include "loom_num64_elementary.h"

#endif
