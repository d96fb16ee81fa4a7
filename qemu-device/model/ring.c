// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Jobs from the job ring, records into the completion ring. */
#include <string.h>

#include "dev.h"

static bool job_fields_ok(const struct loom_dev *d, const struct loom_job *job)
{
	uint32_t i;

	for (i = 0; i < sizeof(job->rsvd) / sizeof(job->rsvd[0]); i++)
		if (job->rsvd[i])
			return false;
	return !job->flags && job->seqno && job->n_units &&
	       ((uint64_t)job->first_unit + job->n_units) * LOOM_UNIT_BYTES <= d->region[LOOM_REGION_CODE].bytes;
}

static int start(struct loom_dev *d, const struct loom_job *job)
{
	struct loom_npu_job j;
	int fault = loom_dev_load_table(d, job);

	if (fault)
		return fault;
	if (!job_fields_ok(d, job))
		return LOOM_FAULT_JOB;
	memset(&j, 0, sizeof(j));
	j.seqno = job->seqno;
	j.first_unit = job->first_unit;
	j.n_units = job->n_units;
	j.insn_budget = job->insn_budget;
	j.cycle_budget = job->cycle_budget;
	j.report_bytes = d->region[LOOM_REGION_REPORT].bytes;
	j.n_slots = job->n_regions - LOOM_REGION_SLOT0;
	j.slots = d->slot;
	return loom_npu_start(d->npu, &j);
}

static void arm_injections(struct loom_dev *d)
{
	d->s.hang_at = __atomic_exchange_n(&d->s.inject_hang, 0, __ATOMIC_SEQ_CST);
	d->s.fail_in = __atomic_exchange_n(&d->s.inject_fail, 0, __ATOMIC_SEQ_CST);
}

/* Takes the next job from the ring; false if the device failed. A job that cannot start is completed at once. */
bool loom_dev_take_job(struct loom_dev *d)
{
	struct loom_dev_state *s = &d->s;
	const uint64_t at = s->rings.ring_base + (s->ring_head & (s->rings.ring_entries - 1)) * sizeof(struct loom_job);
	struct loom_completion c;
	struct loom_job job;
	int fault;

	if (d->host.dma_read(d->opaque, at, &job, sizeof(job))) {
		loom_dev_fail(d, LOOM_DEV_RING_DMA);
		return false;
	}
	SET(s->ring_head, s->ring_head + 1);
	arm_injections(d);
	loom_dev_trace(d, "job_start", job.seqno, job.n_regions, job.n_units);
	fault = start(d, &job);
	if (!fault) {
		SET(s->seqno, job.seqno);
		SET(s->running, 1);
		return true;
	}
	memset(&c, 0, sizeof(c));
	c.seqno = job.seqno;
	c.fault = (uint16_t)fault;
	loom_dev_complete(d, &c);
	return true;
}

/*
 * Who polls the ring sees the phase change last: the record goes out with the old phase, then the phase alone.
 */
static bool write_record(struct loom_dev *d, struct loom_completion *c)
{
	const uint32_t entries = d->s.rings.cq_entries, tail = d->s.cq_tail;
	const uint64_t at = d->s.rings.cq_base + (tail & (entries - 1)) * sizeof(*c);
	const uint32_t phase = (tail / entries & 1) ^ 1;

	c->phase = phase ^ 1;
	if (d->host.dma_write(d->opaque, at, c, sizeof(*c)))
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !d->host.dma_write(d->opaque, at + offsetof(struct loom_completion, phase), &phase, sizeof(phase));
}

/* A job is over: counters, record, interrupt, in this order. */
void loom_dev_complete(struct loom_dev *d, struct loom_completion *c)
{
	struct loom_dev_state *s = &d->s;

	SET(s->running, 0);
	SET(s->seqno, 0);
	s->hang_at = s->fail_in = 0;
	SET(s->jobs_retired, s->jobs_retired + 1);
	SET(s->jobs_faulted, s->jobs_faulted + (c->fault != LOOM_FAULT_NONE));
	SET(s->busy_cycles, s->busy_cycles + c->cycles);
	loom_dev_trace(d, "job_end", c->seqno, c->fault, c->cycles);
	if (s->cq_tail - GET(s->cq_head) >= s->rings.cq_entries) {
		loom_dev_fail(d, LOOM_DEV_CQ_OVERFLOW);
		return;
	}
	if (!write_record(d, c)) {
		loom_dev_fail(d, LOOM_DEV_CQ_DMA);
		return;
	}
	SET(s->cq_tail, s->cq_tail + 1);
	loom_dev_raise(d, LOOM_IRQ_QUEUE);
}
