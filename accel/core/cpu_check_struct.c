// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The check of a CPU segment: the rules of each structure. */
#include "cpu_check.h"

bool loom_cpu_same_dims(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b)
{
	if (a->rank != b->rank)
		return loom_cpu_bad(c, "operands' ranks differ", b->rank);
	for (__u32 d = 0; d < a->rank; d++)
		if (a->dims[d] != b->dims[d])
			return loom_cpu_bad(c, "operands' dims differ", d);
	return true;
}

bool loom_cpu_same_type(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b)
{
	if (a->dtype != b->dtype)
		return loom_cpu_bad(c, "operands' element types differ", b->dtype);
	return true;
}

static bool same_form(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b)
{
	if (loom_cpu_form(a->dtype) != loom_cpu_form(b->dtype))
		return loom_cpu_bad(c, "operands' element types do not go together", b->dtype);
	return true;
}

bool loom_cpu_all_zero(struct loom_cpu_check *c, const void *bytes, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		if (((const __u8 *)bytes)[i])
			return loom_cpu_bad(c, "unused or reserved parameter is not 0", i);
	return true;
}

bool loom_cpu_operand_counts(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 inputs, __u32 outputs)
{
	if (op->n_inputs != inputs || op->n_operands != inputs + outputs)
		return loom_cpu_bad(c, "number of operands is not the structure's", op->n_operands);
	return true;
}

bool loom_cpu_no_program(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	if (op->n_scalar_ops || op->n_imms)
		return loom_cpu_bad(c, "structure has no scalar program here", op->n_scalar_ops);
	return true;
}

static struct loom_cpu_signature signature(const struct loom_cpu_op *op, __u32 args, __u32 results)
{
	struct loom_cpu_signature s = { .ops = loom_cpu_scalars(op),
					.n_ops = op->n_scalar_ops,
					.n_args = args,
					.n_results = results };

	return s;
}

/* Arguments n combined and n elements, n results, of the types of operands o[0] to o[n - 1]. */
static bool check_region(struct loom_cpu_check *c, const struct loom_cpu_op *op, const struct loom_cpu_operand *o,
			 __u32 n)
{
	struct loom_cpu_signature s = signature(op, 2 * n, n);

	for (__u32 i = 0; i < n; i++)
		s.wide_arg[i] = s.wide_arg[n + i] = s.wide_result[i] = loom_cpu_is_wide(o[i].dtype);
	return loom_cpu_check_program(c, op, &s);
}

static bool check_combiner(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 combiner, __u32 count)
{
	const struct loom_cpu_combiner_info info = loom_cpu_combiner_info(combiner);

	if (!info.op)
		return loom_cpu_refuse(c, LOOM_CPU_UNSUPPORTED, "no such combiner", combiner);
	if (count != 1)
		return loom_cpu_bad(c, "a combiner takes one array", count);
	if (info.form != loom_cpu_form(loom_cpu_operands(op)->dtype))
		return loom_cpu_bad(c, "combiner is not for this element type", combiner);
	return loom_cpu_no_program(c, op);
}

static bool check_count(struct loom_cpu_check *c, __u32 count)
{
	if (!count || count > LOOM_CPU_MAX_COUNT)
		return loom_cpu_bad(c, "count is not 1 to 4", count);
	return true;
}

/* What REDUCE, WINDOW and SCAN share: count arrays, initial values if with_init and there is a program, outputs. */
static bool check_combining(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 combiner, __u32 count,
			    bool with_init)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op), *out = o + op->n_inputs;
	const bool inits = with_init && !combiner;

	if (!check_count(c, count) || !loom_cpu_operand_counts(c, op, inits ? 2 * count : count, count))
		return false;
	for (__u32 i = 0; i < count; i++) {
		if (i && !(loom_cpu_same_dims(c, o, &o[i]) && loom_cpu_same_dims(c, out, &out[i])))
			return false;
		if (!same_form(c, &o[i], &out[i]) || (inits && !same_form(c, &o[i], &o[count + i])))
			return false;
		if (inits && o[count + i].rank)
			return loom_cpu_bad(c, "initial value's rank is not 0", o[count + i].rank);
	}
	if (inits && loom_cpu_weight(op) > LOOM_CPU_MAX_FOLD_WEIGHT)
		return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "combining program's weight is above 64",
				       loom_cpu_weight(op));
	return combiner ? check_combiner(c, op, combiner, count) : check_region(c, op, o, count);
}

static bool check_map(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	struct loom_cpu_signature s = signature(op, op->n_inputs, op->n_operands - op->n_inputs);

	s.iota_rank = o->rank;
	for (__u32 i = 0; i < op->n_operands; i++) {
		if (!loom_cpu_same_dims(c, o, &o[i]))
			return false;
		if (i < op->n_inputs)
			s.wide_arg[i] = loom_cpu_is_wide(o[i].dtype);
		else
			s.wide_result[i - op->n_inputs] = loom_cpu_is_wide(o[i].dtype);
	}
	return loom_cpu_check_program(c, op, &s);
}

static bool check_copy(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	if (!loom_cpu_operand_counts(c, op, op->n_inputs, op->n_inputs) || !loom_cpu_no_program(c, op))
		return false;
	for (__u32 i = 0; i < op->n_inputs; i++)
		if (!loom_cpu_same_dims(c, &o[i], &o[op->n_inputs + i]) || !loom_cpu_same_type(c, &o[i], &o[op->n_inputs + i]))
			return false;
	return true;
}

static bool check_reduce(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_reduce *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;

	if (!loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)) || !check_combining(c, op, p->combiner, p->count, true))
		return false;
	if (!p->dims || p->dims >> in->rank)
		return loom_cpu_bad(c, "reduced dimensions are none, or not the operand's", p->dims);
	if (in->rank != out->rank)
		return loom_cpu_bad(c, "operands' ranks differ", out->rank);
	for (__u32 d = 0; d < in->rank; d++)
		if (out->dims[d] != (p->dims >> d & 1 ? 1 : in->dims[d]))
			return loom_cpu_bad(c, "output's dims are not those of the reduction", d);
	return true;
}

static bool check_extent_param(struct loom_cpu_check *c, const __u32 *v, __u32 rank)
{
	for (__u32 d = 0; d < rank; d++)
		if (!v[d] || v[d] > LOOM_CPU_MAX_EXTENT)
			return loom_cpu_bad(c, "size, stride or dilation of a window is not 1 to 2^24", v[d]);
	return true;
}

static bool check_pad(struct loom_cpu_check *c, const __s32 *v, __u32 rank)
{
	for (__u32 d = 0; d < rank; d++)
		if (v[d] > (__s32)LOOM_CPU_MAX_EXTENT || v[d] < -(__s32)LOOM_CPU_MAX_EXTENT)
			return loom_cpu_bad(c, "padding of a window is beyond 2^24", (__u64)v[d]);
	return true;
}

/* The first rank of max fields of 4 bytes are in use. */
static bool check_tail(struct loom_cpu_check *c, const void *v, __u32 rank, __u32 max)
{
	return loom_cpu_all_zero(c, (const __u8 *)v + 4 * rank, 4 * (max - rank));
}

static bool check_window(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_window *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;
	const __u32 rank = in->rank;

	if (!loom_cpu_all_zero(c, p->rsvd, sizeof(p->rsvd)) || !check_combining(c, op, p->combiner, p->count, true))
		return false;
	if (out->rank != rank)
		return loom_cpu_bad(c, "operands' ranks differ", out->rank);
	return check_extent_param(c, p->size, rank) && check_extent_param(c, p->stride, rank) &&
	       check_extent_param(c, p->dilation, rank) && check_extent_param(c, p->in_dilation, rank) &&
	       check_pad(c, p->pad, rank) && check_tail(c, p->size, rank, 8) && check_tail(c, p->stride, rank, 8) &&
	       check_tail(c, p->dilation, rank, 8) && check_tail(c, p->in_dilation, rank, 8) &&
	       check_tail(c, p->pad, rank, 8);
}

static bool check_scan(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_scan *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op);

	if (!loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)) || !check_combining(c, op, p->combiner, p->count, false))
		return false;
	if (p->dim >= in->rank)
		return loom_cpu_bad(c, "dimension is not the operand's", p->dim);
	return loom_cpu_same_dims(c, in, in + op->n_inputs);
}

/* The places that n_index indices can reach from an operand's box. */
static bool check_places(struct loom_cpu_check *c, const struct loom_cpu_operand *o, __u32 n_index, const __u32 *limit,
			 const __s64 *stride)
{
	struct loom_cpu_extent x;
	bool fits = loom_cpu_box(o, &x);

	for (__u32 j = 0; j < n_index; j++)
		fits = fits && loom_cpu_extend(&x, (__u64)limit[j] + 1, stride[j]);
	if (!fits)
		return loom_cpu_bad(c, "operand's extent overflows", o->offset);
	return loom_cpu_all_zero(c, stride + n_index, 8 * (8 - n_index)) && loom_cpu_check_extent(c, o, &x);
}

/* Index arrays x, of the dims of o. */
static bool check_indices(struct loom_cpu_check *c, const struct loom_cpu_operand *o, const struct loom_cpu_operand *x,
			  __u32 n_index, const __u32 *limit)
{
	for (__u32 j = 0; j < n_index; j++) {
		const __u32 form = loom_cpu_form(x[j].dtype);

		if (form != LOOM_CPU_FORM_I32 && form != LOOM_CPU_FORM_I64)
			return loom_cpu_bad(c, "index array is not of an integer type", x[j].dtype);
		if (!loom_cpu_same_dims(c, o, &x[j]))
			return false;
	}
	return check_tail(c, limit, n_index, 8);
}

static bool check_n_index(struct loom_cpu_check *c, __u32 n)
{
	if (!n || n > 8)
		return loom_cpu_bad(c, "number of index arrays is not 1 to 8", n);
	return true;
}

static bool check_gather(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_gather *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op), *out = o + op->n_inputs;

	return loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)) && check_n_index(c, p->n_index) &&
	       loom_cpu_operand_counts(c, op, 1 + p->n_index, 1) && loom_cpu_no_program(c, op) && loom_cpu_same_dims(c, o, out) &&
	       loom_cpu_same_type(c, o, out) && check_indices(c, o, o + 1, p->n_index, p->limit) &&
	       check_places(c, o, p->n_index, p->limit, p->stride);
}

/* Array m of updates, and the one that it updates. */
static bool check_scattered(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 m)
{
	const struct loom_cpu_scatter *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;

	return loom_cpu_same_dims(c, in, &in[m]) && loom_cpu_same_dims(c, in, &out[m]) &&
	       same_form(c, &in[m], &out[m]) && check_places(c, &out[m], p->n_index, p->limit, p->stride[m]) &&
	       loom_cpu_check_rights(c, &out[m], LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
}

static bool check_scatter(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_scatter *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	if (p->flags & ~LOOM_CPU_SCATTER_CLAMP)
		return loom_cpu_bad(c, "unknown flag", p->flags);
	if (!loom_cpu_all_zero(c, p->rsvd, sizeof(p->rsvd)) || !check_n_index(c, p->n_index) ||
	    !check_count(c, p->count) || !loom_cpu_operand_counts(c, op, p->count + p->n_index, p->count))
		return false;
	for (__u32 m = 0; m < LOOM_CPU_MAX_COUNT; m++)
		if (m < p->count ? !check_scattered(c, op, m) :
				   !loom_cpu_all_zero(c, p->stride[m], sizeof(p->stride[m])))
			return false;
	return check_indices(c, o, o + p->count, p->n_index, p->limit) && check_region(c, op, o, p->count);
}

static bool check_workspace(struct loom_cpu_check *c, const struct loom_cpu_operand *w, __u32 n)
{
	if (w->dtype != LOOM_U32 || w->rank != 1 || w->strides[0] != 4 || w->dims[0] != 2 * (__u64)n)
		return loom_cpu_bad(c, "workspace is not dense U32, twice a line", w->dims[0]);
	return loom_cpu_check_rights(c, w, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
}

static bool check_compare(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 count)
{
	struct loom_cpu_signature s = signature(op, 2 * count, 1);

	for (__u32 i = 0; i < count; i++)
		s.wide_arg[i] = s.wide_arg[count + i] = loom_cpu_is_wide(loom_cpu_operands(op)[i].dtype);
	return loom_cpu_check_program(c, op, &s);
}

static bool check_sort(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_sort *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op), *out = o + op->n_inputs;

	if (!loom_cpu_all_zero(c, p->rsvd, sizeof(p->rsvd)) || !check_count(c, p->count) ||
	    !loom_cpu_operand_counts(c, op, p->count, p->count + 1))
		return false;
	for (__u32 i = 0; i < p->count; i++)
		if (!loom_cpu_same_dims(c, o, &o[i]) || !loom_cpu_same_dims(c, o, &out[i]) || !loom_cpu_same_type(c, &o[i], &out[i]))
			return false;
	if (p->dim >= o->rank)
		return loom_cpu_bad(c, "dimension is not the operand's", p->dim);
	return check_workspace(c, &out[p->count], o->dims[p->dim]) && check_compare(c, op, p->count);
}

/* Two programs behind each other, with registers of their own. */
static bool check_select_programs(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 n_select)
{
	const bool wide = loom_cpu_is_wide(loom_cpu_operands(op)->dtype);
	struct loom_cpu_signature s = signature(op, 2, 1);

	if (n_select > op->n_scalar_ops)
		return loom_cpu_bad(c, "selecting program is longer than both", n_select);
	s.wide_arg[0] = s.wide_arg[1] = wide;
	s.n_ops = n_select;
	if (!loom_cpu_check_program(c, op, &s))
		return false;
	s.ops += n_select;
	s.n_ops = op->n_scalar_ops - n_select;
	s.wide_result[0] = wide;
	return loom_cpu_check_program(c, op, &s);
}

static bool check_select_scatter(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_select_scatter *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const __u32 rank = o->rank;

	if (!loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)) || !loom_cpu_operand_counts(c, op, 3, 1) || !loom_cpu_same_dims(c, o, &o[3]))
		return false;
	if (o[1].rank != rank || o[2].rank)
		return loom_cpu_bad(c, "operands' ranks differ", o[1].rank);
	return loom_cpu_same_type(c, o, &o[1]) && loom_cpu_same_type(c, o, &o[2]) && loom_cpu_same_type(c, o, &o[3]) &&
	       check_extent_param(c, p->size, rank) && check_extent_param(c, p->stride, rank) &&
	       check_pad(c, p->pad, rank) && check_tail(c, p->size, rank, 8) && check_tail(c, p->stride, rank, 8) &&
	       check_tail(c, p->pad, rank, 8) &&
	       loom_cpu_check_rights(c, &o[3], LOOM_RIGHT_READ | LOOM_RIGHT_WRITE) &&
	       check_select_programs(c, op, p->n_select);
}

static bool check_product(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	return loom_cpu_operand_counts(c, op, 2, 1) && loom_cpu_no_program(c, op) && loom_cpu_same_dims(c, &o[2], &o[0]) && loom_cpu_same_dims(c, &o[2], &o[1]) &&
	       same_form(c, &o[2], &o[0]) && same_form(c, &o[2], &o[1]);
}

static bool check_reach(struct loom_cpu_check *c, const struct loom_cpu_operand *o, const __u32 *n,
			const __s64 *stride, __u32 count, __u32 channels, __s64 channel)
{
	struct loom_cpu_extent x;
	bool fits = loom_cpu_box(o, &x) && loom_cpu_extend(&x, channels, channel);

	for (__u32 j = 0; j < count; j++)
		fits = fits && loom_cpu_extend(&x, n[j], stride[j]);
	if (!fits)
		return loom_cpu_bad(c, "operand's extent overflows", o->offset);
	return loom_cpu_check_extent(c, o, &x);
}

static bool check_dot(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_dot *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	if (!check_product(c, op) || !loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)))
		return false;
	if (!p->n_dims || p->n_dims > 8)
		return loom_cpu_bad(c, "number of contracted dimensions is not 1 to 8", p->n_dims);
	for (__u32 d = 0; d < p->n_dims; d++)
		if (!p->dims[d])
			return loom_cpu_bad(c, "contracted dimension is 0", d);
	return check_tail(c, p->dims, p->n_dims, 8) && loom_cpu_all_zero(c, p->left + p->n_dims, 8 * (8 - p->n_dims)) &&
	       loom_cpu_all_zero(c, p->right + p->n_dims, 8 * (8 - p->n_dims)) &&
	       check_reach(c, &o[0], p->dims, p->left, p->n_dims, 1, 0) &&
	       check_reach(c, &o[1], p->dims, p->right, p->n_dims, 1, 0);
}

static bool check_conv_tails(struct loom_cpu_check *c, const struct loom_cpu_conv *p)
{
	const __u32 n = p->n_spatial;

	return check_tail(c, p->dim, n, 4) && check_tail(c, p->size, n, 4) && check_tail(c, p->window, n, 4) &&
	       check_tail(c, p->stride, n, 4) && check_tail(c, p->dilation, n, 4) &&
	       check_tail(c, p->in_dilation, n, 4) && check_tail(c, p->pad, n, 4) &&
	       loom_cpu_all_zero(c, p->left + n, 8 * (4 - n)) && loom_cpu_all_zero(c, p->right + n, 8 * (4 - n));
}

static bool check_conv(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_conv *p = loom_cpu_params(op);
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	if (!check_product(c, op))
		return false;
	if (!p->n_spatial || p->n_spatial > 4 || !p->channels)
		return loom_cpu_bad(c, "number of spatial dimensions or channels out of range", p->n_spatial);
	for (__u32 j = 0; j < p->n_spatial; j++)
		if (p->dim[j] >= o[2].rank || !p->size[j])
			return loom_cpu_bad(c, "spatial dimension is not the output's, or has size 0", p->dim[j]);
	return check_extent_param(c, p->window, p->n_spatial) && check_extent_param(c, p->stride, p->n_spatial) &&
	       check_extent_param(c, p->dilation, p->n_spatial) &&
	       check_extent_param(c, p->in_dilation, p->n_spatial) && check_pad(c, p->pad, p->n_spatial) &&
	       check_conv_tails(c, p) &&
	       check_reach(c, &o[0], p->size, p->left, p->n_spatial, p->channels, p->left_channel) &&
	       check_reach(c, &o[1], p->window, p->right, p->n_spatial, p->channels, p->right_channel);
}

#define RUN(bytes, f) { NULL, bytes, true, f }
#define NOT_RUN(NAME) { "structure " #NAME " is not run by this engine", 0, true, NULL }

static const struct loom_cpu_structure_info infos[LOOM_NUM_CPU_STRUCTURES] = {
	[LOOM_CPU_MAP] = RUN(0, check_map),
	[LOOM_CPU_REDUCE] = RUN(sizeof(struct loom_cpu_reduce), check_reduce),
	[LOOM_CPU_WINDOW] = RUN(sizeof(struct loom_cpu_window), check_window),
	[LOOM_CPU_SELECT_SCATTER] = RUN(sizeof(struct loom_cpu_select_scatter), check_select_scatter),
	[LOOM_CPU_GATHER] = RUN(sizeof(struct loom_cpu_gather), check_gather),
	[LOOM_CPU_SCATTER] = RUN(sizeof(struct loom_cpu_scatter), check_scatter),
	[LOOM_CPU_SORT] = RUN(sizeof(struct loom_cpu_sort), check_sort),
	[LOOM_CPU_COPY] = RUN(0, check_copy),
	[LOOM_CPU_SCAN] = RUN(sizeof(struct loom_cpu_scan), check_scan),
	[LOOM_CPU_DOT] = RUN(sizeof(struct loom_cpu_dot), check_dot),
	[LOOM_CPU_CONV] = RUN(sizeof(struct loom_cpu_conv), check_conv),
	[LOOM_CPU_FFT] = RUN(sizeof(struct loom_cpu_fft), loom_cpu_check_fft),
	[LOOM_CPU_CHOLESKY] = RUN(0, loom_cpu_check_cholesky),
	[LOOM_CPU_TRIANGULAR_SOLVE] =
		RUN(sizeof(struct loom_cpu_triangular_solve), loom_cpu_check_triangular_solve),
	[LOOM_CPU_TEXT] = NOT_RUN(TEXT),
	[LOOM_CPU_QR] = RUN(0, loom_cpu_check_qr),
	[LOOM_CPU_HOUSEHOLDER] = RUN(0, loom_cpu_check_householder),
};

struct loom_cpu_structure_info loom_cpu_structure_info(__u32 structure)
{
	return structure < LOOM_NUM_CPU_STRUCTURES ? infos[structure] : (struct loom_cpu_structure_info){ 0 };
}
