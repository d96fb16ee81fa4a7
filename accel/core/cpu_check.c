// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The check of a CPU segment: what every operation has. Nothing that runs looks again at what is checked here, but for
 * values out of slots, which may change at any time and are clamped at each use.
 */
#include "cpu_check.h"

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

bool loom_cpu_refuse(struct loom_cpu_check *c, enum loom_cpu_status status, const char *what, __u64 value)
{
	c->status = status;
	c->e->what = what;
	c->e->value = value;
	return false;
}

bool loom_cpu_bad(struct loom_cpu_check *c, const char *what, __u64 value)
{
	return loom_cpu_refuse(c, LOOM_CPU_MALFORMED, what, value);
}

/* ---- operands ------------------------------------------------------------------------------------------ */

bool loom_cpu_extend(struct loom_cpu_extent *x, __u64 count, __s64 stride)
{
	__s64 way;
	__s64 *end = stride < 0 ? &x->lo : &x->hi;

	/* count is below 2^33: it is a count of u32. */
	return !__builtin_mul_overflow((__s64)count - 1, stride, &way) && !__builtin_add_overflow(*end, way, end);
}

bool loom_cpu_box(const struct loom_cpu_operand *o, struct loom_cpu_extent *x)
{
	x->lo = 0;
	x->hi = loom_dtype_bytes(o->dtype);
	for (__u32 d = 0; d < o->rank; d++)
		if (!loom_cpu_extend(x, o->dims[d], o->strides[d]))
			return false;
	return true;
}

static __u64 slot_bytes(const struct loom_cpu_check *c, __u32 slot)
{
	return c->slots ? c->slots[slot].bytes : c->declared[slot].bytes;
}

static __u32 slot_rights(const struct loom_cpu_check *c, __u32 slot)
{
	return c->slots ? c->slots[slot].rights : c->declared[slot].rights;
}

bool loom_cpu_check_extent(struct loom_cpu_check *c, const struct loom_cpu_operand *o, const struct loom_cpu_extent *x)
{
	const __u64 bytes = slot_bytes(c, o->slot);
	const __u64 before = 0 - (__u64)x->lo; /* lo is not above 0 */

	if (o->offset > bytes || before > o->offset || (__u64)x->hi > bytes - o->offset)
		return loom_cpu_bad(c, "operand goes outside its slot", o->offset);
	return true;
}

bool loom_cpu_check_rights(struct loom_cpu_check *c, const struct loom_cpu_operand *o, __u32 rights)
{
	if ((slot_rights(c, o->slot) & rights) != rights)
		return loom_cpu_bad(c, rights & LOOM_RIGHT_WRITE ? "output's slot lacks a right" :
								   "input's slot must not be read",
				    o->slot);
	return true;
}

static bool check_dims(struct loom_cpu_check *c, const struct loom_cpu_operand *o)
{
	__u64 n = 1;

	for (__u32 d = 0; d < LOOM_CPU_MAX_RANK; d++) {
		if (d >= o->rank) {
			if (o->dims[d] || o->strides[d])
				return loom_cpu_bad(c, "dimension beyond the operand's rank is not 0", d);
			continue;
		}
		if (!o->dims[d])
			return loom_cpu_bad(c, "operand has a dimension of 0", d);
		n *= o->dims[d]; /* both factors are at most 2^32 */
		if (n > LOOM_CPU_MAX_ELEMENTS)
			return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "operand has more than 2^32 elements", n);
	}
	return true;
}

static bool check_operand(struct loom_cpu_check *c, const struct loom_cpu_operand *o, bool is_input)
{
	struct loom_cpu_extent x;

	if (o->slot >= c->n_slots)
		return loom_cpu_bad(c, "operand names a slot that does not exist", o->slot);
	if (loom_cpu_form(o->dtype) == LOOM_CPU_FORM_NONE)
		return loom_cpu_bad(c, "operand's element type is none of the engine's", o->dtype);
	if (o->rank > LOOM_CPU_MAX_RANK)
		return loom_cpu_bad(c, "operand's rank is above 8", o->rank);
	if (o->rsvd)
		return loom_cpu_bad(c, "operand's reserved field is not 0", o->rsvd);
	if (!check_dims(c, o))
		return false;
	if (!loom_cpu_box(o, &x))
		return loom_cpu_bad(c, "operand's extent overflows", o->offset);
	return loom_cpu_check_extent(c, o, &x) &&
	       loom_cpu_check_rights(c, o, is_input ? LOOM_RIGHT_READ : LOOM_RIGHT_WRITE);
}

/* ---- scalar programs ----------------------------------------------------------------------------------- */

/* Which registers hold a value, and which of those one of 64 bits. */
struct registers {
	__u64 defined, wide;
	__u32 n_imms;
};

static bool check_read(struct loom_cpu_check *c, const struct registers *r, __u32 reg, bool wide)
{
	if (reg >= LOOM_CPU_NUM_REGS) {
		if (reg - LOOM_CPU_NUM_REGS >= r->n_imms)
			return loom_cpu_bad(c, "scalar operation names an immediate that does not exist", reg);
		return true;
	}
	if (!(r->defined >> reg & 1))
		return loom_cpu_bad(c, "register is read before it is written", reg);
	if ((r->wide >> reg & 1) != wide)
		return loom_cpu_bad(c, wide ? "register holds 32 bits where 64 are read" :
					      "register holds 64 bits where 32 are read",
				    reg);
	return true;
}

static bool check_write(struct loom_cpu_check *c, struct registers *r, __u32 reg, bool wide)
{
	if (reg >= LOOM_CPU_NUM_REGS)
		return loom_cpu_bad(c, "scalar operation writes a register above 63", reg);
	r->defined |= 1ull << reg;
	r->wide = (r->wide & ~(1ull << reg)) | (__u64)wide << reg;
	return true;
}

static bool check_load(struct loom_cpu_check *c, const struct loom_cpu_signature *s, struct registers *r,
		       const struct loom_cpu_scalar_op *u)
{
	if (u->b || u->c)
		return loom_cpu_bad(c, "unused field of a scalar operation is not 0", u->op);
	if (u->op == LOOM_UOP_IOTA) {
		if (u->a >= s->iota_rank)
			return loom_cpu_bad(c, "IOTA of a dimension that does not exist here", u->a);
		return check_write(c, r, u->dst, false);
	}
	if (u->a >= s->n_args)
		return loom_cpu_bad(c, "LOAD of an argument that does not exist", u->a);
	return check_write(c, r, u->dst, s->wide_arg[u->a]);
}

static bool check_convert(struct loom_cpu_check *c, struct registers *r, const struct loom_cpu_scalar_op *u)
{
	if (loom_cpu_form(u->b) == LOOM_CPU_FORM_NONE || loom_cpu_form(u->c) == LOOM_CPU_FORM_NONE)
		return loom_cpu_bad(c, "CVT of an element type that is none of the engine's", u->b);
	return check_read(c, r, u->a, loom_cpu_is_wide(u->b)) && check_write(c, r, u->dst, loom_cpu_is_wide(u->c));
}

static bool check_store(struct loom_cpu_check *c, const struct loom_cpu_signature *s, struct registers *r,
			const struct loom_cpu_scalar_op *u, __u32 *stored)
{
	if (u->b || u->c)
		return loom_cpu_bad(c, "unused field of a scalar operation is not 0", u->op);
	if (u->dst >= s->n_results)
		return loom_cpu_bad(c, "STORE of a result that does not exist", u->dst);
	if (*stored >> u->dst & 1)
		return loom_cpu_bad(c, "result is stored twice", u->dst);
	if (u->a >= LOOM_CPU_NUM_REGS)
		return loom_cpu_bad(c, "STORE of an immediate: move it to a register first", u->a);
	*stored |= 1u << u->dst;
	return check_read(c, r, u->a, s->wide_result[u->dst]);
}

static bool check_plain(struct loom_cpu_check *c, struct registers *r, const struct loom_cpu_scalar_op *u,
			struct loom_cpu_scalar_info info)
{
	const __u8 read[3] = { u->a, u->b, u->c };
	const bool wide = info.cls != LOOM_CPU_CLASS_W;

	for (__u32 i = 0; i < 3; i++) {
		if (i >= info.operands) {
			if (read[i])
				return loom_cpu_bad(c, "unused field of a scalar operation is not 0", u->op);
		} else if (!check_read(c, r, read[i], wide && (i || info.cls != LOOM_CPU_CLASS_S))) {
			return false;
		}
	}
	return check_write(c, r, u->dst, wide && info.cls != LOOM_CPU_CLASS_P);
}

/* Not all of the VPU's list have a companion. */
static const char *no_operation(__u32 op)
{
	if (op >= 0x100 && op < 0x300 && loom_cpu_scalar_info(op & 0xff).cls != LOOM_CPU_CLASS_NONE)
		return "scalar operation has no 64-bit companion that this engine runs";
	return "no such scalar operation";
}

static bool check_scalar(struct loom_cpu_check *c, const struct loom_cpu_signature *s, struct registers *r,
			 const struct loom_cpu_scalar_op *u, __u32 *stored)
{
	const struct loom_cpu_scalar_info info = loom_cpu_scalar_info(u->op);

	if (info.cls == LOOM_CPU_CLASS_NONE)
		return loom_cpu_refuse(c, LOOM_CPU_UNSUPPORTED, no_operation(u->op), u->op);
	if (u->rsvd)
		return loom_cpu_bad(c, "scalar operation's reserved field is not 0", u->rsvd);
	switch (u->op) {
	case LOOM_UOP_LOAD:
	case LOOM_UOP_IOTA:
		return check_load(c, s, r, u);
	case LOOM_UOP_STORE:
		return check_store(c, s, r, u, stored);
	case LOOM_CPU_CVT:
		return check_convert(c, r, u);
	default:
		return check_plain(c, r, u, info);
	}
}

bool loom_cpu_check_program(struct loom_cpu_check *c, const struct loom_cpu_op *op, const struct loom_cpu_signature *s)
{
	struct registers r = { 0, 0, op->n_imms };
	__u32 stored = 0;

	for (__u32 i = 0; i < s->n_ops; i++)
		if (!check_scalar(c, s, &r, &s->ops[i], &stored))
			return false;
	if (stored != (1u << s->n_results) - 1)
		return loom_cpu_bad(c, "scalar program does not store every result", stored);
	return true;
}

/* ---- operations ---------------------------------------------------------------------------------------- */

static bool check_header(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u64 room)
{
	const struct loom_cpu_structure_info info = loom_cpu_structure_info(op->structure);
	__u64 want;

	if (!info.known)
		return loom_cpu_refuse(c, LOOM_CPU_UNSUPPORTED, "no such structure", op->structure);
	if (info.refusal)
		return loom_cpu_refuse(c, LOOM_CPU_UNSUPPORTED, info.refusal, op->structure);
	if (!op->n_operands || op->n_operands > LOOM_CPU_MAX_OPERANDS || op->n_inputs >= op->n_operands)
		return loom_cpu_bad(c, "number of operands out of range", op->n_operands);
	if (op->n_scalar_ops > LOOM_CPU_MAX_SCALAR_OPS)
		return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "more than 64 scalar operations", op->n_scalar_ops);
	if (op->n_imms > LOOM_CPU_MAX_IMMS)
		return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "more than 16 immediates", op->n_imms);
	want = sizeof(*op) + op->n_operands * sizeof(struct loom_cpu_operand) + info.param_bytes +
	       op->n_scalar_ops * sizeof(struct loom_cpu_scalar_op) + op->n_imms * sizeof(__u64);
	if (op->bytes != want || op->bytes > room)
		return loom_cpu_bad(c, "bytes are not those of the operation's parts", op->bytes);
	if (op->loc >= c->n_locs)
		return loom_cpu_bad(c, "source location does not exist", op->loc);
	return true;
}

static bool check_weight(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const __u32 weight = loom_cpu_weight(op);

	if (weight > LOOM_CPU_MAX_WEIGHT)
		return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "scalar program's weight is above 1024", weight);
	return true;
}

static bool check_op(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u64 room)
{
	if (room < sizeof(*op))
		return loom_cpu_bad(c, "segment ends within an operation", room);
	if (!check_header(c, op, room))
		return false;
	for (__u32 i = 0; i < op->n_operands; i++)
		if (!check_operand(c, &loom_cpu_operands(op)[i], i < op->n_inputs))
			return false;
	if (!check_weight(c, op) || !loom_cpu_structure_info(op->structure).check(c, op))
		return false;
	if (loom_cpu_cost(op) > op->cost)
		return loom_cpu_bad(c, "operation costs more than it states", loom_cpu_cost(op));
	return true;
}

static bool check_segment(struct loom_cpu_check *c, struct loom_cpu_segment *seg, __u64 budget)
{
	for (__u64 at = 0; at < seg->bytes; seg->n_ops++) {
		const struct loom_cpu_op *op = (const void *)((const char *)seg->code + at);

		c->e->op = seg->n_ops;
		c->e->row = (__u32)(at / 8);
		if (seg->n_ops == LOOM_CPU_MAX_OPS)
			return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "more than 65536 operations", seg->n_ops);
		if (!check_op(c, op, seg->bytes - at))
			return false;
		if (op->cost > budget - seg->cost)
			return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "segment costs more than its budget", op->cost);
		seg->cost += op->cost;
		at += op->bytes;
	}
	return true;
}

static enum loom_cpu_status check_all(struct loom_cpu_check *c, struct loom_cpu_segment *seg, __u64 budget)
{
	memset(c->e, 0, sizeof(*c->e));
	if (!seg->bytes || seg->bytes % 8)
		loom_cpu_bad(c, "segment is empty or not of whole rows", seg->bytes);
	else
		check_segment(c, seg, budget < LOOM_CPU_MAX_COST ? budget : LOOM_CPU_MAX_COST);
	return c->status;
}

enum loom_cpu_status loom_cpu_check(const void *code, __u64 bytes, const struct loom_cpu_slot *slots, __u32 n_slots,
				    __u32 n_locs, __u64 budget, struct loom_cpu_segment *seg, struct loom_cpu_error *e)
{
	struct loom_cpu_check c = { .slots = slots, .e = e, .n_slots = n_slots, .n_locs = n_locs };

	*seg = (struct loom_cpu_segment){ .code = code, .bytes = bytes, .slots = slots, .n_slots = n_slots };
	return check_all(&c, seg, budget);
}

enum loom_cpu_status loom_cpu_check_declared(const void *code, __u64 bytes, const struct loom_prog_slot *slots,
					     __u32 n_slots, __u32 n_locs, __u64 budget, struct loom_cpu_error *e)
{
	struct loom_cpu_check c = { .declared = slots, .e = e, .n_slots = n_slots, .n_locs = n_locs };
	struct loom_cpu_segment seg = { .code = code, .bytes = bytes };

	return check_all(&c, &seg, budget);
}
