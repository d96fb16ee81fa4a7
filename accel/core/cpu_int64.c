// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Scalar operations on 64-bit integers, and copies of bytes. No floats. */
#include "cpu_run.h"

static __u64 imulh(__u64 a, __u64 b)
{
	return (__u64)((unsigned __int128)((__int128)(__s64)a * (__s64)b) >> 64);
}

static __u64 umulh(__u64 a, __u64 b)
{
	return (__u64)((unsigned __int128)a * b >> 64);
}

static __u64 idiv(__u64 a, __u64 b)
{
	if (b == 0)
		return ~0ull;
	return b == ~0ull ? 0 - a : (__u64)((__s64)a / (__s64)b);
}

static __u64 irem(__u64 a, __u64 b)
{
	if (b == 0)
		return a;
	return b == ~0ull ? 0 : (__u64)((__s64)a % (__s64)b);
}

static __u64 popc(__u64 a)
{
	a -= a >> 1 & 0x5555555555555555ull;
	a = (a & 0x3333333333333333ull) + (a >> 2 & 0x3333333333333333ull);
	a = (a + (a >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return a * 0x0101010101010101ull >> 56;
}

#define A (a->d[i])
#define B (b->d[i])
#define C (c->d[i])
#define SA ((__s64)a->d[i])
#define SB ((__s64)b->d[i])

#define EACH(name, lanes, expr)                                                                                        \
	case LOOM_CPU_##name##64:                                                                                      \
		for (__u32 i = 0; i < n; i++)                                                                          \
			d->lanes[i] = (expr);                                                                          \
		break;

static void arithmetic(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		       __u32 n)
{
	switch (op) {
		EACH(IADD, d, A + B)
		EACH(ISUB, d, A - B)
		EACH(IMUL, d, A * B)
		EACH(IMULH, d, imulh(A, B))
		EACH(UMULH, d, umulh(A, B))
		EACH(IDIV, d, idiv(A, B))
		EACH(UDIV, d, B ? A / B : ~0ull)
		EACH(IREM, d, irem(A, B))
		EACH(UREM, d, B ? A % B : A)
		EACH(IMIN, d, SA < SB ? A : B)
		EACH(IMAX, d, SA > SB ? A : B)
		EACH(UMIN, d, A < B ? A : B)
		EACH(UMAX, d, A > B ? A : B)
		EACH(INEG, d, 0 - A)
		EACH(IABS, d, A >> 63 ? 0 - A : A)
		EACH(ISIGN, d, A >> 63 ? ~0ull : A != 0)
	}
}

static void bits(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b, __u32 n)
{
	switch (op) {
		EACH(MOV, d, A)
		EACH(AND, d, A & B)
		EACH(OR, d, A | B)
		EACH(XOR, d, A ^ B)
		EACH(NOT, d, ~A)
		EACH(SHL, d, B > 63 ? 0 : A << B)
		EACH(SHR, d, B > 63 ? 0 : A >> B)
		EACH(SAR, d, (__u64)(SA >> (B > 63 ? 63 : B)))
		EACH(ROTL, d, A << (B & 63) | A >> (-B & 63))
		EACH(CLZ, d, A ? (__u64)__builtin_clzll(A) : 64)
		EACH(POPC, d, popc(A))
	}
}

/* Results are half as wide as operands and may take their place: see cpu_float64.c. */
static void comparison(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		       __u32 n)
{
	switch (op) {
		EACH(IEQ, w, A == B)
		EACH(INE, w, A != B)
		EACH(ILT, w, SA < SB)
		EACH(ILE, w, SA <= SB)
		EACH(ULT, w, A < B)
		EACH(ULE, w, A <= B)
	}
}

/* d may be a, whose lanes are narrower: from the last lane on none is written before it is read. */
static void select(union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		   const union loom_cpu_reg *c, __u32 n)
{
	for (__u32 i = n; i-- > 0;)
		d->d[i] = a->w[i] ? B : C;
}

void loom_cpu_int64(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		    const union loom_cpu_reg *c, __u32 n)
{
	if (op == LOOM_CPU_SELECT64)
		select(d, a, b, c, n);
	else if (op >= LOOM_CPU_IEQ64)
		comparison(op, d, a, b, n);
	else if (op >= LOOM_CPU_AND64 || op == LOOM_CPU_MOV64)
		bits(op, d, a, b, n);
	else
		arithmetic(op, d, a, b, n);
}

/* With bytes and steps constants in the common case, the loops become copies. */
#define RUN(size)                                                                                                      \
	case size:                                                                                                     \
		for (__u32 i = 0; i < n; i++)                                                                          \
			memmove(dst + (__s64)i * dst_step, src + (__s64)i * src_step, size);                           \
		break;

void loom_cpu_copy_run(__u8 *dst, __s64 dst_step, const __u8 *src, __s64 src_step, __u32 bytes, __u32 n)
{
	if (dst_step == bytes && src_step == bytes) {
		memmove(dst, src, (__u64)n * bytes);
		return;
	}
	switch (bytes) {
		RUN(1)
		RUN(2)
		RUN(4)
		RUN(8)
	}
}
