#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# run.sh PROGRAM CORPUS SEEDS: fuzzes for LOOM_FUZZ_SECONDS (60).
set -eu
mkdir -p "$2"
# MLIR's own objects are not instrumented, so containers that cross the border
# have no annotations, and the contexts' uniquers keep what they allocate.
export ASAN_OPTIONS="detect_container_overflow=0:alloc_dealloc_mismatch=0:detect_leaks=0:${ASAN_OPTIONS:-}"
exec "$1" -max_total_time="${LOOM_FUZZ_SECONDS:-60}" -timeout=20 \
	-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$2/" "$2" "$3"
