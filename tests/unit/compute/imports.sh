#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# imports.sh ARCHIVE: the arithmetic of the model may import memcpy and its kin and nothing else of any library.
set -eu
objects="mxu mxu_check mxu_dw epi vpu vpu_check vpu_ops vpu_mem vpu_reduce kernels_scalar kernels_avx2 kernels_avx512 kernels_select"
list=$(nm "$1")
for object in $objects; do
	echo "$list" | grep -q "^$object\.c\.o:\|^$object\.o:" || {
		echo "imports.sh: $1 has no $object; has the file been renamed?"
		exit 1
	}
done
bad=$(echo "$list" | awk -v objects="$objects" '
	BEGIN { n = split(objects, names, " "); for (i = 1; i <= n; i++) ours[names[i]] = 1 }
	/:$/ { name = $1; sub(/\.c\.o:$|\.o:$/, "", name) }
	$1 == "U" && (name in ours) && $2 !~ /^(loom_[a-z0-9_]+|memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_)$/ {
		print name ": " $2
	}')
if [ -n "$bad" ]; then
	echo "imports.sh: the model's arithmetic must not need these:"
	echo "$bad"
	exit 1
fi
