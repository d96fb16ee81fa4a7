// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
#include "sequencer.h"

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

void loom_sequencer_begin(struct loom_sequencer *s, const struct loom_prog_view *v, __u32 entry)
{
	const struct loom_prog_entry *e = &v->entries[entry];

	memset(s, 0, sizeof(*s));
	s->n_steps = e->n_steps;
	if (e->n_steps) {
		s->steps = &v->steps[e->first_step];
		return;
	}
	s->chain.kind = LOOM_STEP_RUN;
	s->chain.count = e->n_segments;
	s->n_steps = 1;
}

static const struct loom_prog_step *step_at(const struct loom_sequencer *s, __u32 i)
{
	return s->chain.count ? &s->chain : &s->steps[i];
}

/* Into the loop at this step. */
static void enter(struct loom_sequencer *s, const struct loom_prog_step *step)
{
	struct loom_sequencer_loop *l = &s->loops[s->depth++];

	l->head = s->at;
	l->end = s->at + 1 + step->count;
	l->left = step->arg;
	s->at++;
}

/* At the end of a body: a REPEAT goes on with its next round, or ends; a WHILE asks again. */
static void close_round(struct loom_sequencer *s)
{
	struct loom_sequencer_loop *l = &s->loops[s->depth - 1];

	if (step_at(s, l->head)->kind == LOOM_STEP_REPEAT && --l->left) {
		s->at = l->head + 1;
		return;
	}
	if (step_at(s, l->head)->kind == LOOM_STEP_WHILE)
		s->at = l->head;
	s->depth--;
}

static void take_answer(struct loom_sequencer *s, bool condition)
{
	const struct loom_prog_step *step = step_at(s, s->at);

	s->asked = false;
	if (condition)
		enter(s, step);
	else
		s->at += 1 + step->count;
}

enum loom_sequencer_want loom_sequencer_next(struct loom_sequencer *s, bool condition)
{
	const struct loom_prog_step *step;

	if (s->asked)
		take_answer(s, condition);
	for (;;) {
		if (s->depth && s->at == s->loops[s->depth - 1].end) {
			close_round(s);
			continue;
		}
		if (s->at == s->n_steps)
			return LOOM_WANT_NOTHING;
		step = step_at(s, s->at);
		if (step->kind != LOOM_STEP_REPEAT)
			break;
		enter(s, step);
	}
	if (step->kind == LOOM_STEP_WHILE) {
		s->asked = true;
		s->cond = step->cond;
		return LOOM_WANT_CONDITION;
	}
	s->first = step->first;
	s->count = step->count;
	s->at++;
	return LOOM_WANT_CHAIN;
}
