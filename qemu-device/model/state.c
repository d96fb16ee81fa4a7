// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Saved state of the NPU: a header, the machine, SRAM, accumulators. What is loaded may come from anybody, so every
 * number that is ever an index, a length or a time is checked, and records that run are checked like new ones.
 */
#include <string.h>

#include "hazard.h"
#include "machine.h"

#define MAGIC 0x53504e4cu /* LNPS */
#define VERSION 2u

struct saved_header {
	uint32_t magic, version;
	uint64_t bytes;
	struct loom_target target;
	uint64_t progress;
};

size_t loom_npu_save_bytes(const struct loom_npu *npu)
{
	return sizeof(struct saved_header) + sizeof(npu->m) + npu->target.sram_bytes + npu->target.acc_bytes;
}

void loom_npu_save(const struct loom_npu *npu, void *buf)
{
	struct saved_header h;
	uint8_t *to = buf;

	memset(&h, 0, sizeof(h));
	h.magic = MAGIC;
	h.version = VERSION;
	h.bytes = loom_npu_save_bytes(npu);
	h.target = npu->target;
	h.progress = loom_npu_progress(npu);
	memcpy(to, &h, sizeof(h));
	to += sizeof(h);
	memcpy(to, &npu->m, sizeof(npu->m));
	to += sizeof(npu->m);
	memcpy(to, npu->x.sram, npu->target.sram_bytes);
	to += npu->target.sram_bytes;
	memcpy(to, npu->x.acc, npu->target.acc_bytes);
}

static bool record_ok(const struct loom_npu *npu, const struct loom_dispatched *r, unsigned q)
{
	struct loom_refusal why;

	return !loom_decode(&npu->target, r, LOOM_MAX_UNITS, &why) && loom_op_queue(r->h.op) == q;
}

static bool seq_ok(const struct loom_npu *npu)
{
	const struct loom_machine *m = &npu->m;
	const struct loom_seq_state *s = &m->seq;
	const bool holds = s->phase == LOOM_SEQ_FETCH || s->phase == LOOM_SEQ_HELD || s->phase == LOOM_SEQ_RUNS;
	const uint64_t event = m->event[LOOM_Q_SEQ];
	const unsigned q = loom_op_queue(s->cur.h.op);
	uint32_t i;

	if (s->phase > LOOM_SEQ_ENDED || s->n_loops > LOOM_MAX_LOOP_NEST || s->waits_taken > 2 || s->r[0] ||
	    (s->phase == LOOM_SEQ_ENDED && m->state == LOOM_NPU_RUNNING))
		return false;
	for (i = 0; i < s->n_loops; i++)
		if (s->loop[i].rd >= LOOM_NUM_REGS || s->loop[i].start >= s->loop[i].end || s->loop[i].left < 1)
			return false;
	if (s->refusal.fault < 0 || s->refusal.fault >= LOOM_NUM_FAULTS)
		return false;
	if (holds && !s->refusal.fault && !record_ok(npu, &s->cur, q))
		return false;
	if (s->phase == LOOM_SEQ_RUNS)
		return s->ready <= s->start && event == s->start + LOOM_T_SEQ &&
		       (s->refusal.fault || q == LOOM_Q_SEQ || m->fifo[q].count < LOOM_FIFO_ROOM);
	return event == LOOM_NEVER;
}

static bool rate_ok(uint32_t rate)
{
	return rate == LOOM_BUS_SHARE || rate == LOOM_BUS_SHARE / 2 || rate == LOOM_BUS_SHARE / 3;
}

static bool fetch_ok(const struct loom_npu *npu)
{
	const struct loom_machine *m = &npu->m;
	const struct loom_fetch *f = &m->fetch;
	const uint32_t per_line = LOOM_BURST_BYTES / LOOM_UNIT_BYTES;
	const uint32_t end = (m->first_unit + m->n_units - 1) / per_line + 1;
	uint32_t i;

	if (f->first < m->first_unit / per_line || f->first > f->taken || f->taken > f->done || f->done > f->asked ||
	    f->asked > end || f->asked - f->done > LOOM_FETCH_AHEAD || f->want > end || f->moving > 1)
		return false;
	for (i = 0; i < LOOM_MAX_MEM_CLASSES; i++)
		if (m->way[i] > LOOM_BUS_WRITE)
			return false;
	for (i = f->done; i < f->asked; i++)
		if (f->at[i % LOOM_FETCH_AHEAD] > m->now + npu->target.mem[0].latency)
			return false;
	if (f->event < m->now)
		return false;
	if (!f->moving)
		return f->done == f->asked ? f->event == LOOM_NEVER :
					     f->event <= m->now + npu->target.mem[0].latency;
	return f->done < f->asked && rate_ok(f->rate) && f->since <= m->now &&
	       f->work <= LOOM_BUS_SHARE * loom_fetch_line_cycles(&npu->target) &&
	       f->event == f->since + (f->work + f->rate - 1) / f->rate;
}

/* The head of a queue that runs: its demand is computed anew. */
static bool head_ok(struct loom_npu *npu, unsigned q)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];
	const bool dma = q == LOOM_Q_LD || q == LOOM_Q_ST;
	struct loom_refusal why;

	if (loom_queue_check(npu, &loom_fifo_at(m, q, 0)->r, &f->demand, &why))
		return false;
	if (f->turn && (!dma || f->turn != LOOM_T_TURN))
		return false;
	if (f->start > m->now || f->ready > f->start)
		return false;
	if (f->phase == LOOM_FIFO_RUN)
		return m->event[q] == f->start + (dma ? f->demand.cost.fill + f->turn : loom_demand_cycles(&f->demand));
	return dma && rate_ok(f->rate) && f->since <= m->now &&
	       f->work <= LOOM_BUS_SHARE * (f->demand.cost.busy + f->demand.cost.edge + f->demand.cost.conflict) &&
	       m->event[q] == f->since + (f->work + f->rate - 1) / f->rate;
}

static bool fifo_ok(struct loom_npu *npu, unsigned q)
{
	struct loom_machine *m = &npu->m;
	struct loom_fifo *f = &m->fifo[q];
	uint32_t i;

	if (f->head >= LOOM_FIFO_ROOM || f->count > LOOM_FIFO_ROOM || f->phase > LOOM_FIFO_MOVE ||
	    (f->phase == LOOM_FIFO_EMPTY) != !f->count || f->waits_taken > 2)
		return false;
	for (i = 0; i < f->count; i++)
		if (!record_ok(npu, &loom_fifo_at(m, q, i)->r, q))
			return false;
	if (f->phase == LOOM_FIFO_RUN || f->phase == LOOM_FIFO_MOVE)
		return head_ok(npu, q);
	return m->event[q] == LOOM_NEVER && f->ready <= m->now;
}

static bool sems_ok(const struct loom_machine *m)
{
	uint32_t flight[LOOM_NUM_SEMS] = {0}, i;
	uint64_t last = 0;

	if (m->flight_head >= LOOM_FLIGHT_ROOM || m->flight_count > LOOM_FLIGHT_ROOM)
		return false;
	for (i = 0; i < m->flight_count; i++) {
		const struct loom_flight *f = &m->flight[(m->flight_head + i) % LOOM_FLIGHT_ROOM];

		if (f->sem >= LOOM_NUM_SEMS || !f->n || f->n > LOOM_SEM_MAX || f->at < last ||
		    f->at > m->now + LOOM_T_SEM)
			return false;
		last = f->at;
		flight[f->sem] += f->n;
	}
	for (i = 0; i < LOOM_NUM_SEMS; i++)
		if (flight[i] != m->sem_flight[i] || m->sem[i] + flight[i] > LOOM_SEM_MAX)
			return false;
	return true;
}

static bool job_ok(const struct loom_npu *npu)
{
	const struct loom_machine *m = &npu->m;
	struct loom_npu_job job;

	memset(&job, 0, sizeof(job));
	job.first_unit = m->first_unit;
	job.n_units = m->n_units;
	job.insn_budget = m->insn_budget;
	job.cycle_budget = m->cycle_budget;
	job.slots = npu->x.slots;
	job.n_slots = npu->x.n_slots;
	return loom_job_ok(npu, &job) && m->cycle_budget <= LOOM_MAX_CYCLES && m->insns <= m->insn_budget &&
	       m->now <= LOOM_MAX_CYCLES;
}

static bool report_ok(const struct loom_machine *m)
{
	const uint64_t room = loom_report_room(m->report_bytes);

	return m->n_batch < LOOM_ENTRY_BATCH && m->n_batch <= room && m->entries_written <= room - m->n_batch &&
	       m->report_fault < LOOM_NUM_FAULTS;
}

static bool machine_ok(struct loom_npu *npu)
{
	const struct loom_machine *m = &npu->m;
	unsigned q;

	if (m->state > LOOM_NPU_DONE || m->end.fault >= LOOM_NUM_FAULTS)
		return false;
	if (m->state == LOOM_NPU_IDLE)
		return true;
	if (!job_ok(npu) || !report_ok(m))
		return false;
	if (m->state == LOOM_NPU_DONE)
		return true;
	if (!seq_ok(npu) || !sems_ok(m) || !fetch_ok(npu))
		return false;
	for (q = 0; q < LOOM_NUM_QUEUES; q++)
		if (m->event[q] < m->now)
			return false;
	for (q = LOOM_Q_SEQ + 1; q < LOOM_NUM_QUEUES; q++)
		if (!fifo_ok(npu, q))
			return false;
	return true;
}

bool loom_npu_load(struct loom_npu *npu, const void *buf, size_t len, const struct loom_npu_slot *slots,
		   uint32_t n_slots)
{
	const uint8_t *from = buf;
	struct saved_header h;

	loom_npu_reset(npu);
	if (len != loom_npu_save_bytes(npu))
		return false;
	memcpy(&h, from, sizeof(h));
	if (h.magic != MAGIC || h.version != VERSION || h.bytes != len ||
	    memcmp(&h.target, &npu->target, sizeof(h.target)))
		return false;
	from += sizeof(h);
	memcpy(&npu->m, from, sizeof(npu->m));
	from += sizeof(npu->m);
	loom_npu_bind(npu, slots, n_slots);
	if (!machine_ok(npu)) {
		loom_npu_reset(npu);
		return false;
	}
	npu->sram_dirty = npu->target.sram_bytes;
	npu->acc_dirty = npu->target.acc_bytes;
	memcpy(npu->x.sram, from, npu->target.sram_bytes);
	from += npu->target.sram_bytes;
	memcpy(npu->x.acc, from, npu->target.acc_bytes);
	loom_npu_set_progress(npu, h.progress);
	if (npu->hazard)
		loom_hazard_begin(npu->hazard, &npu->m);
	if (npu->m.state == LOOM_NPU_IDLE)
		loom_npu_bind(npu, NULL, 0);
	return true;
}
