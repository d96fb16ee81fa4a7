// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Which micro-kernels this CPU can run. */
#include "kernels.h"

#ifdef __x86_64__

#include <cpuid.h>

#define BIT(n) (1u << (n))

/* XCR0: which register state the operating system saves. */
static uint32_t xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

static bool has(enum loom_host_isa isa)
{
	const uint32_t need1c = BIT(12) | BIT(27) | BIT(28); /* FMA, OSXSAVE, AVX */
	const uint32_t ymm = 0x06, zmm = 0xe6;
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need1c) != need1c)
		return false;
	if ((xcr0() & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & BIT(5))) /* AVX2 */
		return false;
	if (isa == LOOM_HOST_AVX2)
		return true;
	if ((xcr0() & zmm) != zmm)
		return false;
	return (b & BIT(16)) && (b & BIT(30)) && (b & BIT(31)) && (c & BIT(11)); /* F, BW, VL, VNNI */
}

const struct loom_kernels *loom_kernels_select(enum loom_host_isa isa)
{
	switch (isa) {
	case LOOM_HOST_AUTO:
		return has(LOOM_HOST_AVX512) ? &loom_kernels_avx512 :
		       has(LOOM_HOST_AVX2)   ? &loom_kernels_avx2 :
					       &loom_kernels_scalar;
	case LOOM_HOST_SCALAR:
		return &loom_kernels_scalar;
	case LOOM_HOST_AVX2:
		return has(isa) ? &loom_kernels_avx2 : NULL;
	case LOOM_HOST_AVX512:
		return has(isa) ? &loom_kernels_avx512 : NULL;
	}
	return NULL;
}

#else

const struct loom_kernels *loom_kernels_select(enum loom_host_isa isa)
{
	return isa == LOOM_HOST_AUTO || isa == LOOM_HOST_SCALAR ? &loom_kernels_scalar : NULL;
}

#endif
