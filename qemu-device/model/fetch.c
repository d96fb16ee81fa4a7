// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Instruction fetch, in time only: the bytes themselves come from the host when SEQ looks at a record. Code lies in
 * lines of LOOM_BURST_BYTES in memory of class 0. Up to LOOM_FETCH_AHEAD lines beyond those that SEQ has taken are asked
 * for; a line is on its way for the class's latency, and then moves on the bus that the DMA queues use, one at a time and
 * in order. Lines taken stay in a buffer of LOOM_FETCH_KEEP lines: a jump to a line that is there, or on its way, costs
 * nothing, so that a loop that fits is fetched once. Any other jump drops what is on its way and begins anew.
 */
#include "machine.h"

static uint32_t line_of(uint32_t unit)
{
	return unit / (LOOM_BURST_BYTES / LOOM_UNIT_BYTES);
}

/* The line after the job's last. */
static uint32_t end_line(const struct loom_machine *m)
{
	return line_of(m->first_unit + m->n_units - 1) + 1;
}

uint64_t loom_fetch_line_cycles(const struct loom_target *t)
{
	return loom_ceil_div(LOOM_BURST_BYTES * 64, loom_mem_bandwidth64(&t->mem[0]));
}

/* SEQ takes what it waits for as it comes; as much as that more is asked for. */
static void take_and_ask(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	struct loom_fetch *f = &m->fetch;
	const uint32_t end = end_line(m), here = f->done < f->want ? f->done : f->want;

	if (here > f->taken)
		f->taken = here;
	if (f->taken - f->first > LOOM_FETCH_KEEP)
		f->first = f->taken - LOOM_FETCH_KEEP;
	for (; f->asked < end && f->asked - f->taken < LOOM_FETCH_AHEAD; f->asked++)
		f->at[f->asked % LOOM_FETCH_AHEAD] = m->now + npu->target.mem[0].latency;
	if (!f->moving)
		f->event = f->done == f->asked ? LOOM_NEVER : f->at[f->done % LOOM_FETCH_AHEAD];
	if (f->event < m->now) /* it waited for the line before it */
		f->event = m->now;
}

/* A job begins: its first lines come with its start. */
void loom_fetch_begin(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	struct loom_fetch *f = &m->fetch;
	const uint32_t end = end_line(m);

	f->first = f->taken = line_of(m->first_unit);
	f->done = f->asked = end - f->first < LOOM_FETCH_AHEAD ? end : f->first + LOOM_FETCH_AHEAD;
	f->event = LOOM_NEVER;
}

/* SEQ is at pc and needs `units` from there; 0: it needs nothing. */
void loom_fetch_want(struct loom_npu *npu, uint32_t units)
{
	struct loom_machine *m = &npu->m;
	struct loom_fetch *f = &m->fetch;
	const uint32_t line = line_of(m->seq.pc);

	if (!units) {
		f->want = f->first;
		return;
	}
	if (line < f->first || line > f->asked) {
		f->first = f->taken = f->done = f->asked = line;
		if (f->moving) {
			f->moving = 0;
			loom_bus_share(npu);
		}
	}
	f->want = line_of(m->seq.pc + units - 1) + 1;
	take_and_ask(npu);
}

bool loom_fetch_here(const struct loom_machine *m)
{
	return m->fetch.done >= m->fetch.want;
}

/* A line's latency is over, or it has arrived. */
void loom_fetch_event(struct loom_npu *npu)
{
	struct loom_fetch *f = &npu->m.fetch;

	if (f->moving) {
		f->moving = 0;
		f->done++;
		take_and_ask(npu);
	} else {
		f->moving = 1;
		f->rate = 0;
		f->since = npu->m.now;
		f->work = LOOM_BUS_SHARE * loom_fetch_line_cycles(&npu->target);
	}
	loom_bus_share(npu);
}
