// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* What a CPU segment leaves in its job's report. */
#include "cpu_engine.h"
#include "loom_regs.h"

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

__u64 loom_cpu_cycles(__u64 cost)
{
	return cost / LOOM_CPU_COST_PER_CYCLE + (cost % LOOM_CPU_COST_PER_CYCLE != 0);
}

const struct loom_cpu_op *loom_cpu_op_at(const struct loom_cpu_segment *seg, const struct loom_cpu_cursor *c)
{
	return c->at < seg->bytes ? (const void *)((const char *)seg->code + c->at) : NULL;
}

/* Entries of the operations before the cursor's, as many as fit; returns what they cost. */
static __u64 put_entries(const struct loom_cpu_segment *seg, const struct loom_cpu_cursor *c, __u8 *to, __u64 room)
{
	__u64 cost = 0, at = 0;
	__u32 i;

	for (i = 0; i < c->op; i++) {
		const struct loom_cpu_op *op = (const void *)((const char *)seg->code + at);
		struct loom_report_entry entry = {
			.unit = i,
			.queue = LOOM_REPORT_QUEUE_CPU,
			.ready = loom_cpu_cycles(cost),
			.start = loom_cpu_cycles(cost),
			.end = loom_cpu_cycles(cost + op->cost),
		};

		if (i < room)
			memcpy(to + i * sizeof(entry), &entry, sizeof(entry));
		cost += op->cost;
		at += op->bytes;
	}
	return cost;
}

void loom_cpu_report(const struct loom_cpu_segment *seg, const struct loom_cpu_cursor *c,
		     const struct loom_completion *end, void *to, __u64 bytes)
{
	const __u64 room = (bytes - sizeof(struct loom_report)) / sizeof(struct loom_report_entry);
	struct loom_report r;
	__u64 cost;
	__u32 q;

	cost = put_entries(seg, c, (__u8 *)to + sizeof(r), room);
	memset(&r, 0, sizeof(r));
	r.magic = LOOM_REPORT_MAGIC;
	r.n_entries = c->op < room ? c->op : (__u32)room;
	r.cycles = loom_cpu_cycles(cost);
	r.insns = c->op;
	r.dropped = c->op - r.n_entries;
	for (q = 0; q < 5; q++)
		r.queue[q].idle = r.cycles;
	r.end = *end;
	r.end.cycles = r.cycles;
	r.end.insns = r.insns;
	memcpy(to, &r, sizeof(r));
}
