// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
#include "prog_check.h"

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "cpu_engine.h"
#include "loom_regs.h"

struct check {
	const __u8 *base;
	struct loom_prog_view *v;
	struct loom_prog_error *e;
	enum loom_prog_status status; /* of what is bad */
	__u32 cpu_end; /* CPU rows up to here belong to segments that were checked */
	__u32 step_end; /* steps, to entry points */
};

static bool bad(struct check *c, const char *section, __u32 index, const char *what, __u64 value)
{
	c->e->section = section;
	c->e->index = index;
	c->e->what = what;
	c->e->value = value;
	return false;
}

/* [first, first + count) lies in [0, n). */
static bool in_range(__u64 first, __u64 count, __u64 n)
{
	return first <= n && count <= n - first;
}

struct section_rule {
	const char *name;
	__u32 stride; /* bytes of a row */
	__u32 min, max; /* rows */
};

static const struct section_rule section_rules[LOOM_NUM_SECTIONS] = {
	[LOOM_SEC_TARGET] = { "target", sizeof(struct loom_target), 1, 1 },
	[LOOM_SEC_STRINGS] = { "strings", 1, 1, LOOM_PROG_MAX_META },
	[LOOM_SEC_NPU_CODE] = { "NPU code", LOOM_UNIT_BYTES, 0, LOOM_MAX_CODE_UNITS },
	[LOOM_SEC_CPU_CODE] = { "CPU code", 8, 0, 1u << 21 },
	[LOOM_SEC_SLOTS] = { "slot", sizeof(struct loom_prog_slot), 0, LOOM_MAX_SLOTS },
	[LOOM_SEC_TENSORS] = { "tensor", sizeof(struct loom_prog_tensor), 0, 1u << 16 },
	[LOOM_SEC_ENTRIES] = { "entry point", sizeof(struct loom_prog_entry), 1, 1024 },
	[LOOM_SEC_SEGMENTS] = { "segment", sizeof(struct loom_prog_segment), 1, 1u << 16 },
	[LOOM_SEC_SCHEDULE] = { "step", sizeof(struct loom_prog_step), 0, 1u << 16 },
	[LOOM_SEC_SCOPES] = { "scope", sizeof(struct loom_prog_scope), 0, 1u << 20 },
	[LOOM_SEC_LOCS] = { "location", sizeof(struct loom_prog_loc), 0, 1u << 20 },
	[LOOM_SEC_TOKENIZER] = { "tokenizer", 1, 0, LOOM_PROG_MAX_META },
	[LOOM_SEC_LABELS] = { "label", 4, 0, 1u << 20 },
	[LOOM_SEC_LAYERS] = { "layer", sizeof(struct loom_prog_layer), 0, 1u << 20 },
};

static bool check_section(struct check *c, __u32 id, __u64 meta_bytes)
{
	const struct loom_prog_section *s = &c->v->header->sections[id];
	const struct section_rule *r = &section_rules[id];

	if (!r->name) {
		if (s->offset || s->count || s->stride)
			return bad(c, "section", id, "unknown section is not empty", s->count);
		return true;
	}
	if (s->count < r->min || s->count > r->max)
		return bad(c, r->name, s->count, "number of rows out of range", s->count);
	if (!s->count)
		return true;
	if (s->stride != r->stride)
		return bad(c, r->name, 0, "bytes a row are not this version's", s->stride);
	if (s->offset % 8 || s->offset < sizeof(struct loom_prog_header))
		return bad(c, r->name, 0, "section offset is misaligned or in the header", s->offset);
	if (!in_range(s->offset, (__u64)s->count * s->stride, meta_bytes))
		return bad(c, r->name, 0, "section goes past the end", s->offset);
	return true;
}

static const void *rows(struct check *c, __u32 id, __u32 *count)
{
	const struct loom_prog_section *s = &c->v->header->sections[id];

	if (count)
		*count = s->count;
	return s->count ? c->base + s->offset : NULL;
}

static enum loom_prog_status check_header(struct check *c, const void *meta, __u64 bytes)
{
	const struct loom_prog_header *h = meta;

	if (bytes < sizeof(*h)) {
		bad(c, "header", 0, "the file is shorter than a header", bytes);
		return LOOM_PROG_TRUNCATED;
	}
	if (h->magic != LOOM_PROG_MAGIC) {
		bad(c, "header", 0, "magic is not PROG: not a Loom program", h->magic);
		return LOOM_PROG_NOT_A_PROGRAM;
	}
	if (h->version != LOOM_PROG_VERSION) {
		bad(c, "header", 0, "container version is not 1: compile the model again with this release", h->version);
		return LOOM_PROG_BAD_VERSION;
	}
	if (h->meta_bytes % LOOM_PROG_ALIGN || h->meta_bytes > LOOM_PROG_MAX_META || h->meta_bytes < sizeof(*h)) {
		bad(c, "header", 0, "meta_bytes out of range", h->meta_bytes);
		return LOOM_PROG_MALFORMED;
	}
	if (h->const_bytes % LOOM_PROG_ALIGN || h->const_bytes > LOOM_PROG_MAX_CONST ||
	    h->file_bytes != h->meta_bytes + h->const_bytes) {
		bad(c, "header", 0, "const_bytes or file_bytes out of range", h->const_bytes);
		return LOOM_PROG_MALFORMED;
	}
	if (h->flags || h->rsvd) {
		bad(c, "header", 0, "reserved field is not 0", h->flags);
		return LOOM_PROG_MALFORMED;
	}
	if (bytes < h->meta_bytes) {
		bad(c, "header", 0, "the file is shorter than its header says", bytes);
		return LOOM_PROG_TRUNCATED;
	}
	return LOOM_PROG_OK;
}

static bool check_strings(struct check *c)
{
	const char *s = c->v->strings;
	const __u32 n = c->v->n_strings;

	if (s[0] || s[n - 1])
		return bad(c, "strings", 0, "must begin with an empty string and end with a NUL", n);
	return true;
}

static bool check_slot(struct check *c, __u32 i)
{
	const struct loom_prog_slot *s = &c->v->slots[i];
	const __u64 consts = c->v->header->const_bytes;
	const bool has_const = s->kind == LOOM_SLOT_CONST || (s->flags & LOOM_SLOT_INIT);

	if (s->name >= c->v->n_strings)
		return bad(c, "slot", i, "name is not a string", s->name);
	if (s->kind >= LOOM_NUM_SLOT_KINDS)
		return bad(c, "slot", i, "unknown kind", s->kind);
	if (!s->rights || (s->rights & ~(LOOM_RIGHT_READ | LOOM_RIGHT_WRITE)))
		return bad(c, "slot", i, "rights are neither read nor write", s->rights);
	if (s->kind == LOOM_SLOT_CONST && s->rights != LOOM_RIGHT_READ)
		return bad(c, "slot", i, "a constant may only be read", s->rights);
	if (s->mem_class >= c->v->target->mem_classes)
		return bad(c, "slot", i, "memory class is not in the target", s->mem_class);
	if ((s->flags & ~(LOOM_SLOT_INIT | LOOM_SLOT_HIDDEN)) ||
	    ((s->flags & LOOM_SLOT_INIT) && s->kind != LOOM_SLOT_STATE))
		return bad(c, "slot", i, "unknown flag, or INIT on what is not state", s->flags);
	if ((s->flags & LOOM_SLOT_HIDDEN) && s->kind != LOOM_SLOT_ARG)
		return bad(c, "slot", i, "HIDDEN on what is no argument", s->flags);
	if (!s->bytes || s->bytes > LOOM_MAX_BUFFER_BYTES)
		return bad(c, "slot", i, "bytes are 0 or above 1 GiB", s->bytes);
	if (!has_const && s->const_offset)
		return bad(c, "slot", i, "const_offset of a slot without constants is not 0", s->const_offset);
	if (has_const && (s->const_offset % 64 || !in_range(s->const_offset, s->bytes, consts)))
		return bad(c, "slot", i, "constants misaligned or past their end", s->const_offset);
	return true;
}

static bool check_tensor(struct check *c, __u32 i)
{
	const struct loom_prog_tensor *t = &c->v->tensors[i];
	__u64 bytes = loom_dtype_bytes(t->dtype);
	__u32 d;

	if (t->name >= c->v->n_strings)
		return bad(c, "tensor", i, "name is not a string", t->name);
	if (t->slot >= c->v->n_slots)
		return bad(c, "tensor", i, "slot does not exist", t->slot);
	if (t->dtype >= LOOM_NUM_DTYPES || t->rank > LOOM_PROG_MAX_RANK || t->role >= LOOM_NUM_ROLES || t->rsvd)
		return bad(c, "tensor", i, "unknown type, rank or role", t->dtype);
	if (t->donated_to > c->v->n_tensors)
		return bad(c, "tensor", i, "donated to a tensor that does not exist", t->donated_to);
	for (d = 0; d < LOOM_PROG_MAX_RANK; d++) {
		if (d >= t->rank) {
			if (t->dims[d])
				return bad(c, "tensor", i, "dimension past the rank is not 0", t->dims[d]);
			continue;
		}
		/* Both factors stay below 2^32: bytes is cut off at 1 GiB each time. */
		bytes *= t->dims[d];
		if (bytes > LOOM_MAX_BUFFER_BYTES)
			return bad(c, "tensor", i, "larger than 1 GiB", bytes);
	}
	if (t->dtype != LOOM_BYTES && bytes != t->bytes)
		return bad(c, "tensor", i, "bytes are not dims times element", t->bytes);
	if (!in_range(t->offset, t->bytes, c->v->slots[t->slot].bytes))
		return bad(c, "tensor", i, "goes past the end of its slot", t->offset);
	return true;
}

/* Chains are the entry point's segments; loops lie one in the other, not too deep. */
static bool check_schedule(struct check *c, const struct loom_prog_entry *n)
{
	__u32 ends[LOOM_PROG_MAX_DEPTH];
	__u32 depth = 0, k;

	for (k = 0; k < n->n_steps; k++) {
		const __u32 row = n->first_step + k;
		const struct loom_prog_step *s = &c->v->steps[row];

		while (depth && ends[depth - 1] == k)
			depth--;
		if (s->kind == LOOM_STEP_RUN) {
			if (!in_range(s->first, s->count, n->n_segments))
				return bad(c, "step", row, "segments that the entry point does not have", s->first);
			continue;
		}
		if (s->count > (depth ? ends[depth - 1] : n->n_steps) - k - 1)
			return bad(c, "step", row, "loop goes past the end of what it lies in", s->count);
		if (depth == LOOM_PROG_MAX_DEPTH)
			return bad(c, "step", row, "more than 8 loops one in the other", depth);
		ends[depth++] = k + 1 + s->count;
	}
	return true;
}

static bool check_entry(struct check *c, __u32 i)
{
	const struct loom_prog_entry *n = &c->v->entries[i];

	if (n->name >= c->v->n_strings)
		return bad(c, "entry point", i, "name is not a string", n->name);
	if (n->flags || n->rsvd[0] || n->rsvd[1])
		return bad(c, "entry point", i, "reserved field is not 0", n->flags);
	if (!in_range(n->first_tensor, n->n_tensors, c->v->n_tensors))
		return bad(c, "entry point", i, "tensors that do not exist", n->first_tensor);
	if (!n->n_segments || !in_range(n->first_segment, n->n_segments, c->v->n_segments))
		return bad(c, "entry point", i, "segments that do not exist", n->first_segment);
	if (!n->n_steps && n->n_segments > LOOM_PROG_MAX_SEGMENTS)
		return bad(c, "entry point", i, "more than 64 segments in a chain", n->n_segments);
	if (!in_range(n->first_step, n->n_steps, c->v->n_steps))
		return bad(c, "entry point", i, "steps that do not exist", n->first_step);
	if (!n->n_steps)
		return true;
	if (n->first_step < c->step_end)
		return bad(c, "entry point", i, "steps of an earlier entry point", n->first_step);
	c->step_end = n->first_step + n->n_steps;
	return check_schedule(c, n);
}

static bool check_cpu_code(struct check *c, __u32 i)
{
	const struct loom_prog_segment *s = &c->v->segments[i];
	const __u8 *code = c->v->cpu_code + (__u64)s->first * 8;
	struct loom_cpu_error e;
	enum loom_cpu_status st;

	if (s->cycle_budget)
		return bad(c, "segment", i, "cycle budget of a CPU segment is not 0", s->cycle_budget);
	if (s->first < c->cpu_end)
		return bad(c, "segment", i, "CPU code of an earlier segment", s->first);
	c->cpu_end = s->first + s->count;
	st = loom_cpu_check_declared(code, (__u64)s->count * 8, c->v->slots, c->v->n_slots, c->v->n_locs,
				     s->insn_budget, &e);
	if (st == LOOM_CPU_OK)
		return true;
	if (st == LOOM_CPU_UNSUPPORTED)
		c->status = LOOM_PROG_UNSUPPORTED;
	return bad(c, "CPU code", s->first + e.row, e.what, e.value);
}

static bool check_segment(struct check *c, __u32 i)
{
	const struct loom_prog_segment *s = &c->v->segments[i];
	const __u32 n = s->engine == LOOM_ENGINE_NPU ? c->v->n_units : c->v->n_cpu_rows;

	if (s->engine >= LOOM_NUM_ENGINES)
		return bad(c, "segment", i, "unknown engine", s->engine);
	if (s->rsvd[0] || s->rsvd[1] || s->rsvd[2] || s->rsvd2)
		return bad(c, "segment", i, "reserved field is not 0", s->rsvd2);
	if (!s->count || !in_range(s->first, s->count, n))
		return bad(c, "segment", i, "code that does not exist", s->first);
	if (!s->insn_budget || (s->engine == LOOM_ENGINE_NPU && !s->cycle_budget))
		return bad(c, "segment", i, "budget is 0", s->insn_budget);
	return s->engine == LOOM_ENGINE_NPU || check_cpu_code(c, i);
}

static bool check_condition(struct check *c, __u32 i)
{
	const __u32 cond = c->v->steps[i].cond;
	const struct loom_prog_tensor *t;

	if (cond >= c->v->n_tensors)
		return bad(c, "step", i, "condition does not exist", cond);
	t = &c->v->tensors[cond];
	if (t->dtype != LOOM_I1 || t->rank)
		return bad(c, "step", i, "condition is not an i1 tensor of rank 0", cond);
	if (c->v->slots[t->slot].kind != LOOM_SLOT_ARG || !(c->v->slots[t->slot].rights & LOOM_RIGHT_READ))
		return bad(c, "step", i, "condition is not in an argument's slot that may be read", t->slot);
	return true;
}

static bool check_step(struct check *c, __u32 i)
{
	const struct loom_prog_step *s = &c->v->steps[i];

	if (s->kind > LOOM_STEP_REPEAT)
		return bad(c, "step", i, "unknown kind", s->kind);
	if (s->rsvd[0] || s->rsvd[1] || s->rsvd[2])
		return bad(c, "step", i, "reserved field is not 0", s->rsvd[0]);
	if (!s->count)
		return bad(c, "step", i, "runs nothing", s->count);
	if ((s->kind != LOOM_STEP_RUN && s->first) || (s->kind != LOOM_STEP_WHILE && s->cond) ||
	    (s->kind != LOOM_STEP_REPEAT && s->arg))
		return bad(c, "step", i, "field of another kind of step is not 0", s->kind);
	if (s->kind == LOOM_STEP_RUN && s->count > LOOM_PROG_MAX_SEGMENTS)
		return bad(c, "step", i, "more than 64 segments in a chain", s->count);
	if (s->kind == LOOM_STEP_REPEAT && !s->arg)
		return bad(c, "step", i, "repeats 0 times", s->arg);
	return s->kind != LOOM_STEP_WHILE || check_condition(c, i);
}

static bool check_scope(struct check *c, __u32 i)
{
	const struct loom_prog_scope *s = &c->v->scopes[i];

	if (s->name >= c->v->n_strings)
		return bad(c, "scope", i, "name is not a string", s->name);
	if (s->parent > i)
		return bad(c, "scope", i, "parent comes later", s->parent);
	return true;
}

static bool check_loc(struct check *c, __u32 i)
{
	const struct loom_prog_loc *l = &c->v->locs[i];

	if (l->file >= c->v->n_strings || l->op >= c->v->n_strings)
		return bad(c, "location", i, "file or operation is not a string", l->file);
	if (l->scope >= c->v->n_scopes)
		return bad(c, "location", i, "scope does not exist", l->scope);
	if (l->rsvd)
		return bad(c, "location", i, "reserved field is not 0", l->rsvd);
	return true;
}

static bool check_layer(struct check *c, __u32 i)
{
	const struct loom_prog_layer *l = &c->v->layers[i];

	if (l->loc >= c->v->n_locs || l->rsvd)
		return bad(c, "layer", i, "location does not exist", l->loc);
	if (!in_range(l->first_unit, l->n_units, c->v->n_units))
		return bad(c, "layer", i, "code that does not exist", l->first_unit);
	return true;
}

static bool check_target(struct check *c)
{
	const struct loom_target *t = c->v->target;

	if (!t->mem_classes || t->mem_classes > LOOM_MAX_MEM_CLASSES)
		return bad(c, "target", 0, "memory classes out of range", t->mem_classes);
	if (t->isa_major != LOOM_ISA_MAJOR)
		return bad(c, "target", 0, "instruction set version is not 1: compile the model again", t->isa_major);
	if (c->v->header->target_hash != loom_prog_hash(t, sizeof(*t)))
		return bad(c, "target", 0, "hash differs from the header's", c->v->header->target_hash);
	if (c->v->header->producer >= c->v->n_strings)
		return bad(c, "header", 0, "producer is not a string", c->v->header->producer);
	return true;
}

static bool each(struct check *c, __u32 n, bool (*row)(struct check *c, __u32 i))
{
	__u32 i;

	for (i = 0; i < n; i++)
		if (!row(c, i))
			return false;
	return true;
}

static bool check_rows(struct check *c)
{
	struct loom_prog_view *v = c->v;

	return check_strings(c) && check_target(c) && each(c, v->n_slots, check_slot) &&
	       each(c, v->n_tensors, check_tensor) && each(c, v->n_segments, check_segment) &&
	       each(c, v->n_steps, check_step) && each(c, v->n_entries, check_entry) &&
	       each(c, v->n_scopes, check_scope) && each(c, v->n_locs, check_loc) &&
	       each(c, v->n_layers, check_layer);
}

enum loom_prog_status loom_prog_check(const void *meta, __u64 bytes, struct loom_prog_view *v,
				      struct loom_prog_error *e)
{
	struct check c = { .base = meta, .v = v, .e = e, .status = LOOM_PROG_MALFORMED };
	enum loom_prog_status st;
	__u32 id;

	memset(v, 0, sizeof(*v));
	memset(e, 0, sizeof(*e));
	st = check_header(&c, meta, bytes);
	if (st)
		return st;
	v->header = meta;
	for (id = 0; id < LOOM_NUM_SECTIONS; id++)
		if (!check_section(&c, id, v->header->meta_bytes))
			return LOOM_PROG_MALFORMED;
	v->target = rows(&c, LOOM_SEC_TARGET, NULL);
	v->strings = rows(&c, LOOM_SEC_STRINGS, &v->n_strings);
	v->npu_code = rows(&c, LOOM_SEC_NPU_CODE, &v->n_units);
	v->cpu_code = rows(&c, LOOM_SEC_CPU_CODE, &v->n_cpu_rows);
	v->slots = rows(&c, LOOM_SEC_SLOTS, &v->n_slots);
	v->tensors = rows(&c, LOOM_SEC_TENSORS, &v->n_tensors);
	v->entries = rows(&c, LOOM_SEC_ENTRIES, &v->n_entries);
	v->segments = rows(&c, LOOM_SEC_SEGMENTS, &v->n_segments);
	v->steps = rows(&c, LOOM_SEC_SCHEDULE, &v->n_steps);
	v->scopes = rows(&c, LOOM_SEC_SCOPES, &v->n_scopes);
	v->locs = rows(&c, LOOM_SEC_LOCS, &v->n_locs);
	v->layers = rows(&c, LOOM_SEC_LAYERS, &v->n_layers);
	return check_rows(&c) ? LOOM_PROG_OK : c.status;
}

void loom_prog_wanted_args(const struct loom_prog_view *v, __u32 entry, __u8 *wanted)
{
	const struct loom_prog_entry *n = &v->entries[entry];
	__u32 i;

	for (i = 0; i < v->n_slots; i++)
		wanted[i] = v->slots[i].kind == LOOM_SLOT_ARG;
	for (i = 0; i < v->n_tensors; i++)
		wanted[v->tensors[i].slot] = 0;
	for (i = n->first_tensor; i < n->first_tensor + n->n_tensors; i++)
		wanted[v->tensors[i].slot] = v->slots[v->tensors[i].slot].kind == LOOM_SLOT_ARG;
	/* What its schedule asks for need not be among its tensors. */
	for (i = n->first_step; i < n->first_step + n->n_steps; i++)
		if (v->steps[i].kind == LOOM_STEP_WHILE)
			wanted[v->tensors[v->steps[i].cond].slot] = 1;
}

static bool ops_bound(const struct loom_prog_view *v, const struct loom_prog_segment *s, const __u8 *wanted,
		      __u32 *slot)
{
	const __u8 *at = v->cpu_code + (__u64)s->first * 8;
	const __u8 *end = at + (__u64)s->count * 8;
	const struct loom_cpu_operand *o;
	const struct loom_cpu_op *op;
	__u32 i;

	for (; at < end; at += op->bytes) {
		op = (const struct loom_cpu_op *)at;
		o = (const struct loom_cpu_operand *)(op + 1);
		for (i = 0; i < op->n_operands; i++) {
			*slot = o[i].slot;
			if (v->slots[*slot].kind == LOOM_SLOT_ARG && !wanted[*slot])
				return false;
		}
	}
	return true;
}

bool loom_prog_args_bound(const struct loom_prog_view *v, __u32 entry, const __u8 *wanted, __u32 *slot)
{
	const struct loom_prog_entry *n = &v->entries[entry];
	__u32 i;

	for (i = n->first_segment; i < n->first_segment + n->n_segments; i++)
		if (v->segments[i].engine == LOOM_ENGINE_CPU && !ops_bound(v, &v->segments[i], wanted, slot))
			return false;
	return true;
}

enum loom_prog_status loom_prog_check_target(const struct loom_target *need, const struct loom_target *device,
					     struct loom_prog_error *e)
{
	struct check c = { .e = e };

	memset(e, 0, sizeof(*e));
	if (need->isa_major != device->isa_major || need->isa_minor > device->isa_minor)
		bad(&c, "target", need->isa_major, "the device has another instruction set version", device->isa_major);
	else if (need->features & ~device->features)
		bad(&c, "target", 0, "the device lacks features (bit set)", need->features & ~device->features);
	else if (need->sram_bytes > device->sram_bytes)
		bad(&c, "target", 0, "the program needs more SRAM (bytes) than the device has", need->sram_bytes);
	else if (need->acc_bytes > device->acc_bytes)
		bad(&c, "target", 0, "the program needs more accumulator memory (bytes) than the device has", need->acc_bytes);
	else if (need->mem_classes > device->mem_classes)
		bad(&c, "target", 0, "the program needs more memory classes than the device has", need->mem_classes);
	else if (need->rows > device->rows || need->cols > device->cols)
		bad(&c, "target", 0, "the program was compiled for a larger array (rows)", need->rows);
	else
		return LOOM_PROG_OK;
	return LOOM_PROG_BAD_TARGET;
}
