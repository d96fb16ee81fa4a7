/* SPDX-License-Identifier: MIT */
/*
 * Elementary functions of f64, included by loom_num64.h: by additions, multiplications and divisions alone, each rounded on
 * its own. Results are within two units in the last place of the exact value, most within one; tests/golden/cpu_num64.txt
 * and its test hold each function to its bound. Special values are C's.
 *
 * What needs more than 53 bits is kept as the sum of two doubles, hi and a lo that is below half a unit of it.
 */
#ifndef LOOM_NUM64_ELEMENTARY_H
#define LOOM_NUM64_ELEMENTARY_H

#ifndef LOOM_NUM64_H
#include "loom_num64.h"
#endif

struct loom_num_dd {
	double hi, lo;
};

/* a + b, exactly. */
static inline struct loom_num_dd loom_num_two_sum(double a, double b)
{
	const double s = a + b, t = s - a;
	const struct loom_num_dd r = { s, (a - (s - t)) + (b - t) };

	return r;
}

/* a + b, exactly, for |a| >= |b| or a = 0. */
static inline struct loom_num_dd loom_num_fast_sum(double a, double b)
{
	const double s = a + b;
	const struct loom_num_dd r = { s, b - (s - a) };

	return r;
}

/* a b, exactly, where neither overflows nor falls below 2^-900. */
static inline struct loom_num_dd loom_num_two_product(double a, double b)
{
	const double p = a * b, ca = 134217729.0 * a, cb = 134217729.0 * b;
	const double ah = ca - (ca - a), bh = cb - (cb - b), al = a - ah, bl = b - bh;
	const struct loom_num_dd r = { p, ((ah * bh - p) + ah * bl + al * bh) + al * bl };

	return r;
}

static inline struct loom_num_dd loom_num_dd_times(struct loom_num_dd a, struct loom_num_dd b)
{
	const struct loom_num_dd p = loom_num_two_product(a.hi, b.hi);

	return loom_num_fast_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline struct loom_num_dd loom_num_dd_plus(struct loom_num_dd a, struct loom_num_dd b)
{
	const struct loom_num_dd s = loom_num_two_sum(a.hi, b.hi);

	return loom_num_fast_sum(s.hi, s.lo + (a.lo + b.lo));
}

/* 2^k, k from -1022 to 1023. */
static inline double loom_num_power_of_two(int k)
{
	return loom_num_double((__u64)(1023 + k) << 52);
}

static inline double loom_num_clip(double x, double lo, double hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* ---- exponentials -------------------------------------------------------------------------------------- */

/* exp(x + lo) - 1 = 2^k (1 + result) - 1, |lo| far below x or 1, |x| < 1100. */
static inline double loom_num_exp_reduced(double x, double lo, int *k)
{
	const double t = x * LOOM_NUM_LOG2E + LOOM_NUM_SHIFTER, n = t - LOOM_NUM_SHIFTER;
	const struct loom_num_dd d = loom_num_two_sum(x - n * LOOM_NUM_LN2_HI, lo - n * LOOM_NUM_LN2_LO);
	const double r = d.hi, c = d.lo;

	*k = (int)(__s32)loom_num_bits64(t);
	return r + (r * r * loom_num_exp_tail(r) + (c + c * r));
}

/* exp(x + lo): one rounding more where it is subnormal. */
static inline double loom_num_exp_dd(double x, double lo)
{
	int k;
	const double y = loom_num_exp_reduced(loom_num_clip(x, -760.0, 720.0), lo, &k);
	const int half = k >> 1;

	return (1.0 + y) * loom_num_power_of_two(half) * loom_num_power_of_two(k - half);
}

/* |x| <= 60 */
static inline double loom_num_expm1_dd(double x)
{
	int k;
	const double y = loom_num_exp_reduced(x, 0.0, &k), s = loom_num_power_of_two(k);
	const struct loom_num_dd one = loom_num_two_sum(s, -1.0), sum = loom_num_two_sum(one.hi, y * s);

	return sum.hi + (sum.lo + one.lo);
}

static inline __u64 loom_num_exp_f64(__u64 a)
{
	return loom_num_isnan64(a) ? LOOM_NUM_NAN64 : loom_num_bits64(loom_num_exp_dd(loom_num_double(a), 0.0));
}

static inline __u64 loom_num_expm1_f64(__u64 a)
{
	const double x = loom_num_double(a);

	if (loom_num_isnan64(a))
		return LOOM_NUM_NAN64;
	if (a << 1 == 0)
		return a;
	return loom_num_bits64(x > 60.0 ? loom_num_exp_dd(x, 0.0) : loom_num_expm1_dd(loom_num_clip(x, -60.0, 60.0)));
}

static inline __u64 loom_num_tanh_f64(__u64 a)
{
	const __u64 mag = a & ~LOOM_NUM_SIGN64;
	const double y = loom_num_clip(loom_num_double(mag), 0.0, 22.0);
	double e, r;

	if (loom_num_isnan64(a))
		return LOOM_NUM_NAN64;
	if (mag < 0x3e30000000000000ull) /* 2^-28 */
		return a;
	if (y >= 1.0) {
		r = 1.0 - 2.0 / (loom_num_expm1_dd(2.0 * y) + 2.0);
	} else {
		e = loom_num_expm1_dd(-2.0 * y);
		r = -e / (e + 2.0);
	}
	return loom_num_bits64(r) | (a & LOOM_NUM_SIGN64);
}

static inline __u64 loom_num_logistic_f64(__u64 a)
{
	const double x = loom_num_double(a);

	if (loom_num_isnan64(a))
		return LOOM_NUM_NAN64;
	return loom_num_bits64(x < -40.0 ? loom_num_exp_dd(x, 0.0) : 1.0 / (1.0 + loom_num_exp_dd(-x, 0.0)));
}

/* ---- logarithms ---------------------------------------------------------------------------------------- */

/* x = 2^*k m, m from sqrt(1/2) to sqrt(2). x above 0 and finite. */
static inline double loom_num_split64(double x, double *k)
{
	const int small = x < 0x1p-1000;
	double m;

	*k = loom_num_log_exponent(loom_num_log_split(small ? x * 0x1p54 : x, &m)) - (small ? 54.0 : 0.0);
	return m;
}

static inline __u64 loom_num_log_f64(__u64 a)
{
	double m, k;

	if (a << 1 == 0)
		return LOOM_NUM_INF64 | LOOM_NUM_SIGN64;
	if (loom_num_isnan64(a) || a >> 63)
		return LOOM_NUM_NAN64;
	if (a == LOOM_NUM_INF64)
		return a;
	m = loom_num_split64(loom_num_double(a), &k);
	return loom_num_bits64(loom_num_log_sum(m - 1.0, k));
}

static inline __u64 loom_num_log1p_f64(__u64 a)
{
	const double x = loom_num_double(a);
	struct loom_num_dd u;
	double m, k;

	if (a << 1 == 0 || a == LOOM_NUM_INF64)
		return a;
	if (a == (LOOM_NUM_ONE64 | LOOM_NUM_SIGN64))
		return LOOM_NUM_INF64 | LOOM_NUM_SIGN64;
	if (loom_num_isnan64(a) || x < -1.0)
		return LOOM_NUM_NAN64;
	u = loom_num_two_sum(1.0, x);
	m = loom_num_split64(u.hi, &k);
	if (k == 0.0) /* x itself has the digits that 1 + x lost */
		return loom_num_bits64((a & ~LOOM_NUM_SIGN64) < 0x3c90000000000000ull ? x : loom_num_log_sum(x, 0.0));
	return loom_num_bits64(loom_num_log_sum(m - 1.0, k) + u.lo / u.hi);
}

/* ---- error function ------------------------------------------------------------------------------------ */

/* 1 - erf(u + 5) for |u| <= 1. */
static inline double loom_num_erf_farther(double u)
{
	double p = 0x1.3d653ad020efep-44;

	p = p * u + -0x1.15dfcf62feff6p-42;
	p = p * u + 0x1.33d8296fd8977p-43;
	p = p * u + 0x1.635b7d4112c12p-40;
	p = p * u + -0x1.f7aef6dced475p-38;
	p = p * u + 0x1.e029506c87c31p-36;
	p = p * u + -0x1.68112efc1c759p-34;
	p = p * u + 0x1.be7258cd9d7cap-33;
	p = p * u + -0x1.d9d26b3f6c99ap-32;
	p = p * u + 0x1.b589c7e9bdea1p-31;
	p = p * u + -0x1.617977f9274b4p-30;
	p = p * u + 0x1.f41453f26cca6p-30;
	p = p * u + -0x1.3506010b9d0b0p-29;
	p = p * u + 0x1.4bce69a6f8a02p-29;
	p = p * u + -0x1.32c7288dc5b40p-29;
	p = p * u + 0x1.e2359595a56ffp-30;
	p = p * u + -0x1.3c51d0ba83741p-30;
	p = p * u + 0x1.516d3ad6d62fep-31;
	p = p * u + -0x1.196da0a8ce709p-32;
	p = p * u + 0x1.589b23262069dp-34;
	p = p * u + -0x1.13af4f0514d62p-36;
	p = p * u + 0x1.b0c1a7409d0edp-40;
	return p;
}

static inline __u64 loom_num_erf_f64(__u64 a)
{
	const __u64 sign = a & LOOM_NUM_SIGN64;
	const double y = loom_num_double(a ^ sign);
	double r;

	if (loom_num_isnan64(a))
		return LOOM_NUM_NAN64;
	if (y < 1.0)
		r = y * loom_num_erf_near(y * y);
	else if (y < 4.0)
		r = 1.0 - loom_num_erf_far(y - 2.5);
	else
		r = y < 6.0 ? 1.0 - loom_num_erf_farther(y - 5.0) : 1.0;
	return loom_num_bits64(r) | sign;
}

/* ---- sine and cosine ----------------------------------------------------------------------------------- */

/* Three words, most significant first, shifted left by n < 192. */
static inline void loom_num_shift_left3(__u64 *w, int n)
{
	for (; n >= 64; n -= 64) {
		w[0] = w[1];
		w[1] = w[2];
		w[2] = 0;
	}
	if (n) {
		w[0] = w[0] << n | w[1] >> (64 - n);
		w[1] = w[1] << n | w[2] >> (64 - n);
		w[2] <<= n;
	}
}

/* w = 0 - w */
static inline void loom_num_negate3(__u64 *w)
{
	w[2] = 0 - w[2];
	w[1] = ~w[1] + (w[2] == 0);
	w[0] = ~w[0] + (w[2] == 0 && w[1] == 0);
}

/* Those 192 bits of 53-bit m times 2/pi that do not make whole turns, as quarters with 190 bits of fraction. */
static inline void loom_num_quarters(__u64 m, __u32 exponent, __u64 *w)
{
	static const __u32 two_over_pi[40] = {
		0,	     0,		  0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u,
		0xfe5163abu, 0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau, 0x09d1921cu, 0xfe1deb1cu, 0xb129a73eu,
		0xe88235f5u, 0x2ebb4484u, 0xe99c7026u, 0xb45f7e41u, 0x3991d639u, 0x835339f4u, 0x9c845f8bu, 0xbdf9283bu,
		0x1ff897ffu, 0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu, 0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u, 0x9e5fea2du,
		0x7527bac7u, 0xebe5f17bu, 0x3d0739f7u, 0x8a5292eau, 0x6bfb5fb1u, 0x1f8d5d08u, 0x56033046u, 0xfc7b6babu,
	};
	const __u32 first = exponent - 1013, shift = first % 32;
	const __u32 *p = two_over_pi + first / 32;
	__u64 low = 0, high = 0; /* carries of m's halves */
	__u32 out[6], previous = 0;
	int i;

	for (i = 5; i >= 0; i--) {
		const __u64 word = (__u32)(p[i] << shift | (shift ? p[i + 1] >> (32 - shift) : 0));
		__u64 sum;

		low += (m & 0xffffffffu) * word;
		sum = (low & 0xffffffffu) + previous;
		out[i] = (__u32)sum;
		high += (m >> 32) * word;
		previous = (__u32)high;
		low = (low >> 32) + (sum >> 32);
		high >>= 32;
	}
	for (i = 0; i < 3; i++)
		w[i] = (__u64)out[2 * i] << 32 | out[2 * i + 1];
}

/* x = n pi/2 + r, |r| <= pi/4; n in the low bits of the result. x finite. */
static inline __u64 loom_num_quarter64(__u64 a, struct loom_num_dd *r)
{
	const __u64 mag = a & ~LOOM_NUM_SIGN64;
	const struct loom_num_dd half_pi = { 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54 };
	struct loom_num_dd f;
	__u64 w[3], turn;
	int negative, n;

	r->hi = loom_num_double(a);
	r->lo = 0.0;
	if (mag <= 0x3fe921fb54442d18ull) /* pi/4 */
		return 0;
	loom_num_quarters((mag & 0xfffffffffffffull) | 1ull << 52, (__u32)(mag >> 52), w);
	turn = (w[0] + (1ull << 61)) >> 62;
	w[0] -= turn << 62;
	negative = (int)(w[0] >> 63);
	if (negative)
		loom_num_negate3(w);
	n = w[0] ? __builtin_clzll(w[0]) : 64 + (w[1] ? __builtin_clzll(w[1]) : 63);
	loom_num_shift_left3(w, n);
	f.hi = (double)(__s64)(w[0] >> 11) * loom_num_power_of_two(-51 - n);
	f.lo = (double)(__s64)((w[0] & 0x7ff) << 42 | w[1] >> 22) * loom_num_power_of_two(-104 - n);
	*r = loom_num_dd_times(f, half_pi);
	if (negative ^ (int)(a >> 63)) {
		r->hi = -r->hi;
		r->lo = -r->lo;
	}
	return a >> 63 ? 0 - turn : turn;
}

/* sin(r + quarter pi/2) */
static inline double loom_num_sin_dd(struct loom_num_dd r, __u64 quarter)
{
	const double x = r.hi, z = x * x, h = 0.5 * z, w = 1.0 - h;
	double s = 0x1.9241fe47ad0d1p-49, c = 0x1.ab779550c8d9bp-45;

	s = s * z + -0x1.ae7c524f65a8ep-41;
	s = s * z + 0x1.61245fb3dc7eep-33;
	s = s * z + -0x1.ae64567e723afp-26;
	s = s * z + 0x1.71de3a556c2c3p-19;
	s = s * z + -0x1.a01a01a01a019p-13;
	s = s * z + 0x1.1111111111111p-7;
	s = s * z + -0x1.5555555555555p-3;
	s = x + (x * z * s + r.lo * w);
	c = c * z + -0x1.9394b8bd50ae1p-37;
	c = c * z + 0x1.1eed8deac3dfep-29;
	c = c * z + -0x1.27e4fb77125c5p-22;
	c = c * z + 0x1.a01a01a019d06p-16;
	c = c * z + -0x1.6c16c16c16c16p-10;
	c = c * z + 0x1.5555555555555p-5;
	c = w + (((1.0 - w) - h) + (z * z * c - x * r.lo));
	s = quarter & 1 ? c : s;
	return loom_num_double(loom_num_bits64(s) ^ (quarter & 2) << 62);
}

static inline __u64 loom_num_sin_any64(__u64 a, __u64 quarter)
{
	struct loom_num_dd r;
	__u64 n;

	if ((a & ~LOOM_NUM_SIGN64) >= LOOM_NUM_INF64)
		return LOOM_NUM_NAN64;
	n = loom_num_quarter64(a, &r);
	return loom_num_bits64(loom_num_sin_dd(r, n + quarter));
}

static inline __u64 loom_num_sin_f64(__u64 a)
{
	return (a & ~LOOM_NUM_SIGN64) < 0x3e40000000000000ull ? a : loom_num_sin_any64(a, 0); /* 2^-27 */
}

static inline __u64 loom_num_cos_f64(__u64 a)
{
	return loom_num_sin_any64(a, 1);
}

/* ---- parts of a turn ----------------------------------------------------------------------------------- */

/*
 * cos and sin of num / den turns, to 2^-52 of themselves or so. num below den, den below 2^50. Both are computed in the
 * first eighth of a turn, from x = r (pi / 4) / den with a whole r, so that they are 0 and 1 where they should be.
 */
static inline void loom_num_turn64(__u64 num, __u64 den, double *cosine, double *sine)
{
	const __u64 eighths = 8 * num / den, r = 8 * num - eighths * den;
	const double x = (double)(__s64)(eighths & 1 ? den - r : r) * 0x1.921fb54442d18p-1 / (double)(__s64)den;
	const struct loom_num_dd angle = { x, 0.0 };
	const double c = loom_num_sin_dd(angle, 1), s = loom_num_sin_dd(angle, 0);
	const int swap = (eighths + 1) >> 1 & 1; /* eighths 1, 2, 5, 6 */

	*cosine = swap ? s : c;
	*sine = swap ? c : s;
	if (eighths >= 2 && eighths < 6)
		*cosine = -*cosine;
	if (eighths >= 4)
		*sine = -*sine;
}

/* ---- cube root ----------------------------------------------------------------------------------------- */

/* As for f32, but the polynomial's value is cut to 26 bits, so that its square is exact, and two steps are taken. */
static inline __u64 loom_num_cbrt_f64(__u64 a)
{
	const __u64 sign = a & LOOM_NUM_SIGN64, mag = a ^ sign;
	const int small = mag >> 52 == 0, add = small ? 54 : 0;
	const __u64 bits = loom_num_bits64(loom_num_double(mag) * (small ? 0x1p54 : 1.0));
	const int n = (int)(bits >> 52) - 1023 - add + 1200, q = n / 3, rest = n - 3 * q;
	const __u64 fraction = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
	const double m = loom_num_double(fraction), y = loom_num_double(fraction + ((__u64)rest << 52));
	double t = 0x1.4c7608a04eba1p-8, cube;

	if (mag == 0 || mag >= LOOM_NUM_INF64)
		return loom_num_canonical64(a);
	t = t * m + -0x1.8bd2dce403128p-5;
	t = t * m + 0x1.92bfc00e33108p-3;
	t = t * m + -0x1.d758498b983bcp-2;
	t = t * m + 0x1.a9da3cc66f245p-1;
	t = t * m + 0x1.e68ceb1fc3429p-2;
	t = t * (rest == 0 ? 1.0 : rest == 1 ? 0x1.428a2f98d728bp+0 : 0x1.965fea53d6e3dp+0);
	cube = t * t * t;
	t = t + t * ((y - cube) / (2.0 * cube + y));
	t = loom_num_double((loom_num_bits64(t) + 0x4000000) & ~0x7ffffffull);
	cube = t * t;
	t = t + t * ((y / cube - t) / (2.0 * t + y / cube));
	return loom_num_bits64(t * loom_num_power_of_two(q - 400)) | sign;
}

/* ---- two arguments ------------------------------------------------------------------------------------- */

/* atan(t) for |t| <= tan(pi/8): the polynomial of loom_num_atan2(). */
static inline double loom_num_atan_near(double t)
{
	const double z = t * t;
	double p = -0x1.3a2b7a07caea9p-6;

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
	return t + t * z * p;
}

/* The angle of the point (b, a). */
static inline __u64 loom_num_atan2_f64(__u64 a, __u64 b)
{
	const __u64 sign = a & LOOM_NUM_SIGN64, ua = a ^ sign, ub = b & ~LOOM_NUM_SIGN64;
	const int steep = ua > ub, same_inf = ua == LOOM_NUM_INF64 && ub == LOOM_NUM_INF64;
	const __u64 small = steep ? ub : ua, large = steep ? ua : ub;
	const double scale = large > 0x7fd0000000000000ull ? 0.5 : 1.0; /* the sum must not overflow */
	const double lo = same_inf ? 1.0 : loom_num_double(small) * scale;
	const double hi = same_inf || large == 0 ? 1.0 : loom_num_double(large) * scale;
	const int diagonal = lo > hi * 0x1.a827999fcef32p-2; /* tan(pi/8) */
	double p, eighths;

	if (loom_num_isnan64(a) || loom_num_isnan64(b))
		return LOOM_NUM_NAN64;
	p = loom_num_atan_near((diagonal ? lo - hi : lo) / (diagonal ? lo + hi : hi));
	eighths = diagonal ? 1.0 : 0.0;
	eighths = steep ? 2.0 - eighths : eighths;
	eighths = b >> 63 ? 4.0 - eighths : eighths;
	p = steep ^ (int)(b >> 63) ? -p : p;
	p = eighths * 0x1.921fb54442d18p-1 + (eighths * 0x1.1a62633145c07p-55 + p);
	return loom_num_bits64(p) | sign;
}

/* 0: not an integer, 1: odd, 2: even. */
static inline int loom_num_parity64(__u64 b)
{
	const __u64 mag = b & ~LOOM_NUM_SIGN64, m = (mag & 0xfffffffffffffull) | 1ull << 52;
	const int exp = (int)(mag >> 52);

	if (mag == 0 || exp > 1075)
		return 2;
	if (exp < 1023 || m & ((1ull << (1075 - exp)) - 1))
		return 0;
	return m >> (1075 - exp) & 1 ? 1 : 2;
}

/* log2(x) to some 65 bits: 2 s (1 + s^2 / 3 + s^4 / 5 + ...) / log(2) + k, s = (m - 1) / (m + 1). */
static inline struct loom_num_dd loom_num_log2_dd(double x)
{
	const struct loom_num_dd third = { 0x1.5555555555555p-2, 0x1.5555555555555p-56 };
	const struct loom_num_dd two_log2e = { 0x1.71547652b82fep+1, 0x1.777d0ffda0d24p-55 };
	struct loom_num_dd s, z, sum, den, product;
	double m, k, q = 0x1.e077188742e3cp-5;

	m = loom_num_split64(x, &k);
	den = loom_num_two_sum(m, 1.0);
	s.hi = (m - 1.0) / den.hi;
	product = loom_num_two_product(s.hi, den.hi);
	s.lo = ((((m - 1.0) - product.hi) - product.lo) - s.hi * den.lo) / den.hi;
	z = loom_num_dd_times(s, s);
	q = q * z.hi + 0x1.df75d14baa685p-5;
	q = q * z.hi + 0x1.1118e94969b8bp-4;
	q = q * z.hi + 0x1.3b1395347c9e0p-4;
	q = q * z.hi + 0x1.745d177c10ad9p-4;
	q = q * z.hi + 0x1.c71c71c6e8f44p-4;
	q = q * z.hi + 0x1.2492492492527p-3;
	q = q * z.hi + 0x1.999999999999ap-3;
	sum = loom_num_dd_times(z, third);
	sum.lo += q * z.hi * z.hi;
	sum = loom_num_fast_sum(sum.hi, sum.lo);
	den.hi = 1.0;
	den.lo = 0.0;
	sum = loom_num_dd_times(loom_num_dd_times(s, loom_num_dd_plus(den, sum)), two_log2e);
	den.hi = k;
	return loom_num_dd_plus(den, sum);
}

/* |a|^b for finite a other than 0 and finite b. */
static inline double loom_num_pow_magnitude64(__u64 ua, __u64 b)
{
	const struct loom_num_dd log2 = { 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56 };
	const struct loom_num_dd l = loom_num_log2_dd(loom_num_double(ua));
	const double y = loom_num_clip(loom_num_double(b), -0x1p70, 0x1p70);
	struct loom_num_dd w = { y, 0.0 };

	w = loom_num_dd_times(w, l);
	if (w.hi > 1100.0 || w.hi < -1100.0)
		return loom_num_exp_dd(w.hi > 0.0 ? 720.0 : -760.0, 0.0);
	w = loom_num_dd_times(w, log2);
	return loom_num_exp_dd(w.hi, w.lo);
}

/* a to the power b, with the special values of C's pow. */
static inline __u64 loom_num_pow_f64(__u64 a, __u64 b)
{
	const __u64 ua = a & ~LOOM_NUM_SIGN64, ub = b & ~LOOM_NUM_SIGN64;
	const int parity = loom_num_parity64(b), grows = (ua > LOOM_NUM_ONE64) ^ (int)(b >> 63);
	const __u64 sign = parity == 1 ? a & LOOM_NUM_SIGN64 : 0;

	if (ub == 0 || a == LOOM_NUM_ONE64)
		return LOOM_NUM_ONE64;
	if (loom_num_isnan64(a) || loom_num_isnan64(b))
		return LOOM_NUM_NAN64;
	if (ua == LOOM_NUM_ONE64)
		return ub == LOOM_NUM_INF64 || parity ? LOOM_NUM_ONE64 | sign : LOOM_NUM_NAN64;
	if (ua == 0 || ua == LOOM_NUM_INF64 || ub == LOOM_NUM_INF64)
		return (grows ? LOOM_NUM_INF64 : 0) | sign;
	if (a >> 63 && !parity)
		return LOOM_NUM_NAN64;
	return loom_num_bits64(loom_num_pow_magnitude64(ua, b)) | sign;
}

#endif
