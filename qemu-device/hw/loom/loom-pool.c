// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A parallel-for for the model: a fixed set of threads that take indices from
 * one counter. What an index computes does not depend on who computes it, so
 * the number of threads changes no bit and no cycle.
 */

#include "qemu/osdep.h"
#include "qemu/rcu.h"
#include "loom-device.h"

struct LoomPool {
    QemuMutex lock;
    QemuCond start;
    QemuCond finish;
    unsigned n_threads;
    QemuThread *threads;
    bool stop; /* lock */
    uint64_t round; /* lock: number of loom_pool_run() so far */
    unsigned helping; /* lock: threads that may still take an index */

    void (*fn)(void *arg, unsigned i);
    void *arg;
    unsigned n;
    unsigned next; /* atomic */
};

static void loom_pool_take(LoomPool *pool)
{
    unsigned i;

    while ((i = qatomic_fetch_inc(&pool->next)) < pool->n) {
        pool->fn(pool->arg, i);
    }
}

static void *loom_pool_thread(void *opaque)
{
    LoomPool *pool = opaque;
    uint64_t seen = 0;

    rcu_register_thread();
    qemu_mutex_lock(&pool->lock);
    while (true) {
        while (!pool->stop && pool->round == seen) {
            qemu_cond_wait(&pool->start, &pool->lock);
        }
        if (pool->stop) {
            break;
        }
        seen = pool->round;
        qemu_mutex_unlock(&pool->lock);
        loom_pool_take(pool);
        qemu_mutex_lock(&pool->lock);
        if (--pool->helping == 0) {
            qemu_cond_signal(&pool->finish);
        }
    }
    qemu_mutex_unlock(&pool->lock);
    rcu_unregister_thread();
    return NULL;
}

void loom_pool_run(LoomPool *pool, unsigned n, void (*fn)(void *, unsigned),
                   void *arg)
{
    if (n < 2) {
        for (unsigned i = 0; i < n; i++) {
            fn(arg, i);
        }
        return;
    }
    qemu_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->arg = arg;
    pool->n = n;
    pool->next = 0;
    pool->helping = pool->n_threads;
    pool->round++;
    qemu_cond_broadcast(&pool->start);
    qemu_mutex_unlock(&pool->lock);

    loom_pool_take(pool);

    /* Every thread must have left this round before the next one begins. */
    qemu_mutex_lock(&pool->lock);
    while (pool->helping) {
        qemu_cond_wait(&pool->finish, &pool->lock);
    }
    qemu_mutex_unlock(&pool->lock);
}

LoomPool *loom_pool_new(unsigned n)
{
    LoomPool *pool = g_new0(LoomPool, 1);

    qemu_mutex_init(&pool->lock);
    qemu_cond_init(&pool->start);
    qemu_cond_init(&pool->finish);
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
    qemu_cond_destroy(&pool->finish);
    qemu_cond_destroy(&pool->start);
    qemu_mutex_destroy(&pool->lock);
    g_free(pool->threads);
    g_free(pool);
}
