#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# hash.sh ROOT CXX BUILT COMPILER...: every build of the CPU engine has the hashes of tests/golden/cpu_hashes.txt: BUILT
# (loom_cpu_hash) in each variant that this processor runs, and each compiler that exists at -O0, -O2 and -O3. To take new
# lines in, after a look at them: loom_cpu_hash > tests/golden/cpu_hashes.txt.
set -eu
root=$1 cxx=$2 built=$3
shift 3
golden=$root/tests/golden/cpu_hashes.txt
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

compare() { # NAME FILE
	if ! diff "$golden" "$2" >"$out/diff"; then
		echo "hash.sh: $1 differs from $golden:"
		head -20 "$out/diff"
		exit 1
	fi
}

[ "$(wc -l <"$golden")" -gt 900 ] || { echo "hash.sh: $golden has lost its lines"; exit 1; }
for variant in scalar avx2 avx512; do
	status=0
	"$built" "$variant" >"$out/hashes" || status=$?
	[ "$status" = 77 ] && continue
	[ "$status" = 0 ] || exit 1
	compare "$variant" "$out/hashes"
done

"$cxx" -std=c++20 -O1 -I"$root/uapi" -I"$root/accel/core" -c "$root/tests/unit/cpu/hash.cc" -o "$out/hash.o"
for compiler in "$@"; do
	command -v "$compiler" >/dev/null || continue
	for level in -O0 -O2 -O3; do
		mkdir -p "$out/core"
		for file in "$root"/accel/core/cpu_*.c; do
			"$compiler" -std=gnu11 -ffp-contract=off -fno-strict-aliasing $level -I"$root/uapi" \
				-I"$root/accel/core" -c "$file" -o "$out/core/$(basename "$file" .c).o"
		done
		"$cxx" "$out/hash.o" "$out"/core/*.o -o "$out/program"
		"$out/program" >"$out/hashes"
		compare "$compiler $level" "$out/hashes"
		rm -r "$out/core"
	done
done
