/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM loom

#if !defined(LOOM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LOOM_TRACE_H

#include <linux/tracepoint.h>

#include "loom_chain.h"
#include "loom_drv.h"

TRACE_EVENT(loom_submit,
	TP_PROTO(struct loom_chain *chain),
	TP_ARGS(chain),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, fence)
		__field(u32, segments)
		__field(u32, buffers)
	),
	TP_fast_assign(
		__entry->client = chain->client->id;
		__entry->fence = loom_chain_done(chain)->context;
		__entry->segments = chain->n_segs;
		__entry->buffers = chain->n_bos;
	),
	TP_printk("client=%llu fence=%llu segments=%u buffers=%u",
		  __entry->client, __entry->fence, __entry->segments,
		  __entry->buffers)
);

DECLARE_EVENT_CLASS(loom_segment,
	TP_PROTO(struct loom_segment *seg),
	TP_ARGS(seg),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, fence)
		__field(u32, segment)
		__field(u32, seqno)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->client = seg->chain->client->id;
		__entry->fence = seg->done->context;
		__entry->segment = loom_segment_index(seg);
		__entry->seqno = seg->seqno;
		__entry->error = loom_chain_error(seg->chain);
	),
	TP_printk("client=%llu fence=%llu segment=%u seqno=%u error=%d",
		  __entry->client, __entry->fence, __entry->segment,
		  __entry->seqno, __entry->error)
);

DEFINE_EVENT(loom_segment, loom_run,
	TP_PROTO(struct loom_segment *seg),
	TP_ARGS(seg)
);

DEFINE_EVENT(loom_segment, loom_skip,
	TP_PROTO(struct loom_segment *seg),
	TP_ARGS(seg)
);

DEFINE_EVENT(loom_segment, loom_kill,
	TP_PROTO(struct loom_segment *seg),
	TP_ARGS(seg)
);

DEFINE_EVENT(loom_segment, loom_cpu_run,
	TP_PROTO(struct loom_segment *seg),
	TP_ARGS(seg)
);

/* Without preemption from beginning to end. */
TRACE_EVENT(loom_cpu_section,
	TP_PROTO(struct loom_segment *seg, u32 op, u64 ns),
	TP_ARGS(seg, op, ns),
	TP_STRUCT__entry(
		__field(u64, fence)
		__field(u32, seqno)
		__field(u32, op)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->fence = seg->done->context;
		__entry->seqno = seg->seqno;
		__entry->op = op;
		__entry->ns = ns;
	),
	TP_printk("fence=%llu seqno=%u op=%u ns=%llu", __entry->fence,
		  __entry->seqno, __entry->op, __entry->ns)
);

TRACE_EVENT(loom_cpu_done,
	TP_PROTO(struct loom_segment *seg, u64 ns, u32 ops, int error),
	TP_ARGS(seg, ns, ops, error),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, fence)
		__field(u32, seqno)
		__field(u32, ops)
		__field(u64, ns)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->client = seg->chain->client->id;
		__entry->fence = seg->done->context;
		__entry->seqno = seg->seqno;
		__entry->ops = ops;
		__entry->ns = ns;
		__entry->error = error;
	),
	TP_printk("client=%llu fence=%llu seqno=%u ops=%u ns=%llu error=%d",
		  __entry->client, __entry->fence, __entry->seqno,
		  __entry->ops, __entry->ns, __entry->error)
);

TRACE_EVENT(loom_done,
	TP_PROTO(struct loom_segment *seg, const struct loom_completion *rec),
	TP_ARGS(seg, rec),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, fence)
		__field(u32, seqno)
		__field(u64, cycles)
		__field(u64, insns)
	),
	TP_fast_assign(
		__entry->client = seg->chain->client->id;
		__entry->fence = seg->done->context;
		__entry->seqno = rec->seqno;
		__entry->cycles = rec->cycles;
		__entry->insns = rec->insns;
	),
	TP_printk("client=%llu fence=%llu seqno=%u cycles=%llu insns=%llu",
		  __entry->client, __entry->fence, __entry->seqno,
		  __entry->cycles, __entry->insns)
);

TRACE_EVENT(loom_fault,
	TP_PROTO(struct loom_segment *seg, const struct loom_completion *rec),
	TP_ARGS(seg, rec),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u32, seqno)
		__field(u16, fault)
		__field(u16, slot)
		__field(u32, unit)
		__field(u64, offset)
		__field(u64, limit)
	),
	TP_fast_assign(
		__entry->client = seg->chain->client->id;
		__entry->seqno = rec->seqno;
		__entry->fault = rec->fault;
		__entry->slot = rec->slot;
		__entry->unit = rec->unit;
		__entry->offset = rec->offset;
		__entry->limit = rec->limit;
	),
	TP_printk("client=%llu seqno=%u fault=%u slot=%u unit=%u offset=%#llx limit=%#llx",
		  __entry->client, __entry->seqno, __entry->fault,
		  __entry->slot, __entry->unit, __entry->offset,
		  __entry->limit)
);

TRACE_EVENT(loom_reset,
	TP_PROTO(int why, int result),
	TP_ARGS(why, result),
	TP_STRUCT__entry(
		__field(int, why)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->why = why;
		__entry->result = result;
	),
	TP_printk("why=%d result=%d", __entry->why, __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE loom_trace
#include <trace/define_trace.h>
