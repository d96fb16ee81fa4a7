/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The hazard checker: while a job runs, which records are ordered by
 * semaphores, FENCE and dispatch alone, and whether two that are not touch the
 * same bytes, at least one writing them. What it finds does not depend on the
 * job's timing: modelled time orders nothing here.
 */
#ifndef LOOM_HAZARD_H
#define LOOM_HAZARD_H

#include "machine.h"

struct loom_hazard;

struct loom_hazard *loom_hazard_create(void);
void loom_hazard_destroy(struct loom_hazard *h);

/* A job begins, or goes on from a saved state: what was done before is ordered
 * before everything. */
void loom_hazard_begin(struct loom_hazard *h, const struct loom_machine *m);

/* SEQ put a record into a queue, as number `at` of its ring. */
void loom_hazard_push(struct loom_hazard *h, unsigned q, uint32_t at);

/*
 * A queue's record, number `at` of its ring, took its waits and was let pass by
 * its check. False if it is not ordered against an earlier record with which it
 * conflicts; then *why names the place, and *other that record.
 */
bool loom_hazard_start(struct loom_hazard *h, const struct loom_npu *npu, unsigned q, uint32_t at,
		       struct loom_refusal *why, uint32_t *other);

/* The record that a queue started last is complete. */
void loom_hazard_end(struct loom_hazard *h, unsigned q, const struct loom_hdr *hdr);

/* A scalar record takes effect; as loom_hazard_start() and loom_hazard_end() in
 * one. */
bool loom_hazard_seq(struct loom_hazard *h, const struct loom_npu *npu, struct loom_dispatched *r,
		     struct loom_refusal *why, uint32_t *other);

#endif
