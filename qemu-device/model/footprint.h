/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The bytes that a record touches, as strided boxes, and whether two boxes share a byte.
 */
#ifndef LOOM_FOOTPRINT_H
#define LOOM_FOOTPRINT_H

#include "exec.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOOM_BOX_DIMS 6u
#define LOOM_MAX_BOXES 28u /* of a VPU record: 6 views, each written and read, and a table an immediate */
#define LOOM_SPACE_ACC 0x10000u /* the accumulators, beside the slots */

/* lo + sum(i[d] * dim[d].stride) + [0, inner), for all i[d] < dim[d].count.
 * Strides fall, the last exceeds inner. */
struct loom_box {
	uint32_t space; /* slot, LOOM_SLOT_SRAM or LOOM_SPACE_ACC */
	bool write;
	bool loose; /* named by an index list: some of these bytes, not all */
	uint32_t rank;
	int64_t lo, hi; /* first byte, and the one after the last */
	int64_t inner;	/* contiguous bytes */
	struct {
		int64_t count, stride;
	} dim[LOOM_BOX_DIMS];
};

/*
 * Boxes of a record that its unit's check let pass; returns how many. Of a
 * scalar record base[0] is the value of ra.
 */
unsigned loom_footprint(const struct loom_dispatched *r, struct loom_box box[LOOM_MAX_BOXES]);

/* A box of one run of bytes, and the same repeated along a dimension of any
 * stride; at most LOOM_BOX_DIMS of them. After the last, loom_box_join() makes
 * of runs that touch or overlap one longer run. */
struct loom_box loom_box_run(uint32_t space, bool write, int64_t lo, int64_t bytes);
void loom_box_extend(struct loom_box *b, int64_t count, int64_t stride);
void loom_box_join(struct loom_box *b);

/* False only if no byte is in both. */
bool loom_boxes_meet(const struct loom_box *a, const struct loom_box *b);

/* True only if every byte of inside is in outside. */
bool loom_box_covers(const struct loom_box *outside, const struct loom_box *inside);

#ifdef __cplusplus
}
#endif

#endif
