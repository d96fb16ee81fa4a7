// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The front end. It handles one record at a time: fetch (fetch.c says when), then wait (semaphores of a scalar record, room in a
 * queue for a dispatch, empty queues for FENCE and HALT), then LOOM_T_SEQ cycles, at whose end the record's
 * effect, dispatch or fault happens.
 *
 * Loops cost nothing by themselves. A loop of count <= 0, or with an empty body, is not entered: the program goes
 * on at target (with an empty body, rd gets the index of the last iteration). Going on in sequence to exactly the end
 * of the innermost loop starts its next iteration; every other way out of [start, end) leaves it.
 */
#include <string.h>

#include "hazard.h"
#include "machine.h"

static int fetch_units(struct loom_npu *npu, uint32_t unit, struct loom_refusal *why)
{
	const struct loom_machine *m = &npu->m;
	const uint32_t left = m->first_unit + m->n_units - unit;
	const uint32_t n = left < LOOM_FETCH_UNITS ? left : LOOM_FETCH_UNITS;
	const uint64_t offset = (uint64_t)unit * LOOM_UNIT_BYTES;
	int fault;

	npu->fetch_count = 0;
	fault = npu->host.read(npu->opaque, LOOM_NPU_CODE, offset, npu->fetch, (uint64_t)n * LOOM_UNIT_BYTES);
	if (fault)
		return loom_refuse(why, fault, LOOM_SLOT_CODE, (int64_t)offset,
				   (uint64_t)(m->first_unit + m->n_units) * LOOM_UNIT_BYTES);
	npu->fetch_first = unit;
	npu->fetch_count = n;
	return LOOM_FAULT_NONE;
}

static bool buffered(const struct loom_npu *npu, uint32_t unit, uint32_t units)
{
	return unit >= npu->fetch_first && unit - npu->fetch_first + units <= npu->fetch_count;
}

/* Brings the record at pc into cur. On a fault cur holds as much of its header as was readable. */
static int fetch(struct loom_npu *npu, struct loom_refusal *why)
{
	struct loom_machine *m = &npu->m;
	struct loom_seq_state *s = &m->seq;
	const uint32_t left = m->first_unit + m->n_units - s->pc; /* huge if pc is before the code */
	const uint8_t *at;
	int fault;

	if (s->pc < m->first_unit || left > m->n_units || left == 0) {
		memset(&s->cur.h, 0, sizeof(s->cur.h));
		return loom_refuse(why, LOOM_FAULT_FETCH, 0, 0, 0);
	}
	if (!buffered(npu, s->pc, 1)) {
		memset(&s->cur.h, 0, sizeof(s->cur.h));
		fault = fetch_units(npu, s->pc, why);
		if (fault)
			return fault;
	}
	at = npu->fetch + (size_t)(s->pc - npu->fetch_first) * LOOM_UNIT_BYTES;
	memcpy(s->cur.bytes, at, LOOM_UNIT_BYTES);
	fault = loom_decode(&npu->target, &s->cur, left, why);
	if (fault || s->cur.h.units == 1)
		return fault;
	if (!buffered(npu, s->pc, s->cur.h.units)) {
		fault = fetch_units(npu, s->pc, why);
		if (fault)
			return fault;
		at = npu->fetch;
	}
	memcpy(s->cur.bytes, at, loom_record_bytes(&s->cur.h));
	return LOOM_FAULT_NONE;
}

/* What must be here before the record counts as fetched; of one that is refused, its header. */
static uint32_t units_needed(const struct loom_machine *m)
{
	const struct loom_seq_state *s = &m->seq;

	if (s->refusal.fault == LOOM_FAULT_FETCH)
		return 0;
	return s->refusal.fault ? 1 : s->cur.h.units;
}

/* Whether the record held may start now. */
static bool may_start(struct loom_machine *m)
{
	struct loom_seq_state *s = &m->seq;
	const unsigned q = loom_op_queue(s->cur.h.op);

	if (s->refusal.fault)
		return true;
	if (q != LOOM_Q_SEQ)
		return m->fifo[q].count < LOOM_FIFO_ROOM;
	if (!loom_sem_take(m, &s->cur.h, &s->waits_taken))
		return false;
	return (s->cur.h.op != LOOM_OP_FENCE && s->cur.h.op != LOOM_OP_HALT) || loom_queues_empty(m);
}

void loom_seq_begin(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	struct loom_seq_state *s = &m->seq;

	if (s->phase == LOOM_SEQ_FREE) {
		s->refusal.fault = LOOM_FAULT_NONE;
		fetch(npu, &s->refusal);
		s->ready = m->now;
		s->waits_taken = 0;
		s->phase = LOOM_SEQ_FETCH;
		loom_fetch_want(npu, units_needed(m));
	}
	if (s->phase == LOOM_SEQ_FETCH && loom_fetch_here(m)) {
		loom_report_fetch(npu, m->now - s->ready);
		s->ready = m->now;
		s->phase = LOOM_SEQ_HELD;
	}
	if (s->phase != LOOM_SEQ_HELD || !may_start(m))
		return;
	s->start = m->now;
	s->phase = LOOM_SEQ_RUNS;
	m->event[LOOM_Q_SEQ] = m->now + LOOM_T_SEQ;
}

/* Moves pc on in sequence or, by a branch, to a target. */
static void go_on(struct loom_seq_state *s, uint32_t pc, bool branch)
{
	while (s->n_loops) {
		struct loom_loop *l = &s->loop[s->n_loops - 1];

		if (pc >= l->start && pc < l->end)
			break;
		if (pc == l->end && !branch && l->left > 1) {
			l->left--;
			l->index++;
			if (l->rd)
				s->r[l->rd] = l->index;
			pc = l->start;
			break;
		}
		s->n_loops--;
	}
	s->pc = pc;
}

static bool target_ok(const struct loom_machine *m, uint32_t target)
{
	return target >= m->first_unit && target - m->first_unit < m->n_units;
}

static int run_loop(struct loom_machine *m, const struct loom_seq *i, struct loom_refusal *why)
{
	struct loom_seq_state *s = &m->seq;
	const int64_t count = i->ra ? s->r[i->ra] : i->imm;
	const bool empty = i->target == s->pc + 1;
	struct loom_loop *l;

	if (!target_ok(m, i->target) || i->target <= s->pc)
		return loom_refuse(why, LOOM_FAULT_BRANCH, 0, 0, 0);
	if (count <= 0 || empty) {
		if (count > 0 && i->rd)
			s->r[i->rd] = count - 1;
		go_on(s, i->target, false);
		return LOOM_FAULT_NONE;
	}
	if (s->n_loops == LOOM_MAX_LOOP_NEST)
		return loom_refuse(why, LOOM_FAULT_LOOP_NEST, 0, 0, 0);
	l = &s->loop[s->n_loops++];
	l->left = count;
	l->index = 0;
	l->start = s->pc + 1;
	l->end = i->target;
	l->rd = i->rd;
	if (l->rd)
		s->r[l->rd] = 0;
	s->pc++;
	return LOOM_FAULT_NONE;
}

static bool holds(uint8_t cond, int64_t a, int64_t b)
{
	switch (cond) {
	case LOOM_COND_EQ:
		return a == b;
	case LOOM_COND_NE:
		return a != b;
	case LOOM_COND_LT:
		return a < b;
	case LOOM_COND_LE:
		return a <= b;
	case LOOM_COND_GT:
		return a > b;
	case LOOM_COND_GE:
		return a >= b;
	default:
		return true;
	}
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* rd of an arithmetic record; b is rb + imm. All arithmetic wraps. */
static int64_t compute(const struct loom_seq *i, int64_t a, int64_t b)
{
	switch (i->h.op) {
	case LOOM_OP_LDI:
		return i->imm;
	case LOOM_OP_ADD:
		return (int64_t)((uint64_t)a + (uint64_t)b);
	case LOOM_OP_SUB:
		return (int64_t)((uint64_t)a - (uint64_t)b);
	case LOOM_OP_MUL:
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case LOOM_OP_SHL:
		return (int64_t)((uint64_t)a << (b & 63));
	case LOOM_OP_SHR:
		return a >> (b & 63);
	case LOOM_OP_AND:
		return a & b;
	case LOOM_OP_OR:
		return a | b;
	case LOOM_OP_MIN:
		return min64(a, b);
	case LOOM_OP_MAX:
		return max64(a, b);
	case LOOM_OP_CLAMP:
		return min64(max64(a, 0), b);
	default:
		return holds(i->cond, a, b);
	}
}

/* LD and ST: checked and done at once. */
static int run_access(struct loom_npu *npu, const struct loom_seq *i, struct loom_refusal *why)
{
	int64_t *r = npu->m.seq.r;
	const uint64_t size = i->cond == LOOM_SCALAR_I8 ? 1 : 4;
	const uint64_t limit = npu->target.sram_bytes;
	const uint64_t addr = (uint64_t)r[i->ra] + (uint64_t)i->imm;
	int8_t byte;
	uint32_t word;

	if (addr > limit - size)
		return loom_refuse(why, LOOM_FAULT_SRAM_BOUNDS, LOOM_SLOT_SRAM,
				   (int64_t)addr < 0 ? (int64_t)addr : (int64_t)(addr + size), limit);
	if (addr % size)
		return loom_refuse(why, LOOM_FAULT_ALIGN, LOOM_SLOT_SRAM, (int64_t)addr, limit);
	if (npu->plans) {
		if (i->h.op == LOOM_OP_LD && i->rd)
			r[i->rd] = 0;
	} else if (i->h.op == LOOM_OP_ST) {
		if (npu->sram_dirty < addr + size)
			npu->sram_dirty = addr + size;
		word = (uint32_t)r[i->rb];
		memcpy(npu->x.sram + addr, &word, size);
	} else if (i->rd && size == 1) {
		memcpy(&byte, npu->x.sram + addr, 1);
		r[i->rd] = byte;
	} else if (i->rd) {
		memcpy(&word, npu->x.sram + addr, 4);
		r[i->rd] = i->cond == LOOM_SCALAR_U32 ? (int64_t)word : (int64_t)(int32_t)word;
	}
	return LOOM_FAULT_NONE;
}

/* The effect of a scalar record, and where the program goes on. */
static int execute(struct loom_npu *npu, struct loom_refusal *why)
{
	struct loom_machine *m = &npu->m;
	struct loom_seq_state *s = &m->seq;
	const struct loom_seq *i = &s->cur.seq;
	const int64_t b = (int64_t)((uint64_t)s->r[i->rb] + (uint64_t)i->imm);
	int fault = LOOM_FAULT_NONE;

	switch (i->h.op) {
	case LOOM_OP_LOOP:
		return run_loop(m, i, why);
	case LOOM_OP_BR:
		if (!target_ok(m, i->target))
			return loom_refuse(why, LOOM_FAULT_BRANCH, 0, 0, 0);
		if (holds(i->cond, s->r[i->ra], b)) {
			go_on(s, i->target, true);
			return LOOM_FAULT_NONE;
		}
		break;
	case LOOM_OP_TRAP:
		return loom_refuse(why, LOOM_FAULT_TRAP, 0, 0, 0);
	case LOOM_OP_LD:
	case LOOM_OP_ST:
		fault = run_access(npu, i, why);
		break;
	case LOOM_OP_HALT:
	case LOOM_OP_FENCE:
	case LOOM_OP_MARK:
		break;
	default:
		if (i->rd)
			s->r[i->rd] = compute(i, s->r[i->ra], b);
		break;
	}
	if (!fault)
		go_on(s, s->pc + 1, false);
	return fault;
}

/* HALT took effect: the queues are empty, so only semaphores can be wrong. */
static void halt(struct loom_npu *npu, uint32_t unit)
{
	struct loom_machine *m = &npu->m;
	struct loom_refusal why;
	unsigned i;

	m->seq.phase = LOOM_SEQ_ENDED;
	for (i = 0; i < LOOM_NUM_SEMS; i++) {
		if (m->sem[i] || m->sem_flight[i]) {
			loom_refuse(&why, LOOM_FAULT_SEM_LEFT, 0, 0, 0);
			loom_fail(npu, unit, &m->seq.cur.h, &why);
			return;
		}
	}
	loom_end(npu, m->now + LOOM_T_JOB_END);
}

static void capture(const struct loom_seq_state *s, struct loom_dispatched *r)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		r->base[i] = s->r[r->h.regsel >> 4 * i & 15];
}

static void dispatch(struct loom_npu *npu, unsigned q)
{
	struct loom_seq_state *s = &npu->m.seq;

	capture(s, &s->cur);
	loom_queue_push(npu, q, s->pc, &s->cur);
	loom_report_seq(npu, s->ready, s->start, npu->m.now);
	go_on(s, s->pc + s->cur.h.units, false);
}

void loom_seq_event(struct loom_npu *npu)
{
	struct loom_machine *m = &npu->m;
	struct loom_seq_state *s = &m->seq;
	const unsigned q = loom_op_queue(s->cur.h.op);
	const struct loom_report_entry entry = {s->pc, LOOM_Q_SEQ, s->ready, s->start, m->now};
	struct loom_refusal why = s->refusal;
	uint32_t other;

	if (why.fault) {
		loom_fail(npu, entry.unit, &s->cur.h, &why);
		return;
	}
	m->event[LOOM_Q_SEQ] = LOOM_NEVER;
	if (q != LOOM_Q_SEQ) {
		dispatch(npu, q);
		s->phase = LOOM_SEQ_FREE;
		return;
	}
	if (!loom_may_retire(npu, entry.unit, &s->cur.h) || !loom_sem_give(npu, entry.unit, &s->cur.h))
		return;
	if (npu->hazard && !loom_hazard_seq(npu->hazard, npu, &s->cur, &why, &other)) {
		loom_fail_hazard(npu, entry.unit, &s->cur.h, &why, other);
		return;
	}
	if (execute(npu, &why)) {
		loom_fail(npu, entry.unit, &s->cur.h, &why);
		if (why.fault == LOOM_FAULT_TRAP)
			m->end.aux = (uint32_t)s->cur.seq.imm;
		return;
	}
	s->phase = LOOM_SEQ_FREE;
	loom_report_seq(npu, s->ready, s->start, m->now);
	loom_retire(npu, &s->cur.h, &entry);
	if (s->cur.h.op == LOOM_OP_HALT)
		halt(npu, entry.unit);
}
