// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * DMA records: COPY, FILL, GATHER and SCATTER between SRAM and slots. Nothing of a record moves before its lowest
 * and highest address are known to lie in their memory, whatever an index list says. The weight code is a feature
 * that reads 0.
 */
#include <string.h>

#include "apart.h"
#include "kernels.h"
#include "machine.h"

#define SIDE_SRC 0
#define SIDE_DST 1
enum { MAX_PARTS = 4 }; /* of a copy that threads share */

#define PARALLEL_BYTES (1u << 16) /* fewer stay on the calling thread */
#define FAR ((int64_t)1 << 62) /* farther than any memory; strides cannot lead back from there */

static bool is_gather(const struct loom_dma *r)
{
	return r->h.op == LOOM_OP_LD_GATHER || r->h.op == LOOM_OP_ST_GATHER;
}

static bool is_scatter(const struct loom_dma *r)
{
	return r->h.op == LOOM_OP_LD_SCATTER || r->h.op == LOOM_OP_ST_SCATTER;
}

static bool is_indexed(const struct loom_dma *r)
{
	return is_gather(r) || is_scatter(r);
}

static bool is_fill(const struct loom_dma *r)
{
	return r->h.op == LOOM_OP_LD_FILL || r->h.op == LOOM_OP_ST_FILL;
}

/* One side of a record: bytes [lo, hi) of a slot, rows at off + strides. */
struct side {
	uint32_t slot;
	int64_t off, lo, hi;
	const int32_t *stride;
	uint8_t *at; /* byte off of the slot, if the whole side is directly accessible */
	bool indexed; /* the list says which row of dimension 3, of limit */
};

static int64_t saturating_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? -FAR : FAR;
	return sum < -FAR ? -FAR : sum > FAR ? FAR : sum;
}

static struct side side_of(const struct loom_dispatched *r, int which)
{
	const struct loom_dma *d = &r->dma;
	const uint64_t addr = which == SIDE_SRC ? d->src : d->dst;
	struct side s;
	int i;

	memset(&s, 0, sizeof(s));
	s.slot = LOOM_ADDR_SLOT(addr);
	s.stride = which == SIDE_SRC ? d->sstride : d->dstride;
	s.off = saturating_add((int64_t)LOOM_ADDR_OFFSET(addr), r->base[which]);
	s.lo = s.off;
	s.hi = s.off + d->inner_bytes;
	s.indexed = which == SIDE_SRC ? is_gather(d) : is_scatter(d);
	for (i = 0; i < 4; i++) {
		const int64_t count = s.indexed && i == 3 ? d->limit : d->n[i];
		const int64_t reach = (count - 1) * s.stride[i];

		int64_t *end = reach < 0 ? &s.lo : &s.hi;

		if (__builtin_add_overflow(*end, reach, end))
			*end = reach < 0 ? -FAR : FAR;
	}
	return s;
}

static int check_fields(const struct loom_dma *r)
{
	const bool fill = is_fill(r);
	unsigned i;

	if (r->codec == LOOM_CODEC_WEIGHT && !fill)
		return LOOM_FAULT_FEATURE;
	if (r->codec)
		return fill ? LOOM_FAULT_RESERVED : LOOM_FAULT_FIELD;
	if (r->oob || r->h.regsel >> (is_indexed(r) ? 12 : 8))
		return LOOM_FAULT_RESERVED;
	if (!is_indexed(r) && (r->idx_type || r->limit))
		return LOOM_FAULT_RESERVED;
	if ((!fill && r->elem) || (!fill && !is_indexed(r) && r->idx_or_fill))
		return LOOM_FAULT_RESERVED;
	if (fill && (r->src || r->h.regsel & 15))
		return LOOM_FAULT_RESERVED;
	for (i = 0; i < 4 && fill; i++)
		if (r->sstride[i])
			return LOOM_FAULT_RESERVED;
	for (i = 0; i < 4; i++)
		if (!r->n[i])
			return LOOM_FAULT_FIELD;
	if (!r->inner_bytes)
		return LOOM_FAULT_FIELD;
	if (is_indexed(r) && ((r->idx_type != LOOM_I32 && r->idx_type != LOOM_U32) || !r->limit))
		return LOOM_FAULT_FIELD;
	if (!fill)
		return LOOM_FAULT_NONE;
	if ((r->elem != 1 && r->elem != 2 && r->elem != 4) || r->inner_bytes % r->elem)
		return LOOM_FAULT_FIELD;
	return r->elem < 4 && r->idx_or_fill >> 8 * r->elem ? LOOM_FAULT_FIELD : LOOM_FAULT_NONE;
}

/* Bytes that the record moves; 0 if they are more than the cap. */
static uint64_t capped_bytes(const struct loom_dma *r)
{
	uint64_t bytes = r->inner_bytes;
	unsigned i;

	for (i = 0; i < 4 && bytes <= LOOM_CAP_DMA_BYTES; i++)
		bytes *= r->n[i];
	return bytes <= LOOM_CAP_DMA_BYTES ? bytes : 0;
}

static int check_side(const struct loom_exec *x, const struct side *s, uint32_t right, struct loom_refusal *why)
{
	const int64_t refused = s->lo < 0 ? s->lo : s->hi;
	uint64_t limit = x->target->sram_bytes;

	if (s->slot != LOOM_SLOT_SRAM) {
		if (s->slot >= x->n_slots || !x->slots[s->slot].bytes)
			return loom_refuse(why, LOOM_FAULT_SLOT, s->slot, s->lo, 0);
		limit = x->slots[s->slot].bytes;
		if (!(x->slots[s->slot].rights & right))
			return loom_refuse(why, LOOM_FAULT_SLOT_RIGHTS, s->slot, s->lo, limit);
	}
	if (s->lo >= 0 && (uint64_t)s->hi <= limit)
		return LOOM_FAULT_NONE;
	return loom_refuse(why, s->slot == LOOM_SLOT_SRAM ? LOOM_FAULT_SRAM_BOUNDS : LOOM_FAULT_SLOT_BOUNDS, s->slot,
			   refused, limit);
}

static bool slower(const struct loom_target *t, uint32_t a, uint32_t b)
{
	return loom_mem_bandwidth64(&t->mem[a]) < loom_mem_bandwidth64(&t->mem[b]);
}

/* Adds what a side asks of memory. The source comes first. */
static void demand_side(const struct loom_exec *x, const struct loom_dma *r, const struct side *s, uint64_t bytes,
			struct loom_demand *d)
{
	const struct loom_npu_slot *slot = &x->slots[s->slot];
	const uint32_t phase = (uint32_t)((slot->offset_mod64 + (uint64_t)s->off) % 64);

	d->bus_bytes += s->indexed ? loom_dma_indexed_bytes(phase, r->n, s->stride, r->inner_bytes) :
				     loom_dma_bus_bytes(phase, r->n, s->stride, r->inner_bytes);
	if (s->stride == r->sstride)
		d->read_bytes = bytes;
	else
		d->write_bytes = bytes;
	if (d->mem_class == LOOM_NO_CLASS || slower(x->target, slot->mem_class, d->mem_class))
		d->mem_class = slot->mem_class;
}

/* Where the index list begins, in SRAM. */
static int64_t list_address(const struct loom_dispatched *r)
{
	return saturating_add(r->dma.idx_or_fill, r->base[2]);
}

static int check_list(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	struct side list;

	memset(&list, 0, sizeof(list));
	list.slot = LOOM_SLOT_SRAM;
	list.lo = list_address(r);
	list.hi = list.lo + (int64_t)r->dma.n[3] * 4;
	return check_side(x, &list, LOOM_RIGHT_READ, why);
}

/* Bytes that a record within SRAM takes time for: rows by index are fetched in whole bursts, others as they are. */
static uint64_t sram_bytes(const struct loom_dispatched *r, uint64_t bytes)
{
	const struct loom_dma *d = &r->dma;
	const struct side s = side_of(r, is_gather(d) ? SIDE_SRC : SIDE_DST);

	return is_indexed(d) ? loom_dma_indexed_bytes((uint32_t)(s.off % 64), d->n, s.stride, d->inner_bytes) : bytes;
}

/* What the banks of SRAM add to the cycles of a record; the slower side counts. */
static uint64_t bank_conflict(const struct loom_target *t, const struct loom_dispatched *r, const struct side *src,
			      const struct side *dst, uint64_t cycles)
{
	const struct side *const side[2] = { is_fill(&r->dma) ? dst : src, dst };
	uint64_t slowest = cycles;
	unsigned i;

	for (i = 0; i < 2; i++) {
		uint64_t c;

		if (side[i]->slot != LOOM_SLOT_SRAM)
			continue;
		c = loom_dma_sram_cycles(t, r->dma.n, side[i]->stride, r->dma.inner_bytes, side[i]->indexed);
		if (c > slowest)
			slowest = c;
	}
	return slowest - cycles;
}

int loom_dma_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why)
{
	const uint64_t bytes = capped_bytes(&r->dma);
	const bool fill = is_fill(&r->dma);
	int fault = check_fields(&r->dma);
	struct side src, dst;

	if (fault || !bytes)
		return loom_refuse(why, fault ? fault : LOOM_FAULT_CAP, 0, 0, 0);
	src = side_of(r, SIDE_SRC);
	dst = side_of(r, SIDE_DST);
	if (!fill)
		fault = check_side(x, &src, LOOM_RIGHT_READ, why);
	if (!fault)
		fault = check_side(x, &dst, LOOM_RIGHT_WRITE, why);
	if (!fault && is_indexed(&r->dma))
		fault = check_list(x, r, why);
	if (fault)
		return fault;
	memset(d, 0, sizeof(*d));
	d->mem_class = LOOM_NO_CLASS;
	if (!fill && src.slot != LOOM_SLOT_SRAM)
		demand_side(x, &r->dma, &src, bytes, d);
	if (dst.slot != LOOM_SLOT_SRAM)
		demand_side(x, &r->dma, &dst, bytes, d);
	if (d->mem_class == LOOM_NO_CLASS)
		d->cost = loom_cost_dma(NULL, bytes, sram_bytes(r, bytes));
	else
		d->cost = loom_cost_dma(&x->target->mem[d->mem_class], d->read_bytes + d->write_bytes, d->bus_bytes);
	d->cost.conflict = bank_conflict(x->target, r, &src, &dst, d->cost.busy + d->cost.edge);
	if (is_indexed(&r->dma))
		d->cost.fill += loom_dma_index_cycles(r->dma.n[3]);
	return LOOM_FAULT_NONE;
}

/* A record as rows: loops that can be merged are, so that long runs are one copy. */
struct rows {
	uint64_t n[4];
	int64_t ss[4], ds[4];
	uint64_t len;
};

static void merge_rows(const struct loom_dma *r, bool merge_inner, struct rows *w)
{
	int d, to = 3;

	w->len = r->inner_bytes;
	for (d = 3; d >= 0; d--) {
		const int64_t ss = is_fill(r) ? r->dstride[d] : r->sstride[d], ds = r->dstride[d];

		if (r->n[d] == 1)
			continue;
		if (merge_inner && to == 3 && ss == (int64_t)w->len && ds == (int64_t)w->len) {
			w->len *= r->n[d];
		} else if (to < 3 && ss == (int64_t)w->n[to + 1] * w->ss[to + 1] &&
			   ds == (int64_t)w->n[to + 1] * w->ds[to + 1]) {
			w->n[to + 1] *= r->n[d];
		} else {
			w->n[to] = r->n[d];
			w->ss[to] = ss;
			w->ds[to] = ds;
			to--;
		}
	}
	for (; to >= 0; to--) {
		w->n[to] = 1;
		w->ss[to] = w->ds[to] = 0;
	}
}

struct copy {
	const struct loom_exec *x;
	struct side src, dst;
	const uint8_t *pattern; /* FILL: one row */
	struct rows rows;
	bool apart; /* no byte that is written is read */
	struct loom_refusal *why;
};

/* The innermost loop between two places in this process's memory. Small rows are moved without a call. */
static void copy_direct(const struct copy *c, uint8_t *dst, const uint8_t *src)
{
	const uint64_t n = c->rows.n[3], len = c->rows.len;
	const int64_t ds = c->rows.ds[3], ss = c->rows.ss[3];
	uint64_t i;

#define ROWS(bytes)                                                                                                    \
	for (i = 0; i < n; i++) {                                                                                      \
		uint8_t row[bytes];                                                                                    \
                                                                                                                       \
		memcpy(row, src + (int64_t)i * ss, bytes);                                                             \
		memcpy(dst + (int64_t)i * ds, row, bytes);                                                             \
	}
	switch (len) {
	case 1:
		ROWS(1);
		break;
	case 2:
		ROWS(2);
		break;
	case 4:
		ROWS(4);
		break;
	case 8:
		ROWS(8);
		break;
	case 16:
		ROWS(16);
		break;
	default:
		if (c->apart)
			c->x->kernels->copy_rows(dst, src, n, ds, ss, len,
						 c->src.at == c->x->asked[0] || c->src.at == c->x->asked[1]);
		else
			for (i = 0; i < n; i++)
				memmove(dst + (int64_t)i * ds, src + (int64_t)i * ss, len);
	}
#undef ROWS
}

static uint8_t *direct(const struct loom_exec *x, uint32_t slot, int64_t off, uint64_t len, bool write)
{
	if (slot == LOOM_SLOT_SRAM)
		return x->sram + off;
	return x->host->direct ? x->host->direct(x->opaque, slot, (uint64_t)off, len, write) : NULL;
}

static int refuse_access(struct copy *c, int fault, const struct side *s, int64_t off)
{
	return loom_refuse(c->why, fault, s->slot, off, c->x->slots[s->slot].bytes);
}

/* One row of which not both ends are known to be directly accessible. Scratch has room for the longest row. */
static int copy_row(struct copy *c, int64_t soff, int64_t doff)
{
	const struct loom_exec *x = c->x;
	const uint64_t len = c->rows.len;
	uint8_t *to = c->dst.at ? c->dst.at + (doff - c->dst.off) : direct(x, c->dst.slot, doff, len, true);
	const uint8_t *from = c->pattern;
	int fault;

	if (!from)
		from = c->src.at ? c->src.at + (soff - c->src.off) : direct(x, c->src.slot, soff, len, false);
	if (!from) {
		fault = x->host->read(x->opaque, c->src.slot, (uint64_t)soff, to ? to : x->scratch, len);
		if (fault)
			return refuse_access(c, fault, &c->src, soff);
		if (to)
			return LOOM_FAULT_NONE;
		from = x->scratch;
	}
	if (to) {
		memmove(to, from, len);
		return LOOM_FAULT_NONE;
	}
	fault = x->host->write(x->opaque, c->dst.slot, (uint64_t)doff, from, len);
	return fault ? refuse_access(c, fault, &c->dst, doff) : LOOM_FAULT_NONE;
}

static int copy_rows(struct copy *c, int64_t soff, int64_t doff)
{
	const struct rows *w = &c->rows;
	uint64_t i;
	int fault = LOOM_FAULT_NONE;

	if (c->dst.at && c->src.at) {
		copy_direct(c, c->dst.at + (doff - c->dst.off), c->src.at + (soff - c->src.off));
		return LOOM_FAULT_NONE;
	}
	for (i = 0; i < w->n[3] && !fault; i++)
		fault = copy_row(c, soff + (int64_t)i * w->ss[3], doff + (int64_t)i * w->ds[3]);
	return fault;
}

/* All rows, one after the other. */
static int copy_in_order(struct copy *c)
{
	const struct rows *w = &c->rows;
	uint64_t i[3];
	int fault = LOOM_FAULT_NONE;

	for (i[0] = 0; i[0] < w->n[0]; i[0]++)
		for (i[1] = 0; i[1] < w->n[1]; i[1]++)
			for (i[2] = 0; i[2] < w->n[2] && !fault; i[2]++) {
				int64_t soff = c->src.off, doff = c->dst.off;
				unsigned d;

				for (d = 0; d < 3; d++) {
					soff += (int64_t)i[d] * w->ss[d];
					doff += (int64_t)i[d] * w->ds[d];
				}
				fault = copy_rows(c, soff, doff);
			}
	return fault;
}

/* A copy whose rows threads share. */
struct shared {
	const struct copy *c;
	unsigned dim, parts; /* dim 4: the bytes of the only row */
};

static void copy_part(void *arg, unsigned part)
{
	const struct shared *s = arg;
	const uint64_t n = s->dim == 4 ? s->c->rows.len : s->c->rows.n[s->dim];
	const uint64_t first = n * part / s->parts, end = n * (part + 1) / s->parts;
	struct copy c = *s->c;

	if (s->dim == 4) {
		c.src.off += (int64_t)first;
		c.dst.off += (int64_t)first;
		c.src.at += first;
		c.dst.at += first;
		c.rows.len = end - first;
	} else {
		c.src.off += (int64_t)first * c.rows.ss[s->dim];
		c.dst.off += (int64_t)first * c.rows.ds[s->dim];
		c.src.at += (int64_t)first * c.rows.ss[s->dim];
		c.dst.at += (int64_t)first * c.rows.ds[s->dim];
		c.rows.n[s->dim] = end - first;
	}
	copy_in_order(&c); /* what is directly accessible cannot fail */
}

static int copy_all(struct copy *c)
{
	const struct rows *w = &c->rows;
	struct shared s = { c, 0, MAX_PARTS };

	while (s.dim < 4 && w->n[s.dim] == 1)
		s.dim++;
	if (!c->apart || !c->src.at || !c->dst.at || !c->x->host || !c->x->host->parallel_for ||
	    w->n[0] * w->n[1] * w->n[2] * w->n[3] * w->len < PARALLEL_BYTES ||
	    !loom_places_apart(4, w->n, w->ds, (int64_t)w->len))
		return copy_in_order(c);
	if (s.dim < 4 && s.parts > w->n[s.dim])
		s.parts = (unsigned)w->n[s.dim];
	c->x->host->parallel_for(c->x->opaque, s.parts, copy_part, &s);
	return LOOM_FAULT_NONE;
}

static void open_side(const struct loom_exec *x, struct side *s, bool write)
{
	uint8_t *lowest = direct(x, s->slot, s->lo, (uint64_t)(s->hi - s->lo), write);

	s->at = lowest ? lowest + (s->off - s->lo) : NULL;
}

/* Whether rows must stay apart because one that is written may be read later. */
static bool overlap(const struct side *a, const struct side *b)
{
	if (a->at && b->at) {
		const uintptr_t la = (uintptr_t)a->at - (uint64_t)(a->off - a->lo);
		const uintptr_t lb = (uintptr_t)b->at - (uint64_t)(b->off - b->lo);

		return la < lb + (uint64_t)(b->hi - b->lo) && lb < la + (uint64_t)(a->hi - a->lo);
	}
	return a->slot == b->slot && a->lo < b->hi && b->lo < a->hi;
}

/* One row of the pattern, in scratch. */
static void make_pattern(const struct loom_exec *x, const struct loom_dma *r, uint64_t len)
{
	uint64_t done;

	memcpy(x->scratch, &r->idx_or_fill, r->elem);
	for (done = r->elem; done < len; done *= 2)
		memcpy(x->scratch + done, x->scratch, done < len - done ? done : len - done);
}

static int fill(struct copy *c, const struct loom_dma *r)
{
	merge_rows(r, true, &c->rows);
	make_pattern(c->x, r, c->rows.len);
	memset(c->rows.ss, 0, sizeof(c->rows.ss));
	c->pattern = c->x->scratch;
	c->src.at = c->x->scratch;
	c->apart = true;
	return copy_all(c);
}

/* The row that entry i of the list names; -1: none. */
static int64_t named_row(const struct loom_exec *x, const struct loom_dispatched *r, uint32_t i)
{
	uint32_t word;
	int64_t row;

	memcpy(&word, x->sram + list_address(r) + (int64_t)i * 4, sizeof(word));
	row = r->dma.idx_type == LOOM_I32 ? (int64_t)(int32_t)word : (int64_t)word;
	if (is_scatter(&r->dma))
		return row < r->dma.limit ? row : -1;
	return row < 0 ? 0 : row < r->dma.limit ? row : (int64_t)r->dma.limit - 1;
}

static int copy_named(struct copy *c, const struct loom_dispatched *r, int64_t soff, int64_t doff)
{
	const struct loom_dma *d = &r->dma;
	const bool gather = is_gather(d);
	uint32_t i;
	int fault = LOOM_FAULT_NONE;

	for (i = 0; i < d->n[3] && !fault; i++) {
		const int64_t row = named_row(c->x, r, i);

		if (row >= 0)
			fault = copy_row(c, soff + (gather ? row : i) * d->sstride[3],
					 doff + (gather ? i : row) * d->dstride[3]);
	}
	return fault;
}

/* Gather and scatter: each index is read when its row is about to move. */
static int copy_indexed(struct copy *c, const struct loom_dispatched *r)
{
	const struct loom_dma *d = &r->dma;
	uint32_t i, j, k;
	int fault = LOOM_FAULT_NONE;

	c->rows.len = d->inner_bytes;
	for (i = 0; i < d->n[0] && !fault; i++)
		for (j = 0; j < d->n[1] && !fault; j++)
			for (k = 0; k < d->n[2] && !fault; k++)
				fault = copy_named(c, r,
						   c->src.off + (int64_t)i * d->sstride[0] +
							   (int64_t)j * d->sstride[1] + (int64_t)k * d->sstride[2],
						   c->dst.off + (int64_t)i * d->dstride[0] +
							   (int64_t)j * d->dstride[1] + (int64_t)k * d->dstride[2]);
	return fault;
}

void loom_dma_ahead(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_ahead *h)
{
	struct loom_refusal why;
	struct loom_demand d;
	struct rows rows;
	struct side src;

	if (r->h.op != LOOM_OP_LD_COPY || LOOM_ADDR_SLOT(r->dma.src) == LOOM_SLOT_SRAM ||
	    loom_dma_check(x, r, &d, &why))
		return;
	src = side_of(r, SIDE_SRC);
	open_side(x, &src, false);
	merge_rows(&r->dma, true, &rows);
	if (src.at && rows.n[0] * rows.n[1] * rows.n[2] == 1)
		h->part[h->n++] = (struct loom_ahead_part){ src.at, rows.ss[3], rows.n[3], rows.len };
}

int loom_dma_exec(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	struct copy c;

	memset(&c, 0, sizeof(c));
	c.x = x;
	c.why = why;
	c.src = side_of(r, SIDE_SRC);
	c.dst = side_of(r, SIDE_DST);
	open_side(x, &c.dst, true);
	if (is_fill(&r->dma)) {
		c.src.off = 0;
		return fill(&c, &r->dma);
	}
	open_side(x, &c.src, false);
	if (is_indexed(&r->dma))
		return copy_indexed(&c, r);
	c.apart = !overlap(&c.src, &c.dst);
	merge_rows(&r->dma, c.apart, &c.rows);
	return copy_all(&c);
}
