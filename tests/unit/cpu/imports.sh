#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# imports.sh ARCHIVE: the CPU engine may import memcpy and its kin and nothing else of any library.
set -eu
list=$(nm "$1")
for object in cpu_check cpu_step cpu_float cpu_float64 cpu_sort; do
	echo "$list" | grep -q "^$object\.c\.o:\|^$object\.o:" || {
		echo "imports.sh: $1 has no $object; has the file been renamed?"
		exit 1
	}
done
bad=$(echo "$list" | awk '
	/:$/ { name = $1 }
	$1 == "U" && $2 !~ /^(loom_[a-z0-9_]+|memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_)$/ { print name " " $2 }')
if [ -n "$bad" ]; then
	echo "imports.sh: the CPU engine must not need these:"
	echo "$bad"
	exit 1
fi
