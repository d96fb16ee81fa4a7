/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* When the places that a strided operand names share no byte, so that threads may write them in any order. */
#ifndef LOOM_APART_H
#define LOOM_APART_H

#include <stdbool.h>
#include <stdint.h>

#define LOOM_APART_DIMS 8

/*
 * Whether the places base + sum of i[d] * stride[d], 0 <= i[d] < n[d], of bytes each share no byte: taken from the
 * smallest stride to the largest, each steps over all that lies within it. Sufficient, and necessary for the nested
 * operands that programs have. dims is at most LOOM_APART_DIMS.
 */
static inline bool loom_places_apart(unsigned dims, const uint64_t *n, const int64_t *stride, int64_t bytes)
{
	unsigned order[LOOM_APART_DIMS], used = 0;

	for (unsigned d = 0; d < dims; d++) {
		const int64_t s = stride[d] < 0 ? -stride[d] : stride[d];
		unsigned at = used;

		if (n[d] < 2)
			continue;
		for (; at && (stride[order[at - 1]] < 0 ? -stride[order[at - 1]] : stride[order[at - 1]]) > s; at--)
			order[at] = order[at - 1];
		order[at] = d;
		used++;
	}
	for (unsigned i = 0; i < used; i++) {
		const int64_t s = stride[order[i]] < 0 ? -stride[order[i]] : stride[order[i]];

		if (s < bytes)
			return false;
		bytes += (int64_t)(n[order[i]] - 1) * s;
	}
	return true;
}

#endif
