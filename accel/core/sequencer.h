/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Walks the schedule of an entry point (struct loom_prog_step): says what to submit next, and asks for the value of a
 * condition where the way depends on it. It submits nothing and reads nothing itself. A plain chain of segments is a
 * schedule of one step.
 */
#ifndef LOOM_SEQUENCER_H
#define LOOM_SEQUENCER_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif
#include "prog_check.h"

#ifdef __cplusplus
extern "C" {
#endif

enum loom_sequencer_want {
	LOOM_WANT_NOTHING = 0, /* the entry point is done */
	LOOM_WANT_CHAIN, /* run segments first to first + count - 1 of the entry point, then go on */
	LOOM_WANT_CONDITION, /* when all that was submitted is done, go on with the value of tensor cond */
};

struct loom_sequencer_loop {
	__u32 head; /* its step */
	__u32 end; /* the step after its body */
	__u64 left; /* REPEAT: rounds, with this one */
};

struct loom_sequencer {
	const struct loom_prog_step *steps; /* of a program that was checked */
	__u32 n_steps;
	__u32 at; /* the next step */
	struct loom_sequencer_loop loops[LOOM_PROG_MAX_DEPTH];
	__u32 depth; /* loops that at lies in */
	bool asked; /* step at waits for its condition */
	struct loom_prog_step chain; /* the one step of an entry point without a schedule */
	/* What is wanted. */
	__u32 first, count;
	__u32 cond;
};

/* v was checked and stays; entry exists in it. */
void loom_sequencer_begin(struct loom_sequencer *s, const struct loom_prog_view *v, __u32 entry);

/* condition: the answer, where the last call wanted one; else it does not count. Bounded time. */
enum loom_sequencer_want loom_sequencer_next(struct loom_sequencer *s, bool condition);

#ifdef __cplusplus
}
#endif

#endif
