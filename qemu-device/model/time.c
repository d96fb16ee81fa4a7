// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The clock. Time is counted in whole cycles from the doorbell; the first record is fetched in cycle
 * LOOM_T_JOB_START. In one cycle things happen in this order:
 *   1. records whose time is over take effect, by queue number; a DMA record whose start-up is over begins to move;
 *   2. signals given LOOM_T_SEM cycles ago become visible;
 *   3. records start, by queue number: SEQ fetches, waits, starts; the heads of the other queues wait, start.
 * Then the clock moves on to the next cycle in which anything happens. If nothing ever will, the job is
 * deadlocked. The first fault in this order ends the job, in that cycle.
 *
 * Memory: a DMA record has a start-up (LOOM_T_RECORD + the latency of its class), which overlaps freely, and then
 * moves its bytes, which alone would take W = busy + edge cycles. While both DMA queues move bytes of the same
 * class, each goes at half speed. Counted in half cycles of work: 2 W at first, 2 less a cycle alone, 1 less
 * a cycle when sharing; the record ends in the first cycle in which none is left.
 */
#include "machine.h"

uint64_t loom_demand_cycles(const struct loom_demand *d)
{
	return d->cost.busy + d->cost.edge + d->cost.fill;
}

static bool moving(const struct loom_fifo *f)
{
	return f->phase == LOOM_FIFO_MOVE;
}

static void account(struct loom_machine *m, struct loom_fifo *f)
{
	const uint64_t done = (m->now - f->since) * f->rate;

	f->work = f->work > done ? f->work - done : 0;
	f->since = m->now;
}

/* Sets both DMA queues' rates and ends anew; called whenever one begins or ceases to move bytes. */
void loom_dma_share(struct loom_machine *m)
{
	struct loom_fifo *ld = &m->fifo[LOOM_Q_LD], *st = &m->fifo[LOOM_Q_ST];
	const bool shared = moving(ld) && moving(st) && ld->demand.mem_class == st->demand.mem_class &&
			    ld->demand.mem_class != LOOM_NO_CLASS;
	unsigned q;

	for (q = LOOM_Q_LD; q <= LOOM_Q_ST; q++) {
		struct loom_fifo *f = &m->fifo[q];

		if (!moving(f))
			continue;
		account(m, f);
		f->rate = shared ? 1 : 2;
		m->event[q] = m->now + (f->work + f->rate - 1) / f->rate;
	}
}

/* A DMA record's start-up is over. It has at least one byte, so that its end lies in a later cycle. */
void loom_dma_move(struct loom_machine *m, unsigned q)
{
	struct loom_fifo *f = &m->fifo[q];

	f->phase = LOOM_FIFO_MOVE;
	f->work = 2 * (f->demand.cost.busy + f->demand.cost.edge);
	f->since = m->now;
	f->rate = 0;
	loom_dma_share(m);
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
