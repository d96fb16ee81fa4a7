// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* A segment, quantum by quantum. */
#include "cpu_run.h"

static loom_cpu_quantum *const quanta_of[LOOM_NUM_CPU_STRUCTURES] = {
	[LOOM_CPU_MAP] = loom_cpu_map,
	[LOOM_CPU_REDUCE] = loom_cpu_reduce,
	[LOOM_CPU_WINDOW] = loom_cpu_window,
	[LOOM_CPU_SELECT_SCATTER] = loom_cpu_select_scatter,
	[LOOM_CPU_GATHER] = loom_cpu_gather,
	[LOOM_CPU_SCATTER] = loom_cpu_scatter,
	[LOOM_CPU_SORT] = loom_cpu_sort,
	[LOOM_CPU_COPY] = loom_cpu_copy,
	[LOOM_CPU_SCAN] = loom_cpu_scan,
	[LOOM_CPU_DOT] = loom_cpu_dot,
	[LOOM_CPU_CONV] = loom_cpu_conv,
	[LOOM_CPU_FFT] = loom_cpu_fft,
	[LOOM_CPU_CHOLESKY] = loom_cpu_cholesky,
	[LOOM_CPU_TRIANGULAR_SOLVE] = loom_cpu_triangular_solve,
	[LOOM_CPU_QR] = loom_cpu_qr,
	[LOOM_CPU_HOUSEHOLDER] = loom_cpu_householder,
};

void loom_cpu_open(const void *code, __u64 bytes, const struct loom_cpu_slot *slots, __u32 n_slots,
		   struct loom_cpu_segment *seg)
{
	*seg = (struct loom_cpu_segment){ .code = code, .bytes = bytes, .slots = slots, .n_slots = n_slots };
	for (__u64 at = 0; at < bytes; seg->n_ops++) {
		const struct loom_cpu_op *op = (const void *)((const char *)code + at);

		seg->cost += op->cost;
		at += op->bytes;
	}
}

void loom_cpu_begin(struct loom_cpu_cursor *c, void *scratch)
{
	memset(c, 0, sizeof(*c));
	c->scratch = scratch;
}

/* The operation that the cursor is at. */
static void take_up(struct loom_cpu_run *r)
{
	r->op = (const void *)((const char *)r->seg->code + r->c->at);
	r->in = loom_cpu_operands(r->op);
	r->out = r->in + r->op->n_inputs;
	r->params = loom_cpu_params(r->op);
}

static void next(struct loom_cpu_cursor *c, const struct loom_cpu_op *op)
{
	c->at += op->bytes;
	c->op++;
	c->i = 0;
	c->j = 0;
	c->k = 0;
}

int loom_cpu_step(const struct loom_cpu_segment *seg, struct loom_cpu_cursor *c, __u32 quanta)
{
	struct loom_cpu_run r = { .seg = seg, .c = c, .s = c->scratch };

	while (c->at < seg->bytes) {
		loom_cpu_quantum *f;

		take_up(&r);
		loom_cpu_prepare(&r);
		f = quanta_of[r.op->structure];
		r.more = quanta;
		do {
			if (!r.more)
				return LOOM_CPU_MORE;
			r.more--;
		} while (!f(&r));
		quanta = r.more;
		next(c, r.op);
	}
	return LOOM_CPU_DONE;
}
