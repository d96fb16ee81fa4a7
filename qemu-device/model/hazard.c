// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Vector clocks. A queue's clock says how many records of each queue are known
 * to be complete when its next record starts. A record's clock goes with each
 * token that it signals, and joins the clock of the queue that takes the token;
 * tokens of a semaphore are taken in the order in which they were given.
 *
 * The accesses of the past that a record may still conflict with are a list.
 * One leaves it when every queue knows that it is complete, or when a later
 * access covers it that is a write or of the same queue: whoever conflicts with
 * the one that left conflicts with the one that stays, since those two are
 * ordered.
 */
#include <stdlib.h>
#include <string.h>

#include "footprint.h"
#include "hazard.h"

#define MAX_ACCESSES 4096u /* the oldest leave a full list */

struct clock {
	uint64_t done[LOOM_NUM_QUEUES];
};

struct access {
	struct loom_box box;
	uint32_t unit;
	uint32_t queue;
	uint64_t number; /* of the record in its queue */
};

struct tokens {
	uint32_t head, count;
	struct clock clock[LOOM_SEM_MAX + 1]; /* ring */
};

struct loom_hazard {
	struct clock known[LOOM_NUM_QUEUES];
	struct clock pushed[LOOM_NUM_QUEUES][LOOM_FIFO_ROOM]; /* SEQ's at dispatch */
	struct tokens sem[LOOM_NUM_SEMS];
	uint32_t n;
	struct access access[MAX_ACCESSES];
};

struct loom_hazard *loom_hazard_create(void)
{
	return calloc(1, sizeof(struct loom_hazard));
}

void loom_hazard_destroy(struct loom_hazard *h)
{
	free(h);
}

static void join(struct clock *into, const struct clock *other)
{
	unsigned q;

	for (q = 0; q < LOOM_NUM_QUEUES; q++)
		if (into->done[q] < other->done[q])
			into->done[q] = other->done[q];
}

/* --- semaphores --- */

static void give(struct loom_hazard *h, const struct loom_hdr *hdr, const struct clock *clock)
{
	unsigned i, n;

	for (i = 0; i < 2; i++) {
		struct tokens *t = &h->sem[hdr->signal[i].sem];

		for (n = hdr->signal[i].n; n && t->count <= LOOM_SEM_MAX; n--)
			t->clock[(t->head + t->count++) % (LOOM_SEM_MAX + 1)] = *clock;
	}
}

static void take(struct loom_hazard *h, const struct loom_hdr *hdr, struct clock *clock)
{
	unsigned i, n;

	for (i = 0; i < 2; i++) {
		struct tokens *t = &h->sem[hdr->wait[i].sem];

		for (n = hdr->wait[i].n; n && t->count; n--) {
			join(clock, &t->clock[t->head]);
			t->head = (t->head + 1) % (LOOM_SEM_MAX + 1);
			t->count--;
		}
	}
}

void loom_hazard_begin(struct loom_hazard *h, const struct loom_machine *m)
{
	unsigned s;

	memset(h, 0, offsetof(struct loom_hazard, access));
	for (s = 0; s < LOOM_NUM_SEMS; s++)
		h->sem[s].count = m->sem[s] + m->sem_flight[s];
}

/* --- accesses --- */

/* What every queue knows to be complete; a queue's next record knows at least
 * what the queue knows. */
static struct clock known_to_all(const struct loom_hazard *h)
{
	struct clock all;
	unsigned q, other;

	for (q = 0; q < LOOM_NUM_QUEUES; q++) {
		all.done[q] = UINT64_MAX;
		for (other = 0; other < LOOM_NUM_QUEUES; other++)
			if (other != q && h->known[other].done[q] < all.done[q])
				all.done[q] = h->known[other].done[q];
	}
	return all;
}

static void forget_what_all_know(struct loom_hazard *h)
{
	const struct clock all = known_to_all(h);
	uint32_t i, n = 0;

	for (i = 0; i < h->n; i++)
		if (h->access[i].number >= all.done[h->access[i].queue])
			h->access[n++] = h->access[i];
	h->n = n;
}

static void make_room(struct loom_hazard *h)
{
	if (h->n < MAX_ACCESSES)
		return;
	forget_what_all_know(h);
	if (h->n < MAX_ACCESSES)
		return;
	h->n = MAX_ACCESSES / 2;
	memmove(h->access, h->access + MAX_ACCESSES / 2, h->n * sizeof(h->access[0]));
}

static bool conflicts(const struct access *past, const struct access *now, const struct clock *clock)
{
	return past->queue != now->queue && clock->done[past->queue] <= past->number &&
	       (past->box.write || now->box.write) && loom_boxes_meet(&past->box, &now->box);
}

static bool replaces(const struct access *now, const struct access *past)
{
	return (now->box.write || (now->queue == past->queue && !past->box.write)) &&
	       loom_box_covers(&now->box, &past->box);
}

/* False if the access conflicts with one of the past; else it becomes one. */
static bool note(struct loom_hazard *h, const struct access *now, const struct clock *clock, struct loom_refusal *why,
		 uint32_t *other)
{
	uint32_t i, n = 0;

	for (i = 0; i < h->n; i++) {
		const struct access *past = &h->access[i];

		if (conflicts(past, now, clock)) {
			const int64_t first = past->box.lo > now->box.lo ? past->box.lo : now->box.lo;

			*other = past->unit;
			loom_refuse(why, LOOM_FAULT_HAZARD, now->box.space, first, 0);
			return false;
		}
		if (!replaces(now, past)) {
			if (n != i)
				h->access[n] = *past;
			n++;
		}
	}
	h->n = n;
	make_room(h);
	h->access[h->n++] = *now;
	return true;
}

/* Memory that nobody may write has no conflicts. */
static bool may_matter(const struct loom_npu *npu, const struct loom_box *box)
{
	return box->space == LOOM_SLOT_SRAM ||
	       (box->space < npu->x.n_slots && npu->x.slots[box->space].rights & LOOM_RIGHT_WRITE);
}

static uint64_t limit_of(const struct loom_npu *npu, uint32_t space)
{
	return space == LOOM_SLOT_SRAM ? npu->target.sram_bytes : npu->x.slots[space].bytes;
}

static bool note_all(struct loom_hazard *h, const struct loom_npu *npu, const struct loom_box *box, unsigned n,
		     unsigned q, uint32_t unit, struct loom_refusal *why, uint32_t *other)
{
	struct access now;
	unsigned i;

	now.unit = unit;
	now.queue = q;
	now.number = h->known[q].done[q];
	for (i = 0; i < n; i++) {
		if (!may_matter(npu, &box[i]))
			continue;
		now.box = box[i];
		if (!note(h, &now, &h->known[q], why, other)) {
			why->limit = limit_of(npu, why->slot);
			return false;
		}
	}
	return true;
}

/* --- records --- */

void loom_hazard_push(struct loom_hazard *h, unsigned q, uint32_t at)
{
	h->pushed[q][at] = h->known[LOOM_Q_SEQ];
}

bool loom_hazard_start(struct loom_hazard *h, const struct loom_npu *npu, unsigned q, uint32_t at,
		       struct loom_refusal *why, uint32_t *other)
{
	const struct loom_queued *e = &npu->m.ring[q - 1][at];
	struct loom_box box[LOOM_MAX_BOXES];

	join(&h->known[q], &h->pushed[q][at]);
	take(h, &e->r.h, &h->known[q]);
	return note_all(h, npu, box, loom_footprint(&e->r, box), q, e->unit, why, other);
}

void loom_hazard_end(struct loom_hazard *h, unsigned q, const struct loom_hdr *hdr)
{
	h->known[q].done[q]++;
	give(h, hdr, &h->known[q]);
}

/* The registers are as they were before the record takes effect. */
bool loom_hazard_seq(struct loom_hazard *h, const struct loom_npu *npu, struct loom_dispatched *r,
		     struct loom_refusal *why, uint32_t *other)
{
	struct clock *known = &h->known[LOOM_Q_SEQ];
	struct loom_box box[LOOM_MAX_BOXES];
	unsigned q;

	take(h, &r->h, known);
	if (r->h.op == LOOM_OP_FENCE || r->h.op == LOOM_OP_HALT)
		for (q = LOOM_Q_SEQ + 1; q < LOOM_NUM_QUEUES; q++)
			join(known, &h->known[q]);
	r->base[0] = npu->m.seq.r[r->seq.ra];
	if (!note_all(h, npu, box, loom_footprint(r, box), LOOM_Q_SEQ, npu->m.seq.pc, why, other))
		return false;
	loom_hazard_end(h, LOOM_Q_SEQ, &r->h);
	return true;
}
