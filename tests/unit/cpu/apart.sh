#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# apart.sh ROOT COMPILER...: the CPU engine compiles as the kernel wants it, by each compiler that exists: freestanding, small
# frames, no variable-length arrays, and without floating-point registers but for the files that compute with floats.
# Whatever the optimisation, only memcpy and its kin are left undefined.
set -eu
root=$1
shift
floats=" cpu_convert cpu_float cpu_float64 cpu_fourier cpu_product "
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for compiler in "$@"; do
	command -v "$compiler" >/dev/null || continue
	for level in -O0 -O2 -O3; do
		for file in "$root"/accel/core/cpu_*.c; do
			name=$(basename "$file" .c)
			case "$floats" in
			*" $name "*) registers=-msse2 ;;
			*) registers=-mgeneral-regs-only ;;
			esac
			"$compiler" -std=gnu11 -Wall -Wextra -Werror -Wvla -Wframe-larger-than=1024 -ffreestanding \
				-ffp-contract=off -fno-strict-aliasing $level $registers \
				-I"$root/uapi" -I"$root/accel/core" -c "$file" -o "$out/$name.o"
			case "$floats" in
			*" $name "*) continue ;;
			esac
			if objdump -d --no-show-raw-insn "$out/$name.o" | grep -qE '%[xyz]mm|%st'; then
				echo "apart.sh: $compiler $level: $name uses floating-point registers"
				exit 1
			fi
		done
		bad=$(nm -u "$out"/*.o | grep " U " | grep -Ev ' (loom_[a-z0-9_]+|memcpy|memmove|memset|memcmp)$' || true)
		if [ -n "$bad" ]; then
			echo "apart.sh: $compiler $level leaves undefined: $bad"
			exit 1
		fi
	done
done
