// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A parallel-for for the model: a fixed set of threads that take indices from
 * one word, which says the round, the number of indices and the next one. What
 * an index computes does not depend on who computes it, so the number of
 * threads changes no bit and no cycle.
 *
 * A thread takes an index by exchanging the word it has seen, so that one that
 * wakes late has no part in a round that is over. Records follow each other
 * within microseconds: a thread looks for the next round for a while before it
 * sleeps.
 */

#include "qemu/osdep.h"
#include "qemu/processor.h"
#include "qemu/rcu.h"
#include "loom-device.h"

#define PATIENCE 4000 /* looks at the word, about 50 us */

struct LoomPool {
    QemuMutex lock;
    QemuCond start;
    unsigned n_threads;
    QemuThread *threads;
    bool stop; /* lock */
    unsigned asleep; /* atomic */

    void (*fn)(void *arg, unsigned i);
    void *arg;
    uint64_t state; /* atomic: round << 32 | indices << 16 | next index */
    unsigned left; /* atomic: indices that are not done */
};

static bool loom_pool_open(uint64_t state)
{
    return extract64(state, 0, 16) < extract64(state, 16, 16);
}

static void loom_pool_take(LoomPool *pool)
{
    uint64_t seen = qatomic_load_acquire(&pool->state);

    while (loom_pool_open(seen)) {
        uint64_t now = qatomic_cmpxchg(&pool->state, seen, seen + 1);

        if (now == seen) {
            /* The round cannot end before this index is done. */
            pool->fn(pool->arg, extract64(seen, 0, 16));
            qatomic_dec(&pool->left);
            now = qatomic_load_acquire(&pool->state);
        }
        seen = now;
    }
}

/* Waits for a round; false: there will be none. */
static bool loom_pool_wait(LoomPool *pool)
{
    bool stop;

    for (unsigned i = 0; i < PATIENCE; i++) {
        if (loom_pool_open(qatomic_read(&pool->state))) {
            return true;
        }
        cpu_relax();
    }
    qemu_mutex_lock(&pool->lock);
    qatomic_inc(&pool->asleep);
    while (!pool->stop && !loom_pool_open(qatomic_read(&pool->state))) {
        qemu_cond_wait(&pool->start, &pool->lock);
    }
    qatomic_dec(&pool->asleep);
    stop = pool->stop;
    qemu_mutex_unlock(&pool->lock);
    return !stop;
}

static void *loom_pool_thread(void *opaque)
{
    LoomPool *pool = opaque;

    rcu_register_thread();
    while (loom_pool_wait(pool)) {
        loom_pool_take(pool);
    }
    rcu_unregister_thread();
    return NULL;
}

/* fn(arg, i) for all i < n, n < 65536. */
void loom_pool_run(LoomPool *pool, unsigned n, void (*fn)(void *, unsigned),
                   void *arg)
{
    uint64_t round = extract64(qatomic_read(&pool->state), 32, 32) + 1;

    if (n < 2) {
        for (unsigned i = 0; i < n; i++) {
            fn(arg, i);
        }
        return;
    }
    pool->fn = fn;
    pool->arg = arg;
    qatomic_set(&pool->left, n);
    qatomic_store_release(&pool->state, round << 32 | (uint64_t)n << 16);
    smp_mb(); /* with qatomic_inc(&pool->asleep), which is one too */
    if (qatomic_read(&pool->asleep)) {
        qemu_mutex_lock(&pool->lock);
        qemu_cond_broadcast(&pool->start);
        qemu_mutex_unlock(&pool->lock);
    }
    loom_pool_take(pool);
    for (unsigned i = 0; qatomic_load_acquire(&pool->left); i++) {
        if (i < PATIENCE) {
            cpu_relax();
        } else {
            sched_yield();
        }
    }
}

LoomPool *loom_pool_new(unsigned n)
{
    LoomPool *pool = g_new0(LoomPool, 1);

    qemu_mutex_init(&pool->lock);
    qemu_cond_init(&pool->start);
    pool->n_threads = n - 1;
    pool->threads = g_new0(QemuThread, pool->n_threads);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        qemu_thread_create(&pool->threads[i], "loom-pool", loom_pool_thread,
                           pool, QEMU_THREAD_JOINABLE);
    }
    return pool;
}

void loom_pool_free(LoomPool *pool)
{
    if (!pool) {
        return;
    }
    qemu_mutex_lock(&pool->lock);
    pool->stop = true;
    qemu_cond_broadcast(&pool->start);
    qemu_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        qemu_thread_join(&pool->threads[i]);
    }
    qemu_cond_destroy(&pool->start);
    qemu_mutex_destroy(&pool->lock);
    g_free(pool->threads);
    g_free(pool);
}
