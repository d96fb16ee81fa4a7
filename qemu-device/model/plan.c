// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
#include <string.h>

#include "machine.h"
#include "plan.h"

struct planner {
	const struct loom_plan *plan;
	struct loom_npu *npu;
	struct loom_report *report;
	struct loom_report before; /* as of the last record retired */
};

static int read_code(void *opaque, uint32_t slot, uint64_t offset, void *buf, uint64_t len)
{
	const struct planner *p = opaque;

	if (slot != LOOM_NPU_CODE)
		return LOOM_FAULT_DMA;
	memcpy(buf, p->plan->code + offset, len);
	return LOOM_FAULT_NONE;
}

static int write_report(void *opaque, uint32_t slot, uint64_t offset, const void *buf, uint64_t len)
{
	struct planner *p = opaque;

	if (slot != LOOM_NPU_REPORT || offset || len != sizeof(*p->report))
		return LOOM_FAULT_DMA;
	memcpy(p->report, buf, len);
	return LOOM_FAULT_NONE;
}

/*
 * A queue retires one record at a time, so that what its counters gained is this record's; SEQ's count dispatches, too,
 * which retire nothing.
 */
static void retired(void *opaque, const struct loom_hdr *h, const struct loom_report_entry *e)
{
	struct planner *p = opaque;
	const struct loom_machine *m = &p->npu->m;
	const struct loom_queue_report *now = &m->report.queue[e->queue];
	struct loom_queue_report *was = &p->before.queue[e->queue];
	struct loom_plan_record r;

	(void)h;
	memset(&r, 0, sizeof(r));
	r.at = *e;
	r.spent.busy = now->busy - was->busy;
	r.spent.edge = now->edge - was->edge;
	r.spent.fill = now->fill - was->fill;
	r.spent.wait_mem = now->wait_mem - was->wait_mem;
	r.spent.wait_dep = now->wait_dep - was->wait_dep;
	*was = *now;
	if (e->queue == LOOM_Q_SEQ) {
		memset(&r.spent, 0, sizeof(r.spent));
		r.spent.busy = e->end - e->start;
		r.spent.wait_dep = e->start - e->ready;
	}
	if (e->queue == LOOM_Q_LD || e->queue == LOOM_Q_ST) {
		r.bus_bytes = m->fifo[e->queue].demand.bus_bytes;
		r.useful_bytes = m->fifo[e->queue].demand.read_bytes + m->fifo[e->queue].demand.write_bytes;
	}
	p->plan->retired(p->plan->opaque, &r);
}

bool loom_plan_run(const struct loom_target *t, const struct loom_plan *plan, struct loom_report *report)
{
	const struct loom_npu_host host = {read_code, write_report, NULL, NULL, plan->retired ? retired : NULL};
	struct planner p = {.plan = plan, .report = report};
	const struct loom_npu_job job = {
		.seqno = 1,
		.first_unit = plan->first_unit,
		.n_units = plan->n_units,
		.insn_budget = plan->insn_budget,
		.cycle_budget = LOOM_MAX_CYCLES,
		.report_bytes = sizeof(*report),
		.n_slots = plan->n_slots,
		.slots = plan->slots,
	};
	struct loom_completion end;
	bool ok;

	p.npu = loom_npu_create_planner(t, &host, &p);
	if (!p.npu)
		return false;
	ok = loom_npu_start(p.npu, &job) == LOOM_FAULT_NONE;
	if (ok) {
		loom_npu_run(p.npu, 0);
		loom_npu_finish(p.npu, &end);
	}
	loom_npu_destroy(p.npu);
	return ok;
}
