// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * What the front end checks in a record, in this order: opcode, length, semaphores, features, and for scalar
 * records their fields. The units check their own records' fields when these start.
 */
#include "machine.h"

/* Fields of struct loom_seq that an opcode uses. */
enum { RD = 1, RA = 2, RB = 4, COND = 8, TYPE = 16, TARGET = 32, IMM = 64 };

static unsigned seq_fields(uint8_t op)
{
	switch (op) {
	case LOOM_OP_LDI:
		return RD | IMM;
	case LOOM_OP_CMP:
		return RD | RA | RB | IMM | COND;
	case LOOM_OP_LD:
		return RD | RA | IMM | TYPE;
	case LOOM_OP_ST:
		return RA | RB | IMM | TYPE;
	case LOOM_OP_LOOP:
		return RD | RA | TARGET | IMM;
	case LOOM_OP_BR:
		return RA | RB | COND | IMM | TARGET;
	case LOOM_OP_TRAP:
	case LOOM_OP_MARK:
		return IMM;
	case LOOM_OP_HALT:
	case LOOM_OP_FENCE:
		return 0;
	default:
		return RD | RA | RB | IMM;
	}
}

unsigned loom_op_queue(uint8_t op)
{
	if (op >= LOOM_OP_LD_COPY && op <= LOOM_OP_LD_SCATTER)
		return LOOM_Q_LD;
	if (op >= LOOM_OP_ST_COPY && op <= LOOM_OP_ST_SCATTER)
		return LOOM_Q_ST;
	if (op == LOOM_OP_MXU)
		return LOOM_Q_MXU;
	if (op == LOOM_OP_VPU)
		return LOOM_Q_VPU;
	return LOOM_Q_SEQ;
}

static bool known_op(uint8_t op)
{
	return loom_op_queue(op) != LOOM_Q_SEQ || (op >= LOOM_OP_HALT && op <= LOOM_OP_MARK);
}

/* Length in units that an opcode must have, from the record's first unit. */
static uint32_t expected_units(const struct loom_dispatched *r)
{
	uint32_t bytes;

	switch (loom_op_queue(r->h.op)) {
	case LOOM_Q_SEQ:
		return 1;
	case LOOM_Q_LD:
	case LOOM_Q_ST:
		return sizeof(struct loom_dma) / LOOM_UNIT_BYTES;
	case LOOM_Q_MXU:
		bytes = sizeof(struct loom_mxu);
		if (r->mxu.flags & LOOM_MXU_EPI)
			bytes += sizeof(struct loom_epi);
		return bytes / LOOM_UNIT_BYTES;
	default:
		bytes = sizeof(struct loom_vpu) + r->vpu.nviews * (uint32_t)sizeof(struct loom_view);
		bytes += 4u * (r->vpu.nimms + r->vpu.nops);
		return (bytes + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES;
	}
}

static int check_semref(const struct loom_semref *s)
{
	if (!s->n)
		return s->sem ? LOOM_FAULT_RESERVED : LOOM_FAULT_NONE;
	return s->sem < LOOM_NUM_SEMS ? LOOM_FAULT_NONE : LOOM_FAULT_SEM;
}

static int check_semrefs(const struct loom_hdr *h)
{
	int fault = LOOM_FAULT_NONE;
	unsigned i;

	for (i = 0; i < 2 && !fault; i++)
		fault = check_semref(&h->wait[i]);
	for (i = 0; i < 2 && !fault; i++)
		fault = check_semref(&h->signal[i]);
	return fault;
}

static uint64_t needed_features(const struct loom_dispatched *r)
{
	uint64_t need = r->h.regsel ? 1ull << LOOM_FEAT_REG : 0;

	switch (r->h.op) {
	case LOOM_OP_LD:
	case LOOM_OP_ST:
		return need | 1ull << LOOM_FEAT_REG;
	case LOOM_OP_LOOP:
	case LOOM_OP_BR:
		return need | 1ull << LOOM_FEAT_LOOP;
	case LOOM_OP_LD_GATHER:
	case LOOM_OP_ST_GATHER:
		return need | 1ull << LOOM_FEAT_GATHER;
	case LOOM_OP_LD_SCATTER:
	case LOOM_OP_ST_SCATTER:
		return need | 1ull << LOOM_FEAT_SCATTER;
	case LOOM_OP_VPU:
		return need | 1ull << LOOM_FEAT_VPU;
	default:
		return need;
	}
}

static int check_seq(const struct loom_seq *s)
{
	const unsigned f = seq_fields(s->h.op);

	if (s->h.regsel || (!(f & RD) && s->rd) || (!(f & RA) && s->ra) || (!(f & RB) && s->rb) ||
	    (!(f & (COND | TYPE)) && s->cond) || (!(f & TARGET) && s->target) || (!(f & IMM) && s->imm))
		return LOOM_FAULT_RESERVED;
	if (s->h.op == LOOM_OP_LOOP && s->ra && s->imm)
		return LOOM_FAULT_RESERVED;
	if (s->rd >= LOOM_NUM_REGS || s->ra >= LOOM_NUM_REGS || s->rb >= LOOM_NUM_REGS)
		return LOOM_FAULT_FIELD;
	if ((f & COND && s->cond >= LOOM_NUM_CONDS) || (f & TYPE && s->cond >= LOOM_NUM_SCALAR_TYPES))
		return LOOM_FAULT_FIELD;
	return LOOM_FAULT_NONE;
}

int loom_decode(const struct loom_target *t, const struct loom_dispatched *r, uint32_t units_left,
		struct loom_refusal *why)
{
	int fault = LOOM_FAULT_NONE;

	if (!known_op(r->h.op))
		fault = LOOM_FAULT_OPCODE;
	else if (r->h.units > LOOM_MAX_UNITS || r->h.units != expected_units(r))
		fault = LOOM_FAULT_UNITS;
	else if (r->h.units > units_left)
		fault = LOOM_FAULT_FETCH;
	else
		fault = check_semrefs(&r->h);
	if (!fault && needed_features(r) & ~t->features)
		fault = LOOM_FAULT_FEATURE;
	if (!fault && loom_op_queue(r->h.op) == LOOM_Q_SEQ)
		fault = check_seq(&r->seq);
	return loom_refuse(why, fault, 0, 0, 0);
}
