// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who runs the model's steps, and when its interrupts go out.
 *
 * Normally a thread of the device's own: it computes and does all DMA, so no
 * vCPU ever waits for a job. `busy` covers a step, and with it every DMA, but
 * not the interrupt that follows: that needs the BQL, whose holder may be
 * waiting for !busy.
 *
 * A step that ended before a reset may have an interrupt to raise after it.
 * The pending word settles that: it is cleared under the BQL only, by reset
 * (which thereby forgets) or by delivery, and delivery reads it again after it
 * got the BQL. A stopped machine keeps it for later, and in its saved state.
 *
 * With x-sync=on there is no thread. Steps run in a bottom half, and the
 * interrupt of a job, as well as the start of the next, waits until virtual
 * time has passed the job's cycles: reproducible under qtest and icount.
 */

#include "qemu/osdep.h"
#include "qemu/rcu.h"
#include "hw/pci/msix.h"
#include "loom-device.h"
#include "trace.h"

/*
 * A step should last between a quarter and one millisecond: whoever wants a
 * quiet device waits that long, with the BQL held. Instructions differ in cost
 * by six orders of magnitude, so the number in a step follows what the last
 * one took. Where a step ends changes neither data nor cycles.
 */
#define LOOM_STEP_INSNS_MIN 1
#define LOOM_STEP_INSNS 16 /* at first, and at most after having been idle */
#define LOOM_STEP_INSNS_MAX 65536

/* A fixed number where time must not matter. */
#define LOOM_SYNC_INSNS 64

/* --- interrupts ---------------------------------------------------------- */

void loom_irq_deliver(LoomState *s)
{
    uint32_t v;

    if (s->paused || (s->sync && timer_pending(s->sync_timer))) {
        return;
    }
    v = qatomic_xchg(&s->irq_pending, 0);
    for (unsigned i = 0; i < LOOM_MSIX_VECTORS; i++) {
        if (v & (1u << i)) {
            trace_loom_irq(i, msix_is_masked(PCI_DEVICE(s), i));
            msix_notify(PCI_DEVICE(s), i);
        }
    }
}

/* --- the thread ---------------------------------------------------------- */

static bool loom_worker_may_run(LoomState *s)
{
    return !s->hold && !s->paused && qatomic_read(&s->work);
}

/* Waking a thread costs tens of microseconds: look around before sleeping. */
static void loom_worker_spin(LoomState *s)
{
    int64_t end = get_clock() + (int64_t)s->poll_us * SCALE_US;

    while (!qatomic_read(&s->work) && !qatomic_read(&s->stop) &&
           get_clock() < end) {
        cpu_relax();
    }
}

static void loom_worker_sleep(LoomState *s)
{
    qatomic_set(&s->sleeping, true);
    smp_mb(); /* pairs with loom_worker_wake() */
    while (!s->stop && !loom_worker_may_run(s)) {
        qemu_cond_wait(&s->wake, &s->lock);
    }
    qatomic_set(&s->sleeping, false);
}

static bool loom_timed_step(LoomState *s)
{
    int64_t start = get_clock(), took;
    bool more = loom_dev_step(s->dev, s->step_insns);

    took = get_clock() - start;
    if (!more) {
        s->step_insns = MIN(s->step_insns, LOOM_STEP_INSNS);
    } else if (took > SCALE_MS && s->step_insns > LOOM_STEP_INSNS_MIN) {
        s->step_insns /= 2;
    } else if (took < SCALE_MS / 4 &&
               s->step_insns < LOOM_STEP_INSNS_MAX) {
        s->step_insns *= 2;
    }
    return more;
}

/* Called and returns with the lock held. */
static void loom_worker_step(LoomState *s)
{
    qatomic_set(&s->work, false);
    smp_mb(); /* work that is announced from here on is not lost */
    s->busy = true;
    qemu_mutex_unlock(&s->lock);

    if (loom_timed_step(s)) {
        qatomic_set(&s->work, true);
    }

    qemu_mutex_lock(&s->lock);
    s->busy = false;
    if (s->hold) {
        qemu_cond_broadcast(&s->idle);
    }
    if (qatomic_read(&s->irq_pending) && !s->stop) {
        s->raising = true;
        qemu_mutex_unlock(&s->lock);
        bql_lock();
        loom_irq_deliver(s);
        bql_unlock();
        qemu_mutex_lock(&s->lock);
        s->raising = false;
    }
}

static void *loom_worker_thread(void *opaque)
{
    LoomState *s = opaque;

    rcu_register_thread();
    qemu_mutex_lock(&s->lock);
    while (!s->stop) {
        if (loom_worker_may_run(s)) {
            loom_worker_step(s);
            continue;
        }
        if (s->poll_us && !s->hold && !s->paused) {
            qemu_mutex_unlock(&s->lock);
            loom_worker_spin(s);
            qemu_mutex_lock(&s->lock);
        }
        loom_worker_sleep(s);
    }
    qemu_mutex_unlock(&s->lock);
    rcu_unregister_thread();
    return NULL;
}

/* --- x-sync -------------------------------------------------------------- */

static uint64_t loom_busy_cycles(LoomState *s)
{
    return loom_dev_mmio_read(s->dev, LOOM_REG_BUSY_CYCLES, 8);
}

static void loom_sync_step(void *opaque)
{
    LoomState *s = opaque;
    uint64_t before, cycles;

    if (s->paused || !s->work || timer_pending(s->sync_timer)) {
        return;
    }
    before = loom_busy_cycles(s);
    s->work = loom_dev_step(s->dev, LOOM_SYNC_INSNS);
    cycles = loom_busy_cycles(s) - before;
    if (cycles) {
        /* Capped: a job must not end beyond the range of the clock. */
        timer_mod(s->sync_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                  muldiv64(MIN(cycles, UINT32_MAX), 1000000,
                           s->target.clock_khz) + 1);
        return;
    }
    loom_irq_deliver(s);
    if (s->work) {
        qemu_bh_schedule(s->sync_bh);
    }
}

static void loom_sync_done(void *opaque)
{
    LoomState *s = opaque;

    loom_irq_deliver(s);
    if (s->work) {
        qemu_bh_schedule(s->sync_bh);
    }
}

/* --- for everybody else -------------------------------------------------- */

void loom_worker_wake(LoomState *s)
{
    qatomic_set(&s->work, true);
    if (s->sync) {
        qemu_bh_schedule(s->sync_bh);
        return;
    }
    smp_mb(); /* pairs with loom_worker_sleep() */
    if (qatomic_read(&s->sleeping)) {
        qemu_mutex_lock(&s->lock);
        qemu_cond_signal(&s->wake);
        qemu_mutex_unlock(&s->lock);
    }
}

void loom_worker_hold(LoomState *s)
{
    qemu_mutex_lock(&s->lock);
    s->hold++;
    while (s->busy) {
        loom_dev_kick(s->dev);
        qemu_cond_wait(&s->idle, &s->lock);
    }
    qemu_mutex_unlock(&s->lock);
}

void loom_worker_release(LoomState *s)
{
    qemu_mutex_lock(&s->lock);
    s->hold--;
    qemu_cond_signal(&s->wake);
    qemu_mutex_unlock(&s->lock);
    if (s->sync && s->work) {
        qemu_bh_schedule(s->sync_bh);
    }
}

void loom_worker_reset(LoomState *s)
{
    qatomic_set(&s->irq_pending, 0);
    qatomic_set(&s->work, false);
    timer_del(s->sync_timer);
}

static void loom_vm_state_change(void *opaque, bool running, RunState state)
{
    LoomState *s = opaque;

    loom_worker_hold(s);
    qemu_mutex_lock(&s->lock);
    s->paused = !running;
    qemu_mutex_unlock(&s->lock);
    loom_worker_release(s);
    if (running) {
        loom_irq_deliver(s);
    }
}

void loom_worker_init(LoomState *s)
{
    qemu_mutex_init(&s->lock);
    qemu_cond_init(&s->wake);
    qemu_cond_init(&s->idle);
    s->sync_bh = qemu_bh_new_guarded(loom_sync_step, s,
                                     &DEVICE(s)->mem_reentrancy_guard);
    s->sync_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loom_sync_done, s);
    s->step_insns = LOOM_STEP_INSNS;
    s->paused = !runstate_is_running();
    s->vmstate_entry =
        qdev_add_vm_change_state_handler(DEVICE(s), loom_vm_state_change, s);
    if (!s->sync) {
        qemu_thread_create(&s->thread, "loom", loom_worker_thread, s,
                           QEMU_THREAD_JOINABLE);
    }
    s->started = true;
}

/*
 * The BQL is dropped only if the worker waits for it. Unplug comes from inside
 * a vCPU's access to the root port, and another vCPU's access would be refused
 * as re-entrant meanwhile.
 */
static void loom_worker_join(LoomState *s)
{
    bool raising;

    qemu_mutex_lock(&s->lock);
    qatomic_set(&s->stop, true);
    raising = s->raising;
    loom_dev_kick(s->dev);
    qemu_cond_signal(&s->wake);
    qemu_mutex_unlock(&s->lock);

    if (raising) {
        bql_unlock();
    }
    qemu_thread_join(&s->thread);
    if (raising) {
        bql_lock();
    }
}

void loom_worker_exit(LoomState *s)
{
    if (!s->started) {
        return;
    }
    s->started = false;
    qemu_del_vm_change_state_handler(s->vmstate_entry);
    if (!s->sync) {
        loom_worker_join(s);
    }
    timer_free(s->sync_timer);
    qemu_bh_delete(s->sync_bh);
    qemu_cond_destroy(&s->idle);
    qemu_cond_destroy(&s->wake);
    qemu_mutex_destroy(&s->lock);
}
