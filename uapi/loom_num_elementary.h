/* SPDX-License-Identifier: MIT */
/*
 * Elementary functions of f32, included by loom_num.h. Each is evaluated in binary64 by additions, multiplications
 * and divisions alone, each rounded on its own, and its value is rounded to f32 once; so the bits are the same in
 * scalar and vector code, with and without a fused instruction.
 *
 * Functions of one argument are correctly rounded: the result is the f32 nearest to the exact value, for all 2^32
 * arguments (`./dev test --deep elementary`). Where binary64 falls on the wrong side of the middle between two f32,
 * the argument is named and the result given. atan2 and pow: the exact value, to within 2^-44 of itself, rounded to
 * 42 significant bits and then to f32, both to nearest even; so exact ties go to even.
 *
 * No branch depends on a value, so that loops over arrays vectorise; only arguments of sine and cosine from 2^20 on
 * go another way.
 */
#ifndef LOOM_NUM_ELEMENTARY_H
#define LOOM_NUM_ELEMENTARY_H

#ifndef LOOM_NUM_H
#include "loom_num.h"
#endif

static inline double loom_num_double(__u64 bits)
{
	double d;

	__builtin_memcpy(&d, &bits, sizeof(d));
	return d;
}

static inline __u64 loom_num_bits64(double d)
{
	__u64 bits;

	__builtin_memcpy(&bits, &d, sizeof(bits));
	return bits;
}

/* Adding 1.5 * 2^52 rounds a double below 2^51 to an integer, which then is in the low bits of the sum. */
#define LOOM_NUM_SHIFTER 0x1.8p52
#define LOOM_NUM_LOG2E 0x1.71547652b82fep+0
#define LOOM_NUM_LN2_HI 0x1.62e42fefa3800p-1 /* 42 bits: its products with exponents are exact */
#define LOOM_NUM_LN2_LO 0x1.ef35793c76730p-45

/* ---- exponentials -------------------------------------------------------------------------------------- */

/* (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2. */
static inline double loom_num_exp_tail(double r)
{
	double q = 0x1.1f730349868cep-29;

	q = q * r + 0x1.af4de97ca4194p-26;
	q = q * r + 0x1.27e4db646b17ep-22;
	q = q * r + 0x1.71de0231960ebp-19;
	q = q * r + 0x1.a01a01a6d889cp-16;
	q = q * r + 0x1.a01a01abe7fe1p-13;
	q = q * r + 0x1.6c16c16c162d4p-10;
	q = q * r + 0x1.11111111100dcp-7;
	q = q * r + 0x1.5555555555556p-5;
	q = q * r + 0x1.5555555555557p-3;
	q = q * r + 0x1.0000000000000p-1;
	return q;
}

/* x = k log(2) + r. The shifter's sum, with k in its low bits; *r: the rest. |x| < 2^16. */
static inline double loom_num_exp_split(double x, double *r)
{
	const double t = x * LOOM_NUM_LOG2E + LOOM_NUM_SHIFTER;
	const double k = t - LOOM_NUM_SHIFTER;

	*r = (x - k * LOOM_NUM_LN2_HI) - k * LOOM_NUM_LN2_LO;
	return t;
}

/* p * 2^k, k in the low bits of t; in the normal range of binary64. */
static inline double loom_num_scale(double p, double t)
{
	return loom_num_double(loom_num_bits64(p) + (loom_num_bits64(t) << 52));
}

static inline double loom_num_exp64(double x)
{
	double r;
	const double t = loom_num_exp_split(x, &r);

	return loom_num_scale(1.0 + (r + r * r * loom_num_exp_tail(r)), t);
}

static inline double loom_num_expm1_64(double x)
{
	double r;
	const double t = loom_num_exp_split(x, &r);
	const double s = loom_num_scale(1.0, t);

	return (r + r * r * loom_num_exp_tail(r)) * s + (s - 1.0);
}

/* Beyond +-110 all functions made of exp have reached their limits in f32. A NaN passes. */
static inline double loom_num_exp_range(__u32 a)
{
	const float x = loom_num_float(a);
	const float low = x < -110.0f ? -110.0f : x;

	return low > 110.0f ? 110.0f : low;
}

static inline __u32 loom_num_exp(__u32 a)
{
	const __u32 r = loom_num_bits((float)loom_num_exp64(loom_num_exp_range(a)));

	return loom_num_isnan(a) ? LOOM_NUM_NAN : r;
}

static inline __u32 loom_num_expm1(__u32 a)
{
	__u32 r = loom_num_bits((float)loom_num_expm1_64(loom_num_exp_range(a)));

	r = a << 1 ? r : a;
	return loom_num_isnan(a) ? LOOM_NUM_NAN : r;
}

/*
 * With e^r = (q + p) / (q - p), p / q being the continued fraction of tanh(r / 2) cut off after its sixth level (2^-60
 * of itself away, |r| <= log(2) / 2), one division is enough. Where s is 1, q falls out, so that small values are exact.
 */
static inline __u32 loom_num_tanh(__u32 a)
{
	double r;
	const double t = loom_num_exp_split(2.0 * loom_num_exp_range(a & ~LOOM_NUM_SIGN), &r);
	const double s = loom_num_scale(1.0, t), w = r * r;
	const double p = r * (332640.0 + w * (10080.0 + w * 42.0));
	const double q = 665280.0 + w * (75600.0 + w * (840.0 + w));
	const double v = (p * (s + 1.0) + q * (s - 1.0)) / (p * (s - 1.0) + q * (s + 1.0));

	return loom_num_isnan(a) ? LOOM_NUM_NAN : loom_num_bits((float)v) | (a & LOOM_NUM_SIGN);
}

/*
 * Near 0 it is 1/2 + x/4 - x^3/48 + ..., so that where 1/2 + x/4 is the middle of two f32, which is often, the exact
 * value lies towards 1/2, by less than binary64 can show: such a middle moves by its last place.
 */
static inline __u32 loom_num_logistic(__u32 a)
{
	const double x = loom_num_exp_range(a), z = x * x;
	const double near = 0.5 + x * (0.25 - z * (0x1.5555555555555p-6 - z * 0x1.1111111111111p-9));
	const double far = 1.0 / (1.0 + loom_num_exp64(-x));
	__u64 v = loom_num_bits64((a & ~LOOM_NUM_SIGN) < 0x3b800000u ? near : far);
	__u32 r;

	v += (v & 0x1fffffffu) == 0x10000000u ? (__u64)(a >> 31) * 2 - 1 : 0;
	r = loom_num_bits((float)loom_num_double(v));
	r = loom_num_pick(a == 0xbe104170u, 0x3eedff70u, r);
	return loom_num_pick(loom_num_isnan(a), LOOM_NUM_NAN, r);
}

/* ---- logarithms ---------------------------------------------------------------------------------------- */

#define LOOM_NUM_SQRT_HALF 0x3fe6a09e667f3bcdull

/* d = 2^k m with m from sqrt(1/2) to sqrt(2): k + 1024; *m. d: positive, normal. */
static inline __u64 loom_num_log_split(double d, double *m)
{
	const __u64 above = loom_num_bits64(d) - LOOM_NUM_SQRT_HALF;

	*m = loom_num_double((above & 0xfffffffffffffull) + LOOM_NUM_SQRT_HALF);
	return (above + (1024ull << 52)) >> 52;
}

static inline double loom_num_log_exponent(__u64 k)
{
	return loom_num_double(0x4330000000000000ull | k) - (0x1p52 + 1024.0);
}

/* log(1 + f) + k log(2) for 1 + f from sqrt(1/2) to sqrt(2), by the odd series in s = f / (2 + f). */
static inline double loom_num_log_sum(double f, double k)
{
	const double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
	double p = 0x1.2b5900de53b32p-3;

	p = p * z + 0x1.39fe51a7c18f9p-3;
	p = p * z + 0x1.7462b51cb66b1p-3;
	p = p * z + 0x1.c71c62e3f11e6p-3;
	p = p * z + 0x1.2492492df281ap-2;
	p = p * z + 0x1.99999999952d7p-2;
	p = p * z + 0x1.5555555555558p-1;
	return k * LOOM_NUM_LN2_HI - ((h - (s * (h + p * z) + k * LOOM_NUM_LN2_LO)) - f);
}

/* The results of a logarithm with its pole at the argument whose order is that of pole and not above it. */
static inline __u32 loom_num_log_special(__u32 a, __u32 pole, __u32 r)
{
	r = loom_num_pick(a == LOOM_NUM_INF, a, r);
	r = loom_num_pick(a == pole, LOOM_NUM_INF | LOOM_NUM_SIGN, r);
	return loom_num_pick(loom_num_isnan(a) | (loom_num_key(a) < loom_num_key(pole)), LOOM_NUM_NAN, r);
}

static inline __u32 loom_num_log(__u32 a)
{
	double m;
	const __u64 k = loom_num_log_split((double)loom_num_float(a), &m);
	__u32 r = loom_num_bits((float)loom_num_log_sum(m - 1.0, loom_num_log_exponent(k)));

	r = loom_num_pick(a == 0x3c413d3au, 0xc08e158fu, r);
	r = loom_num_pick(a == 0x41178febu, 0x400fe5e7u, r);
	r = loom_num_pick(a == 0x4c5d65a5u, 0x418f034bu, r);
	r = loom_num_pick(a == 0x65d890d3u, 0x4254d1f9u, r);
	r = loom_num_pick(a == 0x6f31a8ecu, 0x42845a89u, r);
	return loom_num_log_special(a & (0u - (a << 1 != 0)), 0, r);
}

static inline __u32 loom_num_log1p(__u32 a)
{
	const double x = (double)loom_num_float(a);
	double m, f;
	const __u64 k = loom_num_log_split(1.0 + x, &m);
	__u32 r;

	f = k == 1024 ? x : m - 1.0; /* x itself has the digits that 1 + x lost */
	r = loom_num_bits((float)loom_num_log_sum(f, loom_num_log_exponent(k)));
	r = loom_num_pick(a << 1 != 0, r, a);
	r = loom_num_pick(a == 0x35400003u, 0x353fffffu, r);
	r = loom_num_pick(a == 0x3710001bu, 0x370ffff3u, r);
	r = loom_num_pick(a == 0x3efd81adu, 0x3ecdeee1u, r);
	r = loom_num_pick(a == 0x41078febu, 0x400fe5e7u, r);
	r = loom_num_pick(a == 0x65d890d3u, 0x4254d1f9u, r);
	r = loom_num_pick(a == 0x6f31a8ecu, 0x42845a89u, r);
	r = loom_num_pick(a == 0xb53ffffdu, 0xb5400001u, r);
	r = loom_num_pick(a == 0xb70fffe5u, 0xb710000du, r);
	r = loom_num_pick(a == 0xbb0ec8c4u, 0xbb0ef0a5u, r);
	return loom_num_log_special(a, LOOM_NUM_ONE | LOOM_NUM_SIGN, r);
}

/* ---- error function ------------------------------------------------------------------------------------ */

/* erf(y) / y in z = y^2 for y <= 1. */
static inline double loom_num_erf_near(double z)
{
	double p = 0x1.05ffd737fb32ep-34;

	p = p * z + -0x1.389d4f2641625p-30;
	p = p * z + 0x1.f7b4bf3b13964p-27;
	p = p * z + -0x1.5f1ecb6f0764cp-23;
	p = p * z + 0x1.b9df224ca4b97p-20;
	p = p * z + -0x1.f4d1e3183f7aep-17;
	p = p * z + 0x1.f9a321d5b8e1ep-14;
	p = p * z + -0x1.c02db3dac435fp-11;
	p = p * z + 0x1.565bcd0dbaa38p-8;
	p = p * z + -0x1.b82ce31284e00p-6;
	p = p * z + 0x1.ce2f21a042b30p-4;
	p = p * z + -0x1.812746b0379e6p-2;
	p = p * z + 0x1.20dd750429b6dp+0;
	return p;
}

/* 1 - erf(u + 5/2) for |u| <= 3/2. */
static inline double loom_num_erf_far(double u)
{
	double p = 0x1.3401a3b7dd590p-45;

	p = p * u + -0x1.0af6471f47987p-46;
	p = p * u + -0x1.1863180e89057p-40;
	p = p * u + 0x1.d59f1003e9acfp-40;
	p = p * u + 0x1.c6d032406d617p-37;
	p = p * u + -0x1.a4378f1eb682ep-35;
	p = p * u + -0x1.d284989a10387p-35;
	p = p * u + 0x1.77bff098363ecp-31;
	p = p * u + -0x1.38f993a659e0ep-30;
	p = p * u + -0x1.33a26f4dff9ddp-28;
	p = p * u + 0x1.98094417670ddp-26;
	p = p * u + -0x1.35010a0620a07p-26;
	p = p * u + -0x1.80e630328baecp-23;
	p = p * u + 0x1.5840095e798b7p-21;
	p = p * u + -0x1.857ad1f96663ap-23;
	p = p * u + -0x1.3acd77512f606p-18;
	p = p * u + 0x1.d872622402223p-17;
	p = p * u + -0x1.58bd338c202acp-18;
	p = p * u + -0x1.4a844832d8889p-14;
	p = p * u + 0x1.067178f44d0c6p-12;
	p = p * u + -0x1.11551df56fe08p-12;
	p = p * u + -0x1.1c610bd017994p-11;
	p = p * u + 0x1.6ecdbf67d1141p-9;
	p = p * u + -0x1.90e81283ea373p-8;
	p = p * u + 0x1.1a89b97ceaac5p-7;
	p = p * u + -0x1.119da0c46d3c9p-7;
	p = p * u + 0x1.64e3dcd3af4c8p-8;
	p = p * u + -0x1.1d83170fbf687p-9;
	p = p * u + 0x1.aab859b20ac9ep-12;
	return p;
}

static inline __u32 loom_num_erf(__u32 a)
{
	const float mag = loom_num_float(a & ~LOOM_NUM_SIGN);
	const double y = mag < 4.0f ? mag : 4.0f;
	const __u32 near = loom_num_bits((float)(y * loom_num_erf_near(y * y)));
	const __u32 far = loom_num_bits((float)(1.0 - loom_num_erf_far(y - 2.5)));
	const __u32 r = (a & ~LOOM_NUM_SIGN) < LOOM_NUM_ONE ? near : far;

	return loom_num_isnan(a) ? LOOM_NUM_NAN : r | (a & LOOM_NUM_SIGN);
}

/* ---- sine and cosine ----------------------------------------------------------------------------------- */

#define LOOM_NUM_FAR 0x49800000u /* 2^20: where the other reduction begins */

/* x = n pi/2 + *r for |x| < 2^20; n in the low bits of the result. pi/2 in parts of 33, 33 and 53 bits. */
static inline __u64 loom_num_quarter_near(double x, double *r)
{
	const double t = x * 0x1.45f306dc9c883p-1 + LOOM_NUM_SHIFTER;
	const double n = t - LOOM_NUM_SHIFTER;

	*r = ((x - n * 0x1.921fb54400000p+0) - n * 0x1.0b4611a600000p-34) - n * 0x1.3198a2e037073p-69;
	return loom_num_bits64(t);
}

/*
 * The same for |x| from 2^20: the 24-bit mantissa times those 128 bits of 2/pi that do not make whole turns, which
 * leaves 102 correct bits of the quarter.
 */
static inline __u64 loom_num_quarter_far(__u32 a, double *r)
{
	static const __u32 two_over_pi[9] = { 0,	   0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
					      0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u };
	const __u32 first = (a >> 23 & 0xff) - 120, shift = first % 32;
	const __u32 *w = two_over_pi + first / 32;
	const __u64 m = (a & 0x7fffffu) | 0x800000u;
	__u64 word[4], low, high, turn;
	int i;

	for (i = 0; i < 4; i++)
		word[i] = (__u32)(w[i] << shift | (shift ? w[i + 1] >> (32 - shift) : 0));
	low = m * word[3];
	high = m * word[2] + (low >> 32);
	low = (high << 32) | (low & 0xffffffffu);
	high = m * (word[0] << 32 | word[1]) + (high >> 32);
	turn = (high + (1ull << 61)) >> 62;
	high -= turn << 62;
	*r = ((double)(__s64)high * 0x1p-62 + (double)(__s64)(low >> 1) * 0x1p-125) * 0x1.921fb54442d18p+0;
	*r = a & LOOM_NUM_SIGN ? -*r : *r;
	return a & LOOM_NUM_SIGN ? 0ull - turn : turn;
}

/* sin(r + quarter pi/2) */
static inline double loom_num_sin_quarter(double r, __u64 quarter)
{
	const double z = r * r;
	double s = -0x1.ab16f5caa198ap-41, c = -0x1.9394b8bd50ae1p-37;

	s = s * z + 0x1.61217d9252c03p-33;
	s = s * z + -0x1.ae645410e937bp-26;
	s = s * z + 0x1.71de3a545f836p-19;
	s = s * z + -0x1.a01a01a01992fp-13;
	s = s * z + 0x1.1111111111110p-7;
	s = s * z + -0x1.5555555555555p-3;
	s = r + r * z * s;
	c = c * z + 0x1.1eed8deac3dfep-29;
	c = c * z + -0x1.27e4fb77125c5p-22;
	c = c * z + 0x1.a01a01a019d06p-16;
	c = c * z + -0x1.6c16c16c16c16p-10;
	c = c * z + 0x1.5555555555555p-5;
	c = (1.0 - 0.5 * z) + z * z * c;
	s = quarter & 1 ? c : s;
	return loom_num_double(loom_num_bits64(s) ^ (quarter & 2) << 62);
}

/* sin(a + quarter pi/2): the sine for 0, the cosine for 1. |a| < 2^20 */
static inline __u32 loom_num_sin_near(__u32 a, __u32 quarter)
{
	double r;
	const __u64 n = loom_num_quarter_near((double)loom_num_float(a), &r);
	const __u32 sine = loom_num_bits((float)loom_num_sin_quarter(r, n + quarter));
	const int hard = ((a & ~LOOM_NUM_SIGN) == 0x46199998u) & (quarter == 0);

	return loom_num_pick(hard, 0xbeb1fa5du ^ (a & LOOM_NUM_SIGN), sine);
}

/* The same for other arguments, also infinite ones and NaN. */
static inline __u32 loom_num_sin_far(__u32 a, __u32 quarter)
{
	const __u32 mag = a & ~LOOM_NUM_SIGN;
	double r;
	__u64 n;

	if (mag >= LOOM_NUM_INF)
		return LOOM_NUM_NAN;
	if (mag == 0x4ecd11c7u && quarter == 0)
		return 0x3f37516cu ^ (a & LOOM_NUM_SIGN);
	if (mag == 0x5f18b878u && quarter == 1)
		return 0x3f7f14bbu;
	if (mag == 0x6115cb11u && quarter == 1)
		return 0x3f78142fu;
	n = loom_num_quarter_far(a, &r);
	return loom_num_bits((float)loom_num_sin_quarter(r, n + quarter));
}

static inline int loom_num_is_far(__u32 a)
{
	return (a & ~LOOM_NUM_SIGN) >= LOOM_NUM_FAR;
}

static inline __u32 loom_num_sin(__u32 a)
{
	if (loom_num_is_far(a))
		return loom_num_sin_far(a, 0);
	return a << 1 ? loom_num_sin_near(a, 0) : a;
}

static inline __u32 loom_num_cos(__u32 a)
{
	return loom_num_is_far(a) ? loom_num_sin_far(a, 1) : loom_num_sin_near(a, 1);
}

/* ---- cube root ----------------------------------------------------------------------------------------- */

/* x = 2^(3 q) y with y from 1 to 8; a polynomial to 19 bits, then Halley's step, which triples them. */
static inline __u32 loom_num_cbrt(__u32 a)
{
	const __u32 mag = a & ~LOOM_NUM_SIGN;
	const __u64 bits = loom_num_bits64((double)loom_num_float(mag));
	const __u32 n = (__u32)(bits >> 52) - 255; /* the exponent + 768 */
	const __u32 q = n * 21846 >> 16, rest = n - 3 * q;
	const __u64 fraction = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
	const double m = loom_num_double(fraction), y = loom_num_double(fraction + ((__u64)rest << 52));
	double t = 0x1.4c7608a04eba1p-8, cube;
	__u32 r;

	t = t * m + -0x1.8bd2dce403128p-5;
	t = t * m + 0x1.92bfc00e33108p-3;
	t = t * m + -0x1.d758498b983bcp-2;
	t = t * m + 0x1.a9da3cc66f245p-1;
	t = t * m + 0x1.e68ceb1fc3429p-2;
	t = t * (rest == 0 ? 1.0 : rest == 1 ? 0x1.428a2f98d728bp+0 : 0x1.965fea53d6e3dp+0);
	cube = t * t * t;
	t = t + t * ((y - cube) / (2.0 * cube + y));
	r = loom_num_bits((float)loom_num_double(loom_num_bits64(t) + ((__u64)q << 52) - (256ull << 52)));
	r = mag == 0 || mag >= LOOM_NUM_INF ? mag : r;
	return loom_num_canonical(r | (a & LOOM_NUM_SIGN));
}

/* ---- two arguments ------------------------------------------------------------------------------------- */

/* To 42 significant bits, nearest even: what lies next to the middle of two f32 counts as the middle. */
static inline float loom_num_settle(double d)
{
	const __u64 bits = loom_num_bits64(d);

	return (float)loom_num_double((bits + 0x3ff + (bits >> 11 & 1)) & ~0x7ffull);
}

/* The angle of the point (b, a). */
static inline __u32 loom_num_atan2(__u32 a, __u32 b)
{
	const __u32 ua = a & ~LOOM_NUM_SIGN, ub = b & ~LOOM_NUM_SIGN;
	const int steep = ua > ub, same_inf = (ua == LOOM_NUM_INF) & (ub == LOOM_NUM_INF);
	const __u32 small = steep ? ub : ua, large = steep ? ua : ub;
	const double lo = (double)loom_num_float(same_inf ? LOOM_NUM_ONE : small);
	const double hi = (double)loom_num_float((same_inf | (large == 0)) ? LOOM_NUM_ONE : large);
	const int diagonal = lo > hi * 0x1.a827999fcef32p-2; /* tan(pi/8) */
	const double t = (diagonal ? lo - hi : lo) / (diagonal ? lo + hi : hi), z = t * t;
	double p = -0x1.3a2b7a07caea9p-6, eighths, v;
	int minus;
	__u32 r;

	p = p * z + 0x1.41603647c7a7cp-5;
	p = p * z + -0x1.a098bb6ba4941p-5;
	p = p * z + 0x1.dfe61e80903d2p-5;
	p = p * z + -0x1.10fa75382537fp-4;
	p = p * z + 0x1.3b1262d95579ep-4;
	p = p * z + -0x1.745d0b26b83e7p-4;
	p = p * z + 0x1.c71c7185314cbp-4;
	p = p * z + -0x1.24924924360cbp-3;
	p = p * z + 0x1.999999999934ap-3;
	p = p * z + -0x1.5555555555555p-2;
	p = t + t * z * p;
	/* eighths of a turn, then the angle from there; pi/4 in parts of 50 and 53 bits */
	eighths = diagonal ? 1.0 : 0.0;
	eighths = steep ? 2.0 - eighths : eighths;
	eighths = b >> 31 ? 4.0 - eighths : eighths;
	minus = steep ^ (int)(b >> 31);
	v = minus ? -p : p;
	v = eighths * 0x1.921fb54442d18p-1 + (eighths * 0x1.1a62633145c07p-55 + v);
	r = loom_num_bits(loom_num_settle(v)) | (a & LOOM_NUM_SIGN);
	return loom_num_isnan(a) | loom_num_isnan(b) ? LOOM_NUM_NAN : r;
}

/* 0: not an integer, 1: odd, 2: even. */
static inline __u32 loom_num_parity(__u32 b)
{
	const __u32 mag = b & ~LOOM_NUM_SIGN, exp = mag >> 23;
	const __u32 shift = exp > 150 ? 0 : exp < 126 ? 24 : 150 - exp;
	const __u32 m = (mag & 0x7fffffu) | 0x800000u;
	const __u32 whole = (m & ((1u << shift) - 1)) == 0;
	const __u32 parity = (0u - whole) & (2 - (m >> shift & 1));

	return loom_num_pick((exp > 150) | (mag == 0), 2, parity);
}

/* |a|^b for finite a other than 0 and finite b. */
static inline __u32 loom_num_pow_magnitude(__u32 ua, __u32 b)
{
	const double y = (double)loom_num_float(b);
	double m, k, l, w, r, t;

	k = loom_num_log_exponent(loom_num_log_split((double)loom_num_float(ua), &m));
	l = loom_num_log_sum(m - 1.0, 0.0) * LOOM_NUM_LOG2E;
	k = y * k; /* exact */
	l = y * l;
	w = k + l;
	w = w < -200.0 ? -200.0 : w;
	w = w > 200.0 ? 200.0 : w;
	t = w + LOOM_NUM_SHIFTER;
	r = ((k - (t - LOOM_NUM_SHIFTER)) + l) * 0x1.62e42fefa39efp-1;
	r = r < -0.5 ? -0.5 : r; /* no effect but where w is at a limit */
	r = r > 0.5 ? 0.5 : r;
	return loom_num_bits(loom_num_settle(loom_num_scale(1.0 + (r + r * r * loom_num_exp_tail(r)), t)));
}

/* a to the power b, with the special values of C's pow. */
static inline __u32 loom_num_pow(__u32 a, __u32 b)
{
	const __u32 ua = a & ~LOOM_NUM_SIGN, ub = b & ~LOOM_NUM_SIGN, parity = loom_num_parity(b);
	const __u32 grows = (ua > LOOM_NUM_ONE) ^ (b >> 31);
	const int limit = (ua == 0) | (ua == LOOM_NUM_INF) | (ub == LOOM_NUM_INF);
	const int invalid = (a >> 31) & (parity == 0) & (ua != 0) & (ua != LOOM_NUM_INF);
	__u32 r = loom_num_pow_magnitude(ua, b);

	r = loom_num_pick(limit, LOOM_NUM_INF & (0u - grows), r);
	r = loom_num_pick(ua == LOOM_NUM_ONE, LOOM_NUM_ONE, r);
	r |= a & parity << 31; /* bit 0: odd */
	r = loom_num_pick(invalid | loom_num_isnan(a) | loom_num_isnan(b), LOOM_NUM_NAN, r);
	return loom_num_pick((ub == 0) | (a == LOOM_NUM_ONE), LOOM_NUM_ONE, r);
}

#endif
