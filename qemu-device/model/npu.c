// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The NPU's life: creation, jobs, their end. */
#include <stdlib.h>
#include <string.h>

#include "hazard.h"
#include "machine.h"

#define SLACK 64u /* what executors may touch behind SRAM and accumulators */
#define ALIGN 64u
#define MAX_SLOT_BYTES (1ull << 48)

static void *alloc_lines(size_t bytes)
{
	return aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
}

static struct loom_npu *alloc_npu(const struct loom_target *t, const struct loom_npu_host *host, void *opaque)
{
	struct loom_npu *npu;

	if (loom_target_check(t))
		return NULL;
	npu = calloc(1, sizeof(*npu));
	if (!npu)
		return NULL;
	npu->target = *t;
	npu->host = *host;
	npu->opaque = opaque;
	npu->x.target = &npu->target;
	npu->x.host = &npu->host;
	npu->x.opaque = opaque;
	return npu;
}

/* Without memory, of which a plan touches nothing: neither is ever dirty. */
struct loom_npu *loom_npu_create_planner(const struct loom_target *t, const struct loom_npu_host *host, void *opaque)
{
	struct loom_npu *npu = alloc_npu(t, host, opaque);

	if (!npu)
		return NULL;
	npu->plans = true;
	loom_npu_reset(npu);
	return npu;
}

struct loom_npu *loom_npu_create(const struct loom_target *t, const struct loom_npu_host *host, void *opaque)
{
	struct loom_npu *npu = alloc_npu(t, host, opaque);

	if (!npu)
		return NULL;
	npu->x.kernels = loom_kernels_select(LOOM_HOST_AUTO);
	npu->x.sram = alloc_lines((size_t)t->sram_bytes + SLACK);
	npu->x.acc = alloc_lines((size_t)t->acc_bytes + SLACK);
	npu->x.scratch = alloc_lines(LOOM_EXEC_SCRATCH(t));
	if (!npu->x.sram || !npu->x.acc || !npu->x.scratch || !npu->x.kernels) {
		loom_npu_destroy(npu);
		return NULL;
	}
	npu->sram_dirty = t->sram_bytes;
	npu->acc_dirty = t->acc_bytes;
	loom_npu_reset(npu);
	return npu;
}

void loom_npu_destroy(struct loom_npu *npu)
{
	if (!npu)
		return;
	loom_hazard_destroy(npu->hazard);
	free(npu->x.scratch);
	free(npu->x.acc);
	free(npu->x.sram);
	free(npu);
}

bool loom_npu_set_isa(struct loom_npu *npu, enum loom_host_isa isa)
{
	const struct loom_kernels *k = loom_kernels_select(isa);

	if (!k)
		return false;
	npu->x.kernels = k;
	return true;
}

bool loom_npu_set_hazards(struct loom_npu *npu, bool on)
{
	loom_hazard_destroy(npu->hazard);
	npu->hazard = on ? loom_hazard_create() : NULL;
	if (npu->hazard)
		loom_hazard_begin(npu->hazard, &npu->m);
	return !on || npu->hazard;
}

/* A job pays for what the last one touched: clearing 8 MiB would cost more than a null job. */
static void clear_memory(struct loom_npu *npu)
{
	if (npu->sram_dirty)
		memset(npu->x.sram, 0, (size_t)npu->sram_dirty + SLACK);
	if (npu->acc_dirty)
		memset(npu->x.acc, 0, (size_t)npu->acc_dirty + SLACK);
	npu->sram_dirty = npu->acc_dirty = 0;
}

/* Everything up to the rings, whose records count only as far as the fifos say. */
static void clear_machine(struct loom_machine *m)
{
	unsigned q;

	memset(m, 0, offsetof(struct loom_machine, batch));
	for (q = 0; q < LOOM_NUM_QUEUES; q++)
		m->event[q] = LOOM_NEVER;
	m->fetch.event = LOOM_NEVER;
}

void loom_npu_bind(struct loom_npu *npu, const struct loom_npu_slot *slots, uint32_t n_slots)
{
	npu->x.slots = slots;
	npu->x.n_slots = n_slots;
	npu->fetch_count = 0;
}

void loom_npu_reset(struct loom_npu *npu)
{
	clear_machine(&npu->m);
	clear_memory(npu);
	loom_npu_bind(npu, NULL, 0);
}

static bool slot_ok(const struct loom_npu *npu, const struct loom_npu_slot *s)
{
	return s->bytes < MAX_SLOT_BYTES && !(s->rights & ~(LOOM_RIGHT_READ | LOOM_RIGHT_WRITE)) &&
	       s->mem_class < npu->target.mem_classes && s->offset_mod64 < 64;
}

bool loom_job_ok(const struct loom_npu *npu, const struct loom_npu_job *job)
{
	uint32_t i;

	if (!job->n_units || job->n_units > LOOM_MAX_CODE_UNITS ||
	    job->first_unit > LOOM_MAX_CODE_UNITS - job->n_units)
		return false;
	if (!job->insn_budget || !job->cycle_budget || job->n_slots > LOOM_MAX_SLOTS)
		return false;
	for (i = 0; i < job->n_slots; i++)
		if (!slot_ok(npu, &job->slots[i]))
			return false;
	return true;
}

int loom_npu_start(struct loom_npu *npu, const struct loom_npu_job *job)
{
	struct loom_machine *m = &npu->m;

	if (m->state != LOOM_NPU_IDLE || !loom_job_ok(npu, job))
		return LOOM_FAULT_JOB;
	clear_machine(m);
	clear_memory(npu);
	loom_npu_bind(npu, job->slots, job->n_slots);
	m->seqno = job->seqno;
	m->first_unit = job->first_unit;
	m->n_units = job->n_units;
	m->insn_budget = job->insn_budget;
	m->cycle_budget = job->cycle_budget < LOOM_MAX_CYCLES ? job->cycle_budget : LOOM_MAX_CYCLES;
	m->report_bytes = job->report_bytes;
	m->seq.pc = job->first_unit;
	m->now = loom_job_start(&npu->target);
	loom_fetch_begin(npu);
	m->state = LOOM_NPU_RUNNING;
	loom_report_begin(npu);
	if (npu->hazard)
		loom_hazard_begin(npu->hazard, m);
	return LOOM_FAULT_NONE;
}

enum loom_npu_state loom_npu_run(struct loom_npu *npu, uint64_t max_insns)
{
	struct loom_machine *m = &npu->m;
	const uint64_t stop = max_insns && max_insns < UINT64_MAX - m->insns ? m->insns + max_insns : UINT64_MAX;

	while (m->state == LOOM_NPU_RUNNING && m->insns < stop)
		loom_step_machine(npu);
	return (enum loom_npu_state)m->state;
}

/* Ends the job at a cycle; why it ended is in m->end already. */
void loom_end(struct loom_npu *npu, uint64_t cycles)
{
	struct loom_machine *m = &npu->m;

	if (cycles > m->cycle_budget && m->end.fault == LOOM_FAULT_NONE) {
		m->end.fault = LOOM_FAULT_BUDGET_CYCLES;
		m->end.unit = m->seq.pc;
	}
	if (cycles > m->cycle_budget)
		cycles = m->cycle_budget;
	loom_report_cut(npu, cycles);
	m->end.seqno = m->seqno;
	m->end.cycles = cycles;
	m->end.insns = m->insns;
	m->end.mxu_busy = m->report.queue[LOOM_Q_MXU].busy + m->report.queue[LOOM_Q_MXU].edge +
			  m->report.queue[LOOM_Q_MXU].fill;
	m->state = LOOM_NPU_DONE;
}

/* Ends the job with a fault of the record at unit; no record takes effect after this. h may be NULL. */
void loom_fail(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h, const struct loom_refusal *why)
{
	struct loom_completion *c = &npu->m.end;

	c->fault = (uint16_t)why->fault;
	c->slot = (uint16_t)why->slot;
	c->unit = unit;
	c->loc = h ? h->loc : 0;
	c->aux = h ? h->op : 0;
	c->offset = (uint64_t)why->offset;
	c->limit = why->limit;
	loom_end(npu, npu->m.now);
}

void loom_fail_hazard(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h, const struct loom_refusal *why,
		      uint32_t other)
{
	loom_fail(npu, unit, h, why);
	npu->m.end.aux = other;
}

void loom_npu_abort(struct loom_npu *npu)
{
	struct loom_seq_state *s = &npu->m.seq;
	struct loom_refusal why;

	if (npu->m.state != LOOM_NPU_RUNNING)
		return;
	loom_refuse(&why, LOOM_FAULT_ABORTED, 0, 0, 0);
	loom_fail(npu, s->pc, s->phase == LOOM_SEQ_HELD || s->phase == LOOM_SEQ_RUNS ? &s->cur.h : NULL, &why);
}

/* A record about to take effect: false, and the job's end, if the budget has no room for it. */
bool loom_may_retire(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h)
{
	struct loom_refusal why;

	if (npu->m.insns < npu->m.insn_budget)
		return true;
	loom_refuse(&why, LOOM_FAULT_BUDGET_INSNS, 0, 0, 0);
	loom_fail(npu, unit, h, &why);
	return false;
}

void loom_npu_set_progress(struct loom_npu *npu, uint64_t insns)
{
	__atomic_store_n(&npu->progress, insns, __ATOMIC_RELAXED);
}

void loom_retire(struct loom_npu *npu, const struct loom_hdr *h, const struct loom_report_entry *e)
{
	npu->m.insns++;
	loom_npu_set_progress(npu, npu->progress + 1);
	loom_report_entry(npu, e);
	if (npu->host.retired)
		npu->host.retired(npu->opaque, h, e);
}

uint64_t loom_npu_progress(const struct loom_npu *npu)
{
	return __atomic_load_n(&npu->progress, __ATOMIC_RELAXED);
}

void loom_npu_finish(struct loom_npu *npu, struct loom_completion *c)
{
	if (npu->m.state != LOOM_NPU_DONE) {
		memset(c, 0, sizeof(*c));
		c->fault = LOOM_FAULT_JOB;
		return;
	}
	*c = npu->m.end;
	loom_report_write(npu, c);
	npu->m.state = LOOM_NPU_IDLE;
	loom_npu_bind(npu, NULL, 0);
}
