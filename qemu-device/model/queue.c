// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The four queues behind the front end, and the semaphores that order them.
 *
 * A queue's head becomes ready when it is dispatched into the empty queue or when the record before it ends. It
 * takes its two waits in turn, each as soon as the count suffices; both taken, it is checked, and runs for the
 * time of its demand. At the end of it, it takes effect as a whole, and its signals become visible
 * LOOM_T_SEM cycles later. Where several queues could take the same count, the lower queue number goes first.
 */
#include <string.h>

#include "footprint.h"
#include "hazard.h"
#include "kernels.h"
#include "machine.h"

bool loom_queues_empty(const struct loom_machine *m)
{
	unsigned q;

	for (q = LOOM_Q_SEQ + 1; q < LOOM_NUM_QUEUES; q++)
		if (m->fifo[q].count)
			return false;
	return true;
}

void loom_sem_deliver(struct loom_machine *m)
{
	while (m->flight_count) {
		const struct loom_flight *f = &m->flight[m->flight_head];

		if (f->at > m->now)
			break;
		m->sem_flight[f->sem] -= (uint8_t)f->n;
		m->sem[f->sem] += (uint8_t)f->n;
		m->flight_head = (m->flight_head + 1) % LOOM_FLIGHT_ROOM;
		m->flight_count--;
	}
}

/* Takes the waits of h that remain, as far as the counts go; true when all are taken. */
bool loom_sem_take(struct loom_machine *m, const struct loom_hdr *h, uint32_t *taken)
{
	for (; *taken < 2; ++*taken) {
		const struct loom_semref *w = &h->wait[*taken];

		if (m->sem[w->sem] < w->n)
			return false;
		m->sem[w->sem] -= w->n;
	}
	return true;
}

/*
 * Gives the signals of a record that ends now; false, and the job's end, if a count would pass 255. The count
 * includes what is in flight. Room is never short: SEQ ends a record a cycle and any other queue one in
 * LOOM_T_RECORD, so that within LOOM_T_SEM cycles no more than 14 signals are given.
 */
bool loom_sem_give(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h)
{
	struct loom_machine *m = &npu->m;
	struct loom_refusal why;
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct loom_semref *g = &h->signal[i];
		struct loom_flight *f;

		if (!g->n)
			continue;
		if (m->sem[g->sem] + m->sem_flight[g->sem] + g->n > (int)LOOM_SEM_MAX ||
		    m->flight_count == LOOM_FLIGHT_ROOM) {
			loom_refuse(&why, LOOM_FAULT_SEM, 0, 0, 0);
			loom_fail(npu, unit, h, &why);
			return false;
		}
		f = &m->flight[(m->flight_head + m->flight_count++) % LOOM_FLIGHT_ROOM];
		f->at = m->now + LOOM_T_SEM;
		f->sem = g->sem;
		f->n = g->n;
		m->sem_flight[g->sem] += g->n;
	}
	return true;
}

static void head_ready(struct loom_machine *m, struct loom_fifo *f)
{
	f->phase = f->count ? LOOM_FIFO_WAIT : LOOM_FIFO_EMPTY;
	f->waits_taken = 0;
	f->ready = m->now;
}

void loom_queue_push(struct loom_npu *npu, unsigned q, uint32_t unit, const struct loom_dispatched *r)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];
	struct loom_queued *e = loom_fifo_at(m, q, f->count);

	e->unit = unit;
	memcpy(e->r.bytes, r->bytes, loom_record_bytes(&r->h));
	memcpy(e->r.base, r->base, sizeof(e->r.base));
	if (npu->hazard)
		loom_hazard_push(npu->hazard, q, (f->head + f->count) % LOOM_FIFO_ROOM);
	if (f->count++ == 0)
		head_ready(m, f);
}

int loom_queue_check(const struct loom_npu *npu, const struct loom_dispatched *r, struct loom_demand *d,
		     struct loom_refusal *why)
{
	memset(d, 0, sizeof(*d));
	memset(why, 0, sizeof(*why));
	d->mem_class = LOOM_NO_CLASS;
	switch (loom_op_queue(r->h.op)) {
	case LOOM_Q_MXU:
		return loom_mxu_check(&npu->x, r, d, why);
	case LOOM_Q_VPU:
		return loom_vpu_check(&npu->x, r, d, why);
	default:
		return loom_dma_check(&npu->x, r, d, why);
	}
}

static bool is_dma(unsigned q)
{
	return q == LOOM_Q_LD || q == LOOM_Q_ST;
}

void loom_queue_begin(struct loom_npu *npu, unsigned q)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];
	struct loom_refusal why;
	struct loom_queued *e;
	uint32_t other;

	if (f->phase != LOOM_FIFO_WAIT)
		return;
	e = loom_fifo_at(m, q, 0);
	if (!loom_sem_take(m, &e->r.h, &f->waits_taken))
		return;
	if (loom_queue_check(npu, &e->r, &f->demand, &why)) {
		loom_fail(npu, e->unit, &e->r.h, &why);
		return;
	}
	if (npu->hazard && !loom_hazard_start(npu->hazard, npu, q, f->head, &why, &other)) {
		loom_fail_hazard(npu, e->unit, &e->r.h, &why, other);
		return;
	}
	f->phase = LOOM_FIFO_RUN;
	f->start = m->now;
	f->turn = 0;
	m->event[q] = m->now + (is_dma(q) ? f->demand.cost.fill : loom_demand_cycles(&f->demand));
}

/* The array computes for a while: what the next loads will read can come into the host's caches meanwhile. */
static void mxu_exec(struct loom_npu *npu, const struct loom_dispatched *r)
{
	struct loom_machine *m = &npu->m;
	struct loom_ahead h = { .n = 0 };
	unsigned i;

	for (i = 0; i < 2 && i < m->fifo[LOOM_Q_LD].count; i++)
		loom_dma_ahead(&npu->x, &loom_fifo_at(m, LOOM_Q_LD, i)->r, &h);
	for (i = 0; i < 2; i++)
		npu->x.asked[i] = i < h.n ? h.part[i].at : NULL;
	npu->x.ahead = &h;
	loom_mxu_exec(&npu->x, r);
	npu->x.ahead = NULL;
	for (i = h.next; i < 2; i++)
		npu->x.asked[i] = NULL;
}

/* How far the job's memory will have to be cleared. */
static void note_writes(struct loom_npu *npu, unsigned q, const struct loom_dispatched *r)
{
	struct loom_box box[LOOM_MAX_BOXES];
	unsigned i, n;

	if (npu->sram_dirty == npu->target.sram_bytes && (q != LOOM_Q_MXU || npu->acc_dirty == npu->target.acc_bytes))
		return;
	n = loom_footprint(r, box);
	for (i = 0; i < n; i++) {
		const uint64_t end = (uint64_t)box[i].hi;

		if (!box[i].write)
			continue;
		if (box[i].space == LOOM_SLOT_SRAM && npu->sram_dirty < end)
			npu->sram_dirty = end;
		if (box[i].space == LOOM_SPACE_ACC && npu->acc_dirty < end)
			npu->acc_dirty = end;
	}
}

static int execute(struct loom_npu *npu, unsigned q, const struct loom_dispatched *r, struct loom_refusal *why)
{
	if (npu->plans)
		return LOOM_FAULT_NONE;
	note_writes(npu, q, r);
	switch (q) {
	case LOOM_Q_MXU:
		mxu_exec(npu, r);
		return LOOM_FAULT_NONE;
	case LOOM_Q_VPU:
		loom_vpu_exec(&npu->x, r);
		return LOOM_FAULT_NONE;
	default:
		return loom_dma_exec(&npu->x, r, why);
	}
}

/* The head's time is over: it takes effect, and the next record becomes the head. */
static void complete(struct loom_npu *npu, unsigned q)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];
	struct loom_queued *e = loom_fifo_at(m, q, 0);
	const struct loom_report_entry entry = {e->unit, q, f->ready, f->start, m->now};
	struct loom_refusal why;

	memset(&why, 0, sizeof(why));
	if (!loom_may_retire(npu, e->unit, &e->r.h) || !loom_sem_give(npu, e->unit, &e->r.h))
		return;
	if (execute(npu, q, &e->r, &why)) {
		loom_fail(npu, e->unit, &e->r.h, &why);
		return;
	}
	if (npu->hazard)
		loom_hazard_end(npu->hazard, q, &e->r.h);
	loom_report_record(npu, q, m->now);
	m->event[q] = LOOM_NEVER;
	f->head = (f->head + 1) % LOOM_FIFO_ROOM;
	f->count--;
	head_ready(m, f);
	if (is_dma(q))
		loom_bus_share(npu);
	loom_retire(npu, &e->r.h, &entry);
}

void loom_queue_event(struct loom_npu *npu, unsigned q)
{
	if (is_dma(q) && npu->m.fifo[q].phase == LOOM_FIFO_RUN)
		loom_dma_move(npu, q);
	else
		complete(npu, q);
}
