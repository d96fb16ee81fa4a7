/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Inside the NPU: the state of a job as plain data, so that saving it is one copy, and the functions by which
 * the front end (seq.c), the queues (queue.c) and the clock (time.c) share it.
 */
#ifndef LOOM_MACHINE_H
#define LOOM_MACHINE_H

#include "exec.h"

#define LOOM_NEVER UINT64_MAX
#define LOOM_MAX_CYCLES (1ull << 62) /* budgets are cut to this, so that times never wrap */
#define LOOM_FIFO_ROOM (LOOM_QUEUE_DEPTH + 1) /* the record at the head, waiting or running, and those behind it */
#define LOOM_FLIGHT_ROOM 64u /* signals given and not yet visible; see loom_sem_give() */
#define LOOM_FETCH_UNITS 128u
#define LOOM_ENTRY_BATCH 64u
#define LOOM_BUS_SHARE 6u /* parts of a cycle's work: one, two or three may share a bus, and each gets whole parts */

struct loom_loop {
	int64_t left; /* iterations to go, this one included */
	int64_t index;
	uint32_t start, end; /* body: [start, end) */
	uint32_t rd;
	uint32_t rsvd;
};

enum loom_seq_phase {
	LOOM_SEQ_FREE, /* the next record can be fetched */
	LOOM_SEQ_FETCH, /* the lines of the next record are on their way */
	LOOM_SEQ_HELD, /* a record was fetched and waits: semaphores, room in a queue, empty queues */
	LOOM_SEQ_RUNS, /* ends at event[LOOM_Q_SEQ] */
	LOOM_SEQ_ENDED, /* after HALT */
};

struct loom_seq_state {
	int64_t r[LOOM_NUM_REGS];
	struct loom_loop loop[LOOM_MAX_LOOP_NEST];
	uint32_t n_loops;
	uint32_t pc;
	uint32_t phase; /* enum loom_seq_phase */
	uint32_t waits_taken;
	uint64_t ready, start;
	struct loom_refusal refusal; /* of the record held, raised at the end of its cycle */
	struct loom_dispatched cur;
};

enum loom_fifo_phase {
	LOOM_FIFO_EMPTY,
	LOOM_FIFO_WAIT, /* the head waits for its semaphores */
	LOOM_FIFO_RUN, /* MXU, VPU: until event; DMA: start-up and latency, until event */
	LOOM_FIFO_MOVE, /* DMA: bytes move, at a rate that depends on who else uses the bus */
};

struct loom_fifo {
	uint32_t phase; /* enum loom_fifo_phase */
	uint32_t head, count; /* ring of LOOM_FIFO_ROOM */
	uint32_t waits_taken; /* by the head */
	uint64_t ready, start; /* of the head */
	struct loom_demand demand; /* of the head, once it runs */
	uint64_t work; /* MOVE: sixths of a cycle of sole use to go, at time since */
	uint64_t since;
	uint32_t rate; /* MOVE: sixths of work a cycle: 6, 3 or 2 */
	uint32_t turn; /* RUN, MOVE: cycles in which the bus turned round for the head */
};

/* Instruction fetch, in lines of the code; see fetch.c. */
struct loom_fetch {
	uint32_t first, taken; /* lines in the buffer that SEQ has had: [first, taken) */
	uint32_t done, asked; /* lines below done are here, those up to asked on their way */
	uint32_t want; /* SEQ waits for the lines below */
	uint32_t moving; /* line number done is on the bus */
	uint64_t at[LOOM_FETCH_AHEAD]; /* when its latency is over, by line number */
	uint64_t event; /* the next thing that happens here */
	uint64_t work, since; /* as of a DMA record */
	uint32_t rate;
	uint32_t rsvd;
};

enum loom_bus_way { LOOM_BUS_IDLE, LOOM_BUS_READ, LOOM_BUS_WRITE };

struct loom_queued {
	uint32_t unit;
	uint32_t rsvd;
	struct loom_dispatched r;
};

struct loom_flight {
	uint64_t at; /* when it becomes visible */
	uint32_t sem, n;
};

/* One job, as plain data. Everything the future depends on is here, in SRAM or in the accumulators. */
struct loom_machine {
	uint32_t state; /* enum loom_npu_state */
	uint32_t seqno;
	uint32_t first_unit, n_units;
	uint64_t insn_budget, cycle_budget, report_bytes;
	uint64_t now;
	uint64_t insns;
	uint64_t event[LOOM_NUM_QUEUES]; /* next thing that happens in a queue by itself */
	struct loom_fetch fetch;
	uint32_t way[LOOM_MAX_MEM_CLASSES]; /* enum loom_bus_way: of the DMA record that moved last */
	struct loom_seq_state seq;
	struct loom_fifo fifo[LOOM_NUM_QUEUES]; /* the first is unused */
	uint8_t sem[LOOM_NUM_SEMS]; /* visible counts */
	uint8_t sem_flight[LOOM_NUM_SEMS]; /* sum of the signals in flight; count + flight <= 255 */
	uint32_t flight_head, flight_count;
	struct loom_flight flight[LOOM_FLIGHT_ROOM];
	struct loom_completion end; /* valid in state DONE */
	struct loom_report report;
	uint64_t entries_written; /* flushed to the host */
	uint32_t n_batch;
	uint32_t report_fault; /* of a write to the report */
	struct loom_report_entry batch[LOOM_ENTRY_BATCH];
	struct loom_queued ring[LOOM_NUM_QUEUES - 1][LOOM_FIFO_ROOM];
};

struct loom_npu {
	struct loom_target target;
	struct loom_npu_host host;
	void *opaque;
	struct loom_exec x;
	uint64_t progress; /* read by other threads */
	struct loom_hazard *hazard; /* NULL: the checker is off */
	bool plans; /* time only: there is no SRAM, and nothing has an effect; see plan.h */
	uint64_t sram_dirty, acc_dirty; /* bytes, from the first on, that may not be zero */
	uint32_t fetch_first, fetch_count; /* units in fetch[] */
	struct loom_machine m;
	uint8_t fetch[LOOM_FETCH_UNITS * LOOM_UNIT_BYTES];
};

static inline struct loom_queued *loom_fifo_at(struct loom_machine *m, unsigned q, uint32_t i)
{
	return &m->ring[q - 1][(m->fifo[q].head + i) % LOOM_FIFO_ROOM];
}

static inline size_t loom_record_bytes(const struct loom_hdr *h)
{
	return (size_t)h->units * LOOM_UNIT_BYTES;
}

static inline int loom_refuse(struct loom_refusal *why, int fault, uint32_t slot, int64_t offset, uint64_t limit)
{
	why->fault = fault;
	why->slot = slot;
	why->offset = offset;
	why->limit = limit;
	return fault;
}

/* npu.c */
/* A record that conflicts with another: ends the job. */
void loom_fail_hazard(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h, const struct loom_refusal *why,
		      uint32_t other);
struct loom_npu *loom_npu_create_planner(const struct loom_target *t, const struct loom_npu_host *host, void *opaque);
void loom_npu_reset(struct loom_npu *npu);
void loom_npu_bind(struct loom_npu *npu, const struct loom_npu_slot *slots, uint32_t n_slots);
void loom_npu_set_progress(struct loom_npu *npu, uint64_t insns);
bool loom_job_ok(const struct loom_npu *npu, const struct loom_npu_job *job);
void loom_fail(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h, const struct loom_refusal *why);
void loom_end(struct loom_npu *npu, uint64_t cycles);
bool loom_may_retire(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h);
void loom_retire(struct loom_npu *npu, const struct loom_hdr *h, const struct loom_report_entry *e);

/* decode.c: what the front end checks in a record; the units check the rest when it starts. */
int loom_decode(const struct loom_target *t, const struct loom_dispatched *r, uint32_t units_left,
		struct loom_refusal *why);
unsigned loom_op_queue(uint8_t op);

/* seq.c */
void loom_seq_begin(struct loom_npu *npu);
void loom_seq_event(struct loom_npu *npu);

/* fetch.c */
uint64_t loom_fetch_line_cycles(const struct loom_target *t);
void loom_fetch_begin(struct loom_npu *npu);
void loom_fetch_want(struct loom_npu *npu, uint32_t units);
bool loom_fetch_here(const struct loom_machine *m);
void loom_fetch_event(struct loom_npu *npu);

/* queue.c */
void loom_sem_deliver(struct loom_machine *m);
bool loom_sem_take(struct loom_machine *m, const struct loom_hdr *h, uint32_t *taken);
bool loom_sem_give(struct loom_npu *npu, uint32_t unit, const struct loom_hdr *h);
void loom_queue_push(struct loom_npu *npu, unsigned q, uint32_t unit, const struct loom_dispatched *r);
void loom_queue_begin(struct loom_npu *npu, unsigned q);
void loom_queue_event(struct loom_npu *npu, unsigned q);
bool loom_queues_empty(const struct loom_machine *m);
int loom_queue_check(const struct loom_npu *npu, const struct loom_dispatched *r, struct loom_demand *d,
		     struct loom_refusal *why);

/* time.c */
uint64_t loom_demand_cycles(const struct loom_demand *d);
void loom_bus_share(struct loom_npu *npu);
void loom_dma_move(struct loom_npu *npu, unsigned q);
void loom_step_machine(struct loom_npu *npu);

/* report.c */
void loom_report_begin(struct loom_npu *npu);
void loom_report_fetch(struct loom_npu *npu, uint64_t cycles);
void loom_report_seq(struct loom_npu *npu, uint64_t ready, uint64_t start, uint64_t end);
void loom_report_record(struct loom_npu *npu, unsigned q, uint64_t end);
void loom_report_entry(struct loom_npu *npu, const struct loom_report_entry *e);
void loom_report_cut(struct loom_npu *npu, uint64_t end);
void loom_report_write(struct loom_npu *npu, struct loom_completion *c);
uint64_t loom_report_room(uint64_t report_bytes);

#endif
