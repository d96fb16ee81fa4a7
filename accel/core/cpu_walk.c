// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Chunks of up to 64 elements of a box, and where they lie in operands. */
#include "cpu_run.h"

__u8 *loom_cpu_base(const struct loom_cpu_run *r, const struct loom_cpu_operand *o)
{
	return (__u8 *)r->seg->slots[o->slot].base + o->offset;
}

/* The innermost dimension that has more than one element. */
static __u32 inner_dimension(const __u32 *dims, __u32 rank)
{
	__u32 d = rank ? rank - 1 : 0;

	while (d && dims[d] == 1)
		d--;
	return d;
}

static void position_of(const __u32 *dims, __u32 rank, __u64 i, __u32 *pos)
{
	for (__u32 d = rank; d-- > 0;) {
		pos[d] = (__u32)(i % dims[d]);
		i /= dims[d];
	}
}

/* To the begin of the next line along inner. */
static void next_line(const __u32 *dims, __u32 inner, __u32 *pos)
{
	pos[inner] = 0;
	for (__u32 d = inner; d-- > 0;) {
		if (++pos[d] < dims[d])
			return;
		pos[d] = 0;
	}
}

__u32 loom_cpu_chunk(struct loom_cpu_run *r, const __u32 *dims, __u32 rank, __u64 first)
{
	struct loom_cpu_scratch *s = r->s;
	const __u64 left = loom_cpu_elements(dims, rank) - first;
	const __u32 lanes = left < LOOM_CPU_LANES ? (__u32)left : LOOM_CPU_LANES;
	__u32 pos[LOOM_CPU_MAX_RANK] = { 0 };

	s->n_pieces = 0;
	s->inner = inner_dimension(dims, rank);
	position_of(dims, rank, first, pos);
	for (__u32 lane = 0; lane < lanes;) {
		struct loom_cpu_piece *p = &s->piece[s->n_pieces++];
		const __u32 along = rank ? dims[s->inner] - pos[s->inner] : 1;

		p->lane = lane;
		p->count = along < lanes - lane ? along : lanes - lane;
		memcpy(p->pos, pos, sizeof(pos));
		lane += p->count;
		if (lane < lanes)
			next_line(dims, s->inner, pos);
	}
	return lanes;
}

static __s64 place_of(const struct loom_cpu_operand *o, const struct loom_cpu_piece *p)
{
	__s64 at = 0;

	for (__u32 d = 0; d < o->rank; d++)
		at += (__s64)p->pos[d] * o->strides[d];
	return at;
}

void loom_cpu_load(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 extra, union loom_cpu_reg *d)
{
	const __u8 *base = loom_cpu_base(r, o) + extra;
	const __s64 step = o->rank ? o->strides[r->s->inner] : 0;

	for (__u32 i = 0; i < r->s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &r->s->piece[i];

		loom_cpu_load_run(base + place_of(o, p), step, o->dtype, d, p->lane, p->count);
	}
}

void loom_cpu_store(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 extra, const union loom_cpu_reg *a)
{
	__u8 *base = loom_cpu_base(r, o) + extra;
	const __s64 step = o->rank ? o->strides[r->s->inner] : 0;

	for (__u32 i = 0; i < r->s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &r->s->piece[i];

		loom_cpu_store_run(base + place_of(o, p), step, o->dtype, a, p->lane, p->count);
	}
}

bool loom_cpu_stream(const struct loom_cpu_run *r, const struct loom_cpu_operand *o, struct loom_cpu_stream *s)
{
	__s64 dense = loom_dtype_bytes(o->dtype);
	bool is_dense = true, repeats = true;

	*s = (struct loom_cpu_stream){ loom_cpu_base(r, o), dense, o->dtype };
	for (__u32 d = o->rank; d-- > 0;) {
		if (o->dims[d] == 1)
			continue;
		is_dense &= o->strides[d] == dense;
		repeats &= o->strides[d] == 0;
		dense *= o->dims[d];
	}
	if (!is_dense)
		s->step = 0;
	return is_dense || repeats;
}

void loom_cpu_places(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 *at)
{
	const __s64 step = o->rank ? o->strides[r->s->inner] : 0;

	for (__u32 i = 0; i < r->s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &r->s->piece[i];
		const __s64 first = place_of(o, p);

		for (__u32 k = 0; k < p->count; k++)
			at[p->lane + k] = first + (__s64)k * step;
	}
}

void loom_cpu_load_at(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const __s64 *at, const __u32 *valid,
		      __u64 fill, __u32 n, union loom_cpu_reg *d)
{
	const __u8 *base = loom_cpu_base(r, o);

	if (valid)
		loom_cpu_splat(d, o->dtype, fill, n);
	for (__u32 i = 0; i < n; i++)
		if (!valid || valid[i])
			loom_cpu_load_run(base + at[i], 0, o->dtype, d, i, 1);
}

void loom_cpu_store_at(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const __s64 *at, __u32 n,
		       const union loom_cpu_reg *a)
{
	__u8 *base = loom_cpu_base(r, o);

	for (__u32 i = 0; i < n; i++)
		loom_cpu_store_run(base + at[i], 0, o->dtype, a, i, 1);
}

__s64 loom_cpu_offset_of(const __u32 *dims, const __s64 *strides, __u32 rank, __u64 i)
{
	__s64 at = 0;

	for (__u32 d = rank; d-- > 0;) {
		at += (__s64)(i % dims[d]) * strides[d];
		i /= dims[d];
	}
	return at;
}

/* Where dimension j of the window lies for a lane; false if between elements or out of bounds. */
static bool frame_place(const struct loom_cpu_frame *f, __u32 j, __u32 pos, __u32 w, __s64 *place)
{
	const __u32 gap = f->in_dilation ? f->in_dilation[j] : 1;
	__s64 x = (__s64)pos * f->stride[j] + (__s64)w * (f->dilation ? f->dilation[j] : 1) - f->pad[j];

	if (x < 0)
		return false;
	if (gap != 1) {
		if (x % gap)
			return false;
		x /= gap;
	}
	*place = x;
	return x < f->bound[j];
}

/* One dimension of one piece, all of whose lanes but those along inner have one place. */
static void frame_piece(const struct loom_cpu_scratch *s, const struct loom_cpu_frame *f, __u32 j, __u32 w,
			const struct loom_cpu_piece *p, __s64 *at, __u32 *valid)
{
	const __u32 dim = f->dim ? f->dim[j] : j;
	const bool moves = dim == s->inner;
	__s64 place = 0;
	bool in = frame_place(f, j, p->pos[dim], w, &place);

	for (__u32 k = 0; k < p->count; k++) {
		if (moves && k)
			in = frame_place(f, j, p->pos[dim] + k, w, &place);
		valid[p->lane + k] &= in;
		if (in)
			at[p->lane + k] += place * f->step[j];
	}
}

void loom_cpu_frame_at(struct loom_cpu_run *r, const struct loom_cpu_frame *f, __u64 w, __s64 *at, __u32 *valid)
{
	for (__u32 i = 0; i < LOOM_CPU_LANES; i++)
		valid[i] = 1;
	for (__u32 j = f->n; j-- > 0;) {
		const __u32 wj = (__u32)(w % f->size[j]);

		w /= f->size[j];
		for (__u32 i = 0; i < r->s->n_pieces; i++)
			frame_piece(r->s, f, j, wj, &r->s->piece[i], at, valid);
	}
}
