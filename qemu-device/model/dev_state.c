// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Saved state of the device: a header, registers and counters, the region table of the job that runs, the NPU.
 * Nothing is taken from guest memory on load but what the job reads as it goes on.
 */
#include <string.h>

#include "dev.h"

#define MAGIC 0x5344444cu /* LDDS */
#define VERSION 1u

struct saved_header {
	uint32_t magic, version;
	uint64_t bytes;
	struct loom_target target;
	struct loom_dev_state s;
};

size_t loom_dev_save_bytes(const struct loom_dev *d)
{
	return sizeof(struct saved_header) + sizeof(d->region) + loom_npu_save_bytes(d->npu);
}

void loom_dev_save(struct loom_dev *d, void *buf)
{
	struct saved_header h;
	uint8_t *to = buf;

	loom_dev_clear_reset(d);
	memset(&h, 0, sizeof(h));
	h.magic = MAGIC;
	h.version = VERSION;
	h.bytes = loom_dev_save_bytes(d);
	h.target = d->target;
	h.s = d->s;
	memcpy(to, &h, sizeof(h));
	to += sizeof(h);
	memcpy(to, d->region, sizeof(d->region));
	to += sizeof(d->region);
	loom_npu_save(d->npu, to);
}

static const char *check_state(const struct loom_dev_state *s)
{
	if (s->control & ~(LOOM_CTL_ENABLE | LOOM_CTL_HALT))
		return "saved CONTROL has unknown bits";
	if ((s->irq_status | s->irq_enable) & ~(LOOM_IRQ_QUEUE | LOOM_IRQ_ADMIN))
		return "saved interrupt bits are unknown";
	if (s->error > LOOM_DEV_CQ_OVERFLOW)
		return "saved ERROR is unknown";
	if ((s->control & LOOM_CTL_ENABLE || s->running) && !loom_rings_ok(&s->rings))
		return "saved rings are malformed";
	if (s->running > 1 || s->hung > 1 || (s->hung && !s->running))
		return "saved job state is malformed";
	if (s->running && (s->n_regions < LOOM_REGION_SLOT0 || s->n_regions > LOOM_MAX_REGIONS))
		return "saved region table has a bad length";
	return NULL;
}

static bool job_matches(const struct loom_dev *d)
{
	const struct loom_machine *m = &d->npu->m;

	if (!d->s.running)
		return m->state == LOOM_NPU_IDLE;
	return m->state == LOOM_NPU_RUNNING && m->seqno == d->s.seqno &&
	       m->report_bytes == d->region[LOOM_REGION_REPORT].bytes &&
	       (uint64_t)(m->first_unit + m->n_units) * LOOM_UNIT_BYTES <= d->region[LOOM_REGION_CODE].bytes;
}

static const char *load_job(struct loom_dev *d, const uint8_t *from, size_t len)
{
	uint32_t n_slots = 0;

	memcpy(d->region, from, sizeof(d->region));
	from += sizeof(d->region);
	if (d->s.running) {
		if (!loom_dev_bind_regions(d, d->s.n_regions))
			return "saved region table is malformed";
		n_slots = d->s.n_regions - LOOM_REGION_SLOT0;
	}
	if (!loom_npu_load(d->npu, from, len - sizeof(d->region), d->slot, n_slots))
		return "saved NPU state is malformed";
	return job_matches(d) ? NULL : "saved job does not match the saved NPU state";
}

const char *loom_dev_load(struct loom_dev *d, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	struct saved_header h;
	const char *wrong;

	loom_dev_reset(d, true);
	if (len != loom_dev_save_bytes(d))
		return "saved state has another size than this device's";
	memcpy(&h, from, sizeof(h));
	if (h.magic != MAGIC || h.version != VERSION || h.bytes != len)
		return "saved state is of another version";
	if (memcmp(&h.target, &d->target, sizeof(h.target)))
		return "saved state is of a device with another target";
	wrong = check_state(&h.s);
	if (wrong)
		return wrong;
	d->s = h.s;
	wrong = load_job(d, from + sizeof(h), len - sizeof(h));
	if (wrong)
		loom_dev_reset(d, true);
	return wrong;
}
