#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# alone.sh UAPI CC CXX: loom_num.h compiles without a warning as C11, C++20 and for 32 bits, and calls nothing; and
# refuses arithmetic that is not IEEE single precision.
set -eu
uapi=$1 cc=$2 cxx=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/use.c" <<'SOURCE'
#include "loom_num.h"
__u32 use(__u32 a, __u32 b, __u32 c);
__u32 use(__u32 a, __u32 b, __u32 c)
{
	a = loom_num_fma(a, b, c) + loom_num_sqrt(a) + loom_num_rsqrt(b) + loom_num_rem(a, b) + loom_num_div(a, b);
	a += loom_num_round(a, LOOM_NUM_RNE) + loom_num_to_f16(b) + loom_num_from_f16((__u16)c) + loom_num_to_bf16(c);
	a += (__u32)loom_num_requant_double((__s32)a, (__s32)b, (__s32)c) + loom_num_reduce_precision(a, b, c);
	a += (__u32)loom_num_requant_single((__s32)a, (__s32)b, (__s32)c) + loom_num_to_u32(a) + loom_num_from_u32(b);
	a += loom_num_exp(a) + loom_num_expm1(a) + loom_num_log(a) + loom_num_log1p(b) + loom_num_tanh(c);
	a += loom_num_logistic(a) + loom_num_erf(a) + loom_num_sin(b) + loom_num_cos(c) + loom_num_cbrt(a);
	a += loom_num_atan2(a, b) + loom_num_pow(b, c);
	return a + (__u32)loom_num_requant_f32((__s32)a, b) + loom_num_clz(a) + loom_num_popc(b) + loom_num_umulh(a, b);
}
SOURCE
cp "$dir/use.c" "$dir/use.cc"

check() {
	"$@" -Wall -Wextra -Wpedantic -Werror -ffp-contract=off -I "$uapi" -c -o "$dir/use.o"
	if nm "$dir/use.o" | grep ' U ' | grep -v _GLOBAL_OFFSET_TABLE_; then
		echo "alone.sh: $* makes calls"
		exit 1
	fi
}

for level in -O0 -O2 -O3; do
	check "$cc" -std=c11 $level "$dir/use.c"
	check "$cc" -std=c11 $level -mfma "$dir/use.c"
	check "$cxx" -std=c++20 $level "$dir/use.cc"
	check "$cc" -std=c11 $level -m32 -fno-pic -msse2 -mfpmath=sse "$dir/use.c"
done
for wrong in "-m32 -mfpmath=387" "-ffast-math"; do
	if "$cc" -std=c11 $wrong -I "$uapi" -fsyntax-only "$dir/use.c" 2> "$dir/log"; then
		echo "alone.sh: loom_num.h accepts $wrong"
		exit 1
	fi
	grep -q "loom_num.h needs" "$dir/log"
done
