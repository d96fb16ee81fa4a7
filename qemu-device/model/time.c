// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The clock. Time is counted in whole cycles from the doorbell; the first record is fetched in cycle
 * LOOM_T_JOB_START. In one cycle things happen in this order:
 *   1. a line of code arrives, or begins to move; records whose time is over take effect, by queue number; a DMA record
 *      whose start-up is over begins to move;
 *   2. signals given LOOM_T_SEM cycles ago become visible;
 *   3. records start, by queue number: SEQ fetches, waits, starts; the heads of the other queues wait, start.
 * Then the clock moves on to the next cycle in which anything happens. If nothing ever will, the job is
 * deadlocked. The first fault in this order ends the job, in that cycle.
 *
 * Memory: a DMA record has a start-up (LOOM_T_RECORD + the latency of its class), which overlaps freely. If the bus of
 * its class last moved the other way, LOOM_T_TURN cycles follow. Then it moves its bytes, which alone would take
 * W = busy + edge + conflict cycles. Both DMA queues and, in class 0, instruction fetch may move at once; those who share
 * a class get the same part of it. Counted in sixths of a cycle of work: 6 W at first, 6 less a cycle alone, 3 less when
 * two share, 2 less when three do; the record ends in the first cycle in which none is left.
 */
#include "machine.h"

uint64_t loom_demand_cycles(const struct loom_demand *d)
{
	return d->cost.busy + d->cost.edge + d->cost.fill + d->cost.conflict;
}

static bool moving(const struct loom_fifo *f)
{
	return f->phase == LOOM_FIFO_MOVE;
}

static unsigned sharers(const struct loom_machine *m, uint32_t class)
{
	unsigned n = class == 0 && m->fetch.moving, q;

	for (q = LOOM_Q_LD; q <= LOOM_Q_ST; q++)
		n += moving(&m->fifo[q]) && m->fifo[q].demand.mem_class == class;
	return n;
}

/* The work left at this moment; the end follows from the rate from here on. */
static uint64_t go_on_at(uint64_t now, uint64_t *work, uint64_t *since, uint32_t *rate, unsigned n)
{
	const uint64_t done = (now - *since) * *rate;

	*work = *work > done ? *work - done : 0;
	*since = now;
	*rate = LOOM_BUS_SHARE / n;
	return now + (*work + *rate - 1) / *rate;
}

/* Sets the rates and ends of all that moves anew; called whenever anything begins or ceases to move. */
void loom_bus_share(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	struct loom_fetch *c = &m->fetch;
	unsigned q;

	for (q = LOOM_Q_LD; q <= LOOM_Q_ST; q++) {
		struct loom_fifo *f = &m->fifo[q];
		const uint32_t class = f->demand.mem_class;

		if (moving(f))
			m->event[q] = go_on_at(m->now, &f->work, &f->since, &f->rate,
					       class == LOOM_NO_CLASS ? 1 : sharers(m, class));
	}
	if (c->moving)
		c->event = go_on_at(m->now, &c->work, &c->since, &c->rate, sharers(m, 0));
}

/* The bus turns round for a record; one that reads and writes reads first. */
static bool turns(struct loom_machine *m, const struct loom_demand *d)
{
	uint32_t *way;
	bool other;

	if (d->mem_class == LOOM_NO_CLASS)
		return false;
	way = &m->way[d->mem_class];
	other = *way == (d->read_bytes ? LOOM_BUS_WRITE : LOOM_BUS_READ);
	*way = d->write_bytes ? LOOM_BUS_WRITE : LOOM_BUS_READ;
	return other;
}

/* A DMA record's start-up is over. It has at least one byte, so that its end lies in a later cycle. */
void loom_dma_move(struct loom_npu *npu, unsigned q)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];

	if (!f->turn && turns(m, &f->demand)) {
		f->turn = LOOM_T_TURN;
		m->event[q] += LOOM_T_TURN;
		return;
	}
	f->phase = LOOM_FIFO_MOVE;
	f->work = LOOM_BUS_SHARE * (f->demand.cost.busy + f->demand.cost.edge + f->demand.cost.conflict);
	f->since = m->now;
	f->rate = 0;
	loom_bus_share(npu);
}

/* Semaphores that records wait for at this moment, a bit each. */
static uint32_t waited_for(struct loom_machine *m, uint32_t *unit, const struct loom_hdr **first)
{
	const struct loom_seq_state *s = &m->seq;
	uint32_t bits = 0;
	unsigned q;

	for (q = LOOM_NUM_QUEUES - 1; q > LOOM_Q_SEQ; q--) {
		const struct loom_fifo *f = &m->fifo[q];
		const struct loom_queued *e = loom_fifo_at(m, q, 0);

		if (f->phase != LOOM_FIFO_WAIT || f->waits_taken >= 2)
			continue;
		bits |= 1u << e->r.h.wait[f->waits_taken].sem;
		*unit = e->unit;
		*first = &e->r.h;
	}
	if (s->phase == LOOM_SEQ_HELD && !s->refusal.fault && loom_op_queue(s->cur.h.op) == LOOM_Q_SEQ &&
	    s->waits_taken < 2) {
		bits |= 1u << s->cur.h.wait[s->waits_taken].sem;
		*unit = s->pc;
		*first = &s->cur.h;
	}
	return bits;
}

/* Names the waiting record of the lowest queue. */
static void deadlock(struct loom_npu *npu)
{
	struct loom_refusal why;
	const struct loom_hdr *h = &npu->m.seq.cur.h;
	uint32_t unit = npu->m.seq.pc;
	const uint32_t bits = waited_for(&npu->m, &unit, &h);

	loom_refuse(&why, LOOM_FAULT_DEADLOCK, 0, 0, 0);
	loom_fail(npu, unit, h, &why);
	npu->m.end.aux = bits;
}

static void out_of_cycles(struct loom_npu *npu)
{
	struct loom_refusal why;

	loom_refuse(&why, LOOM_FAULT_BUDGET_CYCLES, 0, 0, 0);
	npu->m.now = npu->m.cycle_budget;
	loom_fail(npu, npu->m.seq.pc, &npu->m.seq.cur.h, &why);
}

static uint64_t next_event(const struct loom_machine *m)
{
	uint64_t next = LOOM_NEVER;
	unsigned q;

	for (q = 0; q < LOOM_NUM_QUEUES; q++)
		if (m->event[q] < next)
			next = m->event[q];
	if (m->flight_count && m->flight[m->flight_head].at < next)
		next = m->flight[m->flight_head].at;
	/* Prefetch alone keeps nothing alive. */
	if ((next != LOOM_NEVER || m->seq.phase == LOOM_SEQ_FETCH) && m->fetch.event < next)
		next = m->fetch.event;
	return next;
}

static void advance(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	const uint64_t next = next_event(m);

	if (next == LOOM_NEVER)
		deadlock(npu);
	else if (next > m->cycle_budget)
		out_of_cycles(npu);
	else
		m->now = next;
}

/* One event, or the starts of one cycle: at most one record retires, and the state between two steps is whole. */
void loom_step_machine(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	unsigned q;

	if (m->fetch.event == m->now) {
		loom_fetch_event(npu);
		return;
	}
	for (q = 0; q < LOOM_NUM_QUEUES; q++) {
		if (m->event[q] != m->now)
			continue;
		if (q == LOOM_Q_SEQ)
			loom_seq_event(npu);
		else
			loom_queue_event(npu, q);
		return;
	}
	loom_sem_deliver(m);
	loom_seq_begin(npu);
	for (q = LOOM_Q_SEQ + 1; q < LOOM_NUM_QUEUES && m->state == LOOM_NPU_RUNNING; q++)
		loom_queue_begin(npu, q);
	if (m->state == LOOM_NPU_RUNNING)
		advance(npu);
}
