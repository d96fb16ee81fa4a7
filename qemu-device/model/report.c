// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Where a job's time went, and its report. For every queue the six parts add up to the job's cycles: what no
 * record accounts for is idle. SEQ's time in a record is busy, its waiting for semaphores, for room in a queue or for
 * empty queues is wait_dep, its waiting for code wait_mem, and the job's start and end are its fill. The other queues'
 * wait_mem is what bank conflicts and the sharing of a memory class add; the turning round of a bus is fill.
 */
#include <string.h>

#include "machine.h"

void loom_report_begin(struct loom_npu *npu)
{
	npu->m.report.magic = LOOM_REPORT_MAGIC;
}

void loom_report_fetch(struct loom_npu *npu, uint64_t cycles)
{
	npu->m.report.queue[LOOM_Q_SEQ].wait_mem += cycles;
}

void loom_report_seq(struct loom_npu *npu, uint64_t ready, uint64_t start, uint64_t end)
{
	struct loom_queue_report *q = &npu->m.report.queue[LOOM_Q_SEQ];

	q->wait_dep += start - ready;
	q->busy += end - start;
}

/* Splits the time of a record that ran for took cycles; less than its demand if the job ended under it. */
static void split(struct loom_queue_report *q, const struct loom_fifo *f, uint64_t took)
{
	const struct loom_cost *c = &f->demand.cost;
	const uint64_t part[3] = {c->fill + f->turn, c->busy, c->edge};
	__u64 *const to[3] = {&q->fill, &q->busy, &q->edge};
	unsigned i;

	for (i = 0; i < 3; i++) {
		const uint64_t n = took < part[i] ? took : part[i];

		*to[i] += n;
		took -= n;
	}
	q->wait_mem += took;
}

static void count_memory(struct loom_npu *npu, const struct loom_dma *r, const struct loom_demand *d)
{
	struct loom_report *p = &npu->m.report;

	if (d->read_bytes)
		p->bytes_read[npu->x.slots[LOOM_ADDR_SLOT(r->src)].mem_class] += d->read_bytes;
	if (d->write_bytes)
		p->bytes_written[npu->x.slots[LOOM_ADDR_SLOT(r->dst)].mem_class] += d->write_bytes;
}

/* The head of q ended: its time, and what it asked for. */
void loom_report_record(struct loom_npu *npu, unsigned q, uint64_t end)
{
	struct loom_machine *m = &npu->m;
	const struct loom_fifo *f = &m->fifo[q];
	const struct loom_dispatched *r = &loom_fifo_at(m, q, 0)->r;

	m->report.queue[q].wait_dep += f->start - f->ready;
	split(&m->report.queue[q], f, end - f->start);
	if (q == LOOM_Q_MXU)
		m->report.macs[r->mxu.type] += f->demand.macs;
	else if (q == LOOM_Q_VPU)
		m->report.vpu_elems += f->demand.elem_ops;
	else
		count_memory(npu, &r->dma, &f->demand);
}

uint64_t loom_report_room(uint64_t report_bytes)
{
	if (report_bytes < sizeof(struct loom_report))
		return 0;
	return (report_bytes - sizeof(struct loom_report)) / sizeof(struct loom_report_entry);
}

static void flush(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	const uint64_t bytes = m->n_batch * sizeof(m->batch[0]);
	const uint64_t at = sizeof(m->report) + m->entries_written * sizeof(m->batch[0]);

	if (m->n_batch && !m->report_fault)
		m->report_fault = (uint32_t)npu->host.write(npu->opaque, LOOM_NPU_REPORT, at, m->batch, bytes);
	m->entries_written += m->n_batch;
	m->n_batch = 0;
}

void loom_report_entry(struct loom_npu *npu, const struct loom_report_entry *e)
{
	struct loom_machine *m = &npu->m;

	if (m->entries_written + m->n_batch >= loom_report_room(m->report_bytes))
		return;
	m->batch[m->n_batch++] = *e;
	if (m->n_batch == LOOM_ENTRY_BATCH)
		flush(npu);
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* The job ends in a cycle: what waits or runs gets its time so far, and the rest is idle. */
void loom_report_cut(struct loom_npu *npu, uint64_t end)
{
	struct loom_machine *m = &npu->m;
	const struct loom_seq_state *s = &m->seq;
	struct loom_report *p = &m->report;
	const uint64_t start = loom_job_start(&npu->target);
	unsigned q;

	p->queue[LOOM_Q_SEQ].fill += end < start ? end : start;
	if (s->phase == LOOM_SEQ_ENDED && m->end.fault == LOOM_FAULT_NONE)
		p->queue[LOOM_Q_SEQ].fill += LOOM_T_JOB_END;
	if (s->phase == LOOM_SEQ_FETCH)
		p->queue[LOOM_Q_SEQ].wait_mem += since(s->ready, end);
	if (s->phase == LOOM_SEQ_HELD)
		p->queue[LOOM_Q_SEQ].wait_dep += since(s->ready, end);
	if (s->phase == LOOM_SEQ_RUNS) {
		p->queue[LOOM_Q_SEQ].wait_dep += since(s->ready, s->start);
		p->queue[LOOM_Q_SEQ].busy += since(s->start, end);
	}
	for (q = LOOM_Q_SEQ + 1; q < LOOM_NUM_QUEUES; q++) {
		const struct loom_fifo *f = &m->fifo[q];

		if (f->phase == LOOM_FIFO_WAIT)
			p->queue[q].wait_dep += since(f->ready, end);
		if (f->phase == LOOM_FIFO_RUN || f->phase == LOOM_FIFO_MOVE) {
			p->queue[q].wait_dep += f->start - f->ready;
			split(&p->queue[q], f, since(f->start, end));
		}
	}
	for (q = 0; q < LOOM_NUM_QUEUES; q++) {
		struct loom_queue_report *r = &p->queue[q];

		r->idle = since(r->busy + r->edge + r->fill + r->wait_mem + r->wait_dep, end);
	}
}

/* Writes the report as far as there is room for it. A report that cannot be written is a fault of the job. */
void loom_report_write(struct loom_npu *npu, struct loom_completion *c)
{
	struct loom_machine *m = &npu->m;
	struct loom_report *p = &m->report;
	int fault;

	if (m->report_bytes < sizeof(*p))
		return;
	flush(npu);
	p->n_entries = (uint32_t)m->entries_written;
	p->cycles = c->cycles;
	p->insns = c->insns;
	p->dropped = c->insns - m->entries_written;
	p->end = *c;
	fault = (int)m->report_fault;
	if (!fault)
		fault = npu->host.write(npu->opaque, LOOM_NPU_REPORT, 0, p, sizeof(*p));
	if (fault && c->fault == LOOM_FAULT_NONE) {
		c->fault = (uint16_t)fault;
		c->slot = LOOM_SLOT_REPORT;
		c->limit = m->report_bytes;
	}
}
