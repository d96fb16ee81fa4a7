// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The arithmetic of FFT, in the order that loom_cpu_ops.h states. This file computes with floats. */
#include "cpu_run.h"
#include "loom_num64.h"

#define PAIR 16u /* bytes */

struct pair {
	double re, im;
};

static inline struct pair get(const __u8 *at, __u64 i)
{
	struct pair p;

	memcpy(&p, at + PAIR * i, sizeof(p));
	return p;
}

static inline void put(__u8 *at, __u64 i, double re, double im)
{
	const struct pair p = { re, im };

	memcpy(at + PAIR * i, &p, sizeof(p));
}

/* exp(-2 pi i num / den) */
static void put_turn(__u8 *to, __u64 i, __u64 num, __u64 den)
{
	double c, s;

	loom_num_turn64(num, den, &c, &s);
	put(to, i, c, -s);
}

void loom_cpu_fft_twiddles(__u8 *to, __u64 first, __u32 n, __u64 m)
{
	for (__u64 k = first; k < first + n; k++)
		put_turn(to, k, k, m);
}

/* Squares are below 2^48. */
void loom_cpu_fft_chirps(__u8 *to, __u64 first, __u32 n, __u64 length)
{
	for (__u64 k = first; k < first + n; k++)
		put_turn(to, k, k * k % (2 * length), 2 * length);
}

void loom_cpu_fft_butterflies(__u8 *to, const __u8 *from, const __u8 *twiddles, __u32 first, __u32 n, __u32 m,
			      __u32 stride)
{
	for (__u32 i = first; i < first + n; i++) {
		const __u32 b = i & (m / 2 - 1), q = b & (stride - 1);
		const __u64 line = 2 * (__u64)(i - b), at = line + 2 * (__u64)(b - q) + q;
		const struct pair u = get(from, line + b), v = get(from, line + b + m / 2), w = get(twiddles, b - q);
		const double re = u.re - v.re, im = u.im - v.im;

		put(to, at, u.re + v.re, u.im + v.im);
		put(to, at + stride, re * w.re - im * w.im, re * w.im + im * w.re);
	}
}

void loom_cpu_fft_times(union loom_cpu_reg *re, union loom_cpu_reg *im, const __u8 *table, const __u32 *index, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		const struct pair w = get(table, index[i]);
		const double a = loom_num_double(re->d[i]), b = loom_num_double(im->d[i]);

		re->d[i] = loom_num_bits64(a * w.re - b * w.im);
		im->d[i] = loom_num_bits64(a * w.im + b * w.re);
	}
}

void loom_cpu_fft_divide(union loom_cpu_reg *v, __u32 by, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		v->d[i] = loom_num_bits64(loom_num_double(v->d[i]) / (double)(__s64)by);
}
