// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The device: registers, and the step that does its work.
 *
 * A reset touches what step() touches. Written to CONTROL while no step is under way it happens at once; else the
 * step ends soon, and its thread resets on the way out. CONTROL.RESET reads 1 until then.
 */
#include <stdlib.h>
#include <string.h>

#include "dev.h"

#define SLICE 64u /* instructions between two looks at kick, HALT and RESET */

void loom_dev_trace(struct loom_dev *d, const char *event, uint64_t a, uint64_t b, uint64_t c)
{
	if (d->host.trace)
		d->host.trace(d->opaque, event, a, b, c);
}

static bool take_lost_irq(struct loom_dev *d)
{
	if (!GET(d->s.inject_lost))
		return false;
	__atomic_fetch_sub(&d->s.inject_lost, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void signal_vector(struct loom_dev *d, uint32_t bit)
{
	const unsigned vector = bit == LOOM_IRQ_QUEUE ? LOOM_VEC_QUEUE : LOOM_VEC_ADMIN;

	if (bit == LOOM_IRQ_QUEUE && take_lost_irq(d)) {
		loom_dev_trace(d, "irq_lost", vector, 0, 0);
		return;
	}
	d->host.irq(d->opaque, vector);
}

/* Every event raises its vector, whether its bit was set already or not: a driver need not clear bits. */
void loom_dev_raise(struct loom_dev *d, uint32_t bit)
{
	__atomic_fetch_or(&d->s.irq_status, bit, __ATOMIC_SEQ_CST);
	if (GET(d->s.irq_enable) & bit)
		signal_vector(d, bit);
}

void loom_dev_fail(struct loom_dev *d, enum loom_dev_error error)
{
	SET(d->s.error, error);
	loom_dev_trace(d, "error", error, 0, 0);
	loom_dev_raise(d, LOOM_IRQ_ADMIN);
}

/* --- life --- */

static void keep_counters(struct loom_dev *d, const struct loom_dev_state *old)
{
	d->s.jobs_retired = old->jobs_retired;
	d->s.jobs_faulted = old->jobs_faulted;
	d->s.busy_cycles = old->busy_cycles;
	d->s.resets = old->resets + 1;
	loom_dev_trace(d, "reset", d->s.resets, 0, 0);
}

static void reset_state(struct loom_dev *d, bool power_on)
{
	const struct loom_dev_state old = d->s;

	loom_npu_reset(d->npu);
	memset(&d->s, 0, sizeof(d->s));
	d->s.progress_base = loom_npu_progress(d->npu);
	SET(d->kick, 0);
	loom_dev_drop_cache(d);
	/* Armed injections are meant for the next job, whenever it comes. */
	d->s.inject_hang = old.inject_hang;
	d->s.inject_fail = old.inject_fail;
	d->s.inject_lost = old.inject_lost;
	if (!power_on)
		keep_counters(d, &old);
	SET(d->reset_wanted, 0);
}

struct loom_dev *loom_dev_create(const struct loom_target *t, const struct loom_dev_host *host, void *opaque)
{
	struct loom_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->target = *t;
	d->host = *host;
	d->opaque = opaque;
	d->npu = loom_npu_create(t, &loom_dev_npu_host, d);
	if (!d->npu) {
		free(d);
		return NULL;
	}
	reset_state(d, true);
	return d;
}

void loom_dev_destroy(struct loom_dev *d)
{
	if (!d)
		return;
	loom_npu_destroy(d->npu);
	free(d);
}

bool loom_dev_set_isa(struct loom_dev *d, enum loom_host_isa isa)
{
	return loom_npu_set_isa(d->npu, isa);
}

bool loom_dev_set_hazards(struct loom_dev *d, bool on)
{
	return loom_npu_set_hazards(d->npu, on);
}

void loom_dev_reset(struct loom_dev *d, bool power_on)
{
	reset_state(d, power_on);
}

static bool own(struct loom_dev *d, enum loom_owner who)
{
	uint32_t none = LOOM_OWNER_NONE;

	return __atomic_compare_exchange_n(&d->owner, &none, who, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void disown(struct loom_dev *d)
{
	SET(d->owner, LOOM_OWNER_NONE);
}

/* Does the reset that CONTROL asked for, on whichever thread gets hold of the device first. */
void loom_dev_clear_reset(struct loom_dev *d)
{
	while (GET(d->reset_wanted) && own(d, LOOM_OWNER_RESET)) {
		if (GET(d->reset_wanted))
			reset_state(d, false);
		disown(d);
	}
}

/* --- registers --- */

bool loom_dev_has_work(struct loom_dev *d)
{
	struct loom_dev_state *s = &d->s;

	if (GET(d->reset_wanted))
		return true;
	if (GET(s->running))
		return !GET(s->hung);
	return !GET(s->error) && GET(s->control) == LOOM_CTL_ENABLE && GET(s->ring_head) != GET(s->ring_tail);
}

static bool ring_ok(uint64_t base, uint32_t entries)
{
	return base && !(base & 63) && entries && entries <= LOOM_MAX_RING && !(entries & (entries - 1));
}

bool loom_rings_ok(const struct loom_rings *r)
{
	return ring_ok(r->ring_base, r->ring_entries) && ring_ok(r->cq_base, r->cq_entries);
}

static void adopt_rings(struct loom_dev_state *s)
{
	SET(s->rings.ring_base, s->written.ring_base);
	SET(s->rings.cq_base, s->written.cq_base);
	SET(s->rings.ring_entries, s->written.ring_entries);
	SET(s->rings.cq_entries, s->written.cq_entries);
}

static bool write_control(struct loom_dev *d, uint32_t value)
{
	struct loom_dev_state *s = &d->s;
	uint32_t next = value & (LOOM_CTL_ENABLE | LOOM_CTL_HALT);

	if (value & LOOM_CTL_RESET) {
		SET(d->reset_wanted, 1);
		loom_dev_clear_reset(d);
		return GET(d->reset_wanted);
	}
	if (next & LOOM_CTL_ENABLE && !(s->control & LOOM_CTL_ENABLE)) {
		if (loom_rings_ok(&s->written)) {
			adopt_rings(s);
		} else {
			next &= ~LOOM_CTL_ENABLE;
			loom_dev_fail(d, LOOM_DEV_BAD_RING);
		}
	}
	SET(s->control, next);
	return loom_dev_has_work(d);
}

static bool write_doorbell(struct loom_dev *d, uint32_t tail)
{
	struct loom_dev_state *s = &d->s;

	if (!(s->control & LOOM_CTL_ENABLE) || GET(s->error))
		return false;
	if (tail - GET(s->ring_head) > s->written.ring_entries) {
		loom_dev_fail(d, LOOM_DEV_BAD_DOORBELL);
		return false;
	}
	SET(s->ring_tail, tail);
	return loom_dev_has_work(d);
}

static void write_irq_enable(struct loom_dev *d, uint32_t value)
{
	const uint32_t old = d->s.irq_enable, bits = value & (LOOM_IRQ_QUEUE | LOOM_IRQ_ADMIN);
	const uint32_t fresh = bits & ~old & GET(d->s.irq_status);

	SET(d->s.irq_enable, bits);
	if (fresh & LOOM_IRQ_QUEUE)
		signal_vector(d, LOOM_IRQ_QUEUE);
	if (fresh & LOOM_IRQ_ADMIN)
		signal_vector(d, LOOM_IRQ_ADMIN);
}

static uint32_t status(struct loom_dev *d)
{
	struct loom_dev_state *s = &d->s;
	const bool running = GET(s->running), error = GET(s->error);

	return (error ? LOOM_STS_ERROR : LOOM_STS_READY) | (running ? LOOM_STS_RUNNING : 0) |
	       (!running && s->control & LOOM_CTL_HALT ? LOOM_STS_HALTED : 0);
}

static uint64_t read_target(const struct loom_dev *d, uint32_t offset)
{
	const struct loom_target *t = &d->target;
	const struct loom_mem_class *m = &t->mem[offset >= LOOM_REG_MEM1_BANDWIDTH];

	switch (offset) {
	case LOOM_REG_ID:
		return LOOM_ID;
	case LOOM_REG_ISA:
		return t->isa_major << 16 | t->isa_minor;
	case LOOM_REG_FEATURES:
		return t->features;
	case LOOM_REG_ARRAY:
		return (uint32_t)t->rows | (uint32_t)t->cols << 16;
	case LOOM_REG_SRAM_BYTES:
		return t->sram_bytes;
	case LOOM_REG_SRAM_BANKS:
		return (uint32_t)t->sram_partitions | (uint32_t)t->sram_banks << 16;
	case LOOM_REG_ACC_BYTES:
		return t->acc_bytes;
	case LOOM_REG_VPU_LANES:
		return t->vpu_lanes;
	case LOOM_REG_MEM_CLASSES:
		return t->mem_classes;
	case LOOM_REG_CLOCK_KHZ:
		return t->clock_khz;
	case LOOM_REG_MXU_RATES:
		return t->int8_div | t->bf16_div << 8 | t->f32_div << 16;
	case LOOM_REG_MEM0_BANDWIDTH:
	case LOOM_REG_MEM1_BANDWIDTH:
		return m->bytes_per_cycle;
	case LOOM_REG_MEM0_LATENCY:
	case LOOM_REG_MEM1_LATENCY:
		return m->latency;
	case LOOM_REG_MEM0_OUTSTANDING:
	case LOOM_REG_MEM1_OUTSTANDING:
		return m->outstanding;
	default:
		return LOOM_MAX_SLOTS;
	}
}

static uint64_t read_state(struct loom_dev *d, uint32_t offset)
{
	struct loom_dev_state *s = &d->s;

	switch (offset) {
	case LOOM_REG_CONTROL:
		return s->control | (GET(d->reset_wanted) ? LOOM_CTL_RESET : 0);
	case LOOM_REG_STATUS:
		return status(d);
	case LOOM_REG_ERROR:
		return GET(s->error);
	case LOOM_REG_IRQ_STATUS:
		return GET(s->irq_status);
	case LOOM_REG_IRQ_ENABLE:
		return s->irq_enable;
	case LOOM_REG_RING_BASE:
		return s->written.ring_base;
	case LOOM_REG_RING_ENTRIES:
		return s->written.ring_entries;
	case LOOM_REG_RING_HEAD:
		return GET(s->ring_head);
	case LOOM_REG_CQ_BASE:
		return s->written.cq_base;
	case LOOM_REG_CQ_ENTRIES:
		return s->written.cq_entries;
	case LOOM_REG_CQ_HEAD:
		return s->cq_head;
	case LOOM_REG_CQ_TAIL:
		return GET(s->cq_tail);
	case LOOM_REG_PROGRESS:
		return loom_npu_progress(d->npu) - s->progress_base;
	case LOOM_REG_PROGRESS_JOB:
		return GET(s->seqno);
	case LOOM_REG_JOBS_RETIRED:
		return GET(s->jobs_retired);
	case LOOM_REG_JOBS_FAULTED:
		return GET(s->jobs_faulted);
	case LOOM_REG_BUSY_CYCLES:
		return GET(s->busy_cycles);
	case LOOM_REG_RESETS:
		return s->resets;
	default:
		return 0;
	}
}

/* Width of the register at an offset; 0 if there is none. */
static unsigned reg_bits(uint32_t offset)
{
	switch (offset) {
#define REG_CASE(offset, name, bits, access, text)                                                                     \
	case offset:                                                                                                   \
		return bits;
		LOOM_REGS(REG_CASE)
#undef REG_CASE
	default:
		return 0;
	}
}

static uint64_t read_reg(struct loom_dev *d, uint32_t offset)
{
	return offset < LOOM_REG_CONTROL ? read_target(d, offset) : read_state(d, offset);
}

uint64_t loom_dev_mmio_read(struct loom_dev *d, uint32_t offset, unsigned size)
{
	if (size == 8 && offset % 8 == 0)
		return reg_bits(offset) == 64 ? read_reg(d, offset) : 0;
	if (size != 4 || offset % 4)
		return 0;
	if (reg_bits(offset))
		return (uint32_t)read_reg(d, offset);
	if (offset % 8 == 4 && reg_bits(offset - 4) == 64)
		return read_reg(d, offset - 4) >> 32;
	return 0;
}

static bool write32(struct loom_dev *d, uint32_t offset, uint32_t value)
{
	struct loom_dev_state *s = &d->s;
	const bool enabled = s->control & LOOM_CTL_ENABLE;

	switch (offset) {
	case LOOM_REG_CONTROL:
		return write_control(d, value);
	case LOOM_REG_DOORBELL:
		return write_doorbell(d, value);
	case LOOM_REG_IRQ_STATUS:
		__atomic_fetch_and(&s->irq_status, ~value, __ATOMIC_SEQ_CST);
		return false;
	case LOOM_REG_IRQ_ENABLE:
		write_irq_enable(d, value);
		return false;
	case LOOM_REG_CQ_HEAD:
		SET(s->cq_head, value);
		return false;
	case LOOM_REG_RING_ENTRIES:
		if (!enabled)
			s->written.ring_entries = value;
		return false;
	case LOOM_REG_CQ_ENTRIES:
		if (!enabled)
			s->written.cq_entries = value;
		return false;
	default:
		return false;
	}
}

/* The 64-bit registers that take writes, whole or by halves. */
static void write64(struct loom_dev *d, uint32_t offset, uint64_t value, uint64_t mask)
{
	uint64_t *reg = offset == LOOM_REG_RING_BASE ? &d->s.written.ring_base :
			offset == LOOM_REG_CQ_BASE   ? &d->s.written.cq_base :
						       NULL;

	if (reg && !(d->s.control & LOOM_CTL_ENABLE))
		*reg = (*reg & ~mask) | (value & mask);
}

bool loom_dev_mmio_write(struct loom_dev *d, uint32_t offset, uint64_t value, unsigned size)
{
	const uint64_t low = 0xffffffffu;

	if (size == 8 && offset % 8 == 0) {
		if (reg_bits(offset) == 64)
			write64(d, offset, value, UINT64_MAX);
		return false;
	}
	if (size != 4 || offset % 4)
		return false;
	if (reg_bits(offset) == 32)
		return write32(d, offset, (uint32_t)value);
	if (reg_bits(offset) == 64)
		write64(d, offset, value, low);
	else if (offset % 8 == 4 && reg_bits(offset - 4) == 64)
		write64(d, offset - 4, value << 32, low << 32);
	return false;
}

/* --- work --- */

void loom_dev_kick(struct loom_dev *d)
{
	SET(d->kick, 1);
}

static bool interrupted(struct loom_dev *d)
{
	return GET(d->kick) || GET(d->reset_wanted) || GET(d->s.control) & LOOM_CTL_HALT;
}

static void finish_job(struct loom_dev *d)
{
	struct loom_completion c;

	loom_npu_finish(d->npu, &c);
	loom_dev_complete(d, &c);
}

/* How many instructions may run in one go; 0 when an injected hang is due. */
static uint64_t slice(const struct loom_dev *d, uint64_t left)
{
	const uint64_t n = left < SLICE ? left : SLICE, insns = d->npu->m.insns;
	uint64_t to_hang;

	if (!d->s.hang_at)
		return n;
	to_hang = d->s.hang_at - 1 > insns ? d->s.hang_at - 1 - insns : 0;
	return n < to_hang ? n : to_hang;
}

static void run_job(struct loom_dev *d, uint64_t left)
{
	while (left) {
		const uint64_t n = slice(d, left);

		if (!n) {
			SET(d->s.hung, 1);
			loom_dev_trace(d, "hang", d->s.seqno, d->npu->m.insns, 0);
			return;
		}
		if (loom_npu_run(d->npu, n) == LOOM_NPU_DONE) {
			finish_job(d);
			return;
		}
		if (interrupted(d))
			return;
		left -= n;
	}
}

/* At most one job ends in a step: a wrapper may let modelled time pass between jobs. */
static void work(struct loom_dev *d, uint64_t max_insns)
{
	struct loom_dev_state *s = &d->s;

	if (!loom_dev_has_work(d) || GET(d->reset_wanted))
		return;
	if (GET(s->running) && GET(s->control) & LOOM_CTL_HALT) {
		loom_npu_abort(d->npu);
		finish_job(d);
		return;
	}
	if (!GET(s->running) && !loom_dev_take_job(d))
		return;
	if (GET(s->running))
		run_job(d, max_insns ? max_insns : UINT64_MAX);
}

bool loom_dev_step(struct loom_dev *d, uint64_t max_insns)
{
	loom_dev_clear_reset(d);
	if (!own(d, LOOM_OWNER_STEP))
		return true;
	work(d, max_insns);
	loom_dev_drop_cache(d);
	SET(d->kick, 0);
	disown(d);
	loom_dev_clear_reset(d);
	return loom_dev_has_work(d);
}

/* --- injected faults --- */

void loom_dev_inject(struct loom_dev *d, enum loom_inject kind, uint64_t arg)
{
	const uint64_t nth = arg ? arg : 1;

	switch (kind) {
	case LOOM_INJECT_HANG:
		SET(d->s.inject_hang, arg < UINT64_MAX ? arg + 1 : UINT64_MAX);
		break;
	case LOOM_INJECT_LOST_IRQ:
		SET(d->s.inject_lost, arg);
		break;
	case LOOM_INJECT_DMA_FAIL:
		SET(d->s.inject_fail, nth);
		break;
	default:
		SET(d->s.inject_hang, 0);
		SET(d->s.inject_lost, 0);
		SET(d->s.inject_fail, 0);
		break;
	}
}
