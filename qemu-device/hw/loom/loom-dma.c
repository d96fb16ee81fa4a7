// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's view of guest memory.
 *
 * Every access is memory-only: one that reaches a register of any device,
 * this one included, is refused by the memory core. So an access takes no
 * lock, calls no device and may be made by the worker without the BQL.
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_device.h"
#include "system/dma.h"
#include "loom-device.h"
#include "trace.h"

static MemTxAttrs loom_dma_attrs(LoomState *s)
{
    return (MemTxAttrs) {
        .memory = 1,
        .requester_id = pci_requester_id(PCI_DEVICE(s)),
    };
}

/*
 * pci_dma_rw() has a full barrier before the access. That is what orders the
 * ring entries after the doorbell that announced them, and a completion
 * record after the data of its job, mapped or not.
 */
static int loom_dma_rw(LoomState *s, uint64_t addr, void *buf, uint64_t len,
                       DMADirection dir)
{
    MemTxResult r = pci_dma_rw(PCI_DEVICE(s), addr, buf, len, dir,
                               loom_dma_attrs(s));

    if (r != MEMTX_OK) {
        trace_loom_dma_error(addr, len, dir == DMA_DIRECTION_FROM_DEVICE, r);
        return -1;
    }
    return 0;
}

int loom_dma_read(void *opaque, uint64_t addr, void *buf, uint64_t len)
{
    return loom_dma_rw(opaque, addr, buf, len, DMA_DIRECTION_TO_DEVICE);
}

int loom_dma_write(void *opaque, uint64_t addr, const void *buf, uint64_t len)
{
    return loom_dma_rw(opaque, addr, (void *)buf, len,
                       DMA_DIRECTION_FROM_DEVICE);
}

static LoomMap *loom_map_find(LoomMaps *maps, uint32_t i, uint64_t addr,
                              uint64_t len, bool write)
{
    LoomMap *m;

    if (!i) {
        return NULL;
    }
    m = &g_array_index(maps->all, LoomMap, i - 1);
    if (addr < m->addr || addr - m->addr >= m->len ||
        len > m->len - (addr - m->addr) || (write && !m->write)) {
        return NULL;
    }
    return m;
}

/* A mapping that begins at base and reaches over addr + len; NULL: none. */
static LoomMap *loom_map_new(LoomState *s, uint64_t base, uint64_t size,
                             uint64_t addr, uint64_t len, bool write)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    GArray *all = s->maps.all;
    LoomMap m = { .addr = base, .len = size, .write = write };

    if (all->len >= LOOM_MAP_MAX) {
        return NULL;
    }
    m.host = address_space_map(as, base, &m.len, write, loom_dma_attrs(s));
    if (!m.host) {
        return NULL;
    }
    if (m.len < addr - base || m.len - (addr - base) < len) {
        address_space_unmap(as, m.host, m.len, write, 0);
        return NULL;
    }
    g_array_append_val(all, m);
    return &g_array_index(all, LoomMap, all->len - 1);
}

/*
 * Mappings live until loom_dma_unmap_all(): at most LOOM_MAP_MAX of them, so
 * that a guest cannot make QEMU hold more; past that the caller copies.
 *
 * A read maps the whole window that its page lies in, since a guest's pages
 * are scattered over RAM that is one piece. A write maps its page alone: all
 * that is unmapped after a write counts as changed.
 */
void *loom_dma_map(void *opaque, uint64_t addr, uint64_t len, bool write)
{
    LoomState *s = opaque;
    LoomMaps *maps = &s->maps;
    uint64_t base = addr & ~(LOOM_WINDOW_BYTES - 1);
    uint32_t *page = &maps->way[(addr >> LOOM_PAGE_SHIFT) % LOOM_MAP_WAYS];
    uint32_t *window = &maps->window[addr / LOOM_WINDOW_BYTES % LOOM_MAP_WAYS];
    LoomMap *m = loom_map_find(maps, *page, addr, len, write);

    if (!m && !write) {
        m = loom_map_find(maps, *window, addr, len, false);
    }
    if (!m && !write) {
        m = loom_map_new(s, base, LOOM_WINDOW_BYTES, addr, len, false);
        if (m) {
            *window = maps->all->len;
        }
    }
    if (!m) {
        m = loom_map_new(s, addr, len, addr, len, write);
        if (!m) {
            return NULL;
        }
        *page = maps->all->len;
    }
    return (uint8_t *)m->host + (addr - m->addr);
}

void loom_dma_unmap_all(void *opaque)
{
    LoomState *s = opaque;
    LoomMaps *maps = &s->maps;
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));

    if (!maps->all->len) {
        return;
    }
    for (guint i = 0; i < maps->all->len; i++) {
        LoomMap *m = &g_array_index(maps->all, LoomMap, i);

        maps->way[(m->addr >> LOOM_PAGE_SHIFT) % LOOM_MAP_WAYS] = 0;
        maps->window[m->addr / LOOM_WINDOW_BYTES % LOOM_MAP_WAYS] = 0;
        address_space_unmap(as, m->host, m->len, m->write, m->len);
    }
    g_array_set_size(maps->all, 0);
}

void loom_dma_init(LoomState *s)
{
    s->maps.all = g_array_new(false, false, sizeof(LoomMap));
    /* A bounce buffer would be written back without the memory-only rule. */
    pci_get_address_space(PCI_DEVICE(s))->max_bounce_buffer_size = 0;
}

void loom_dma_exit(LoomState *s)
{
    loom_dma_unmap_all(s);
    g_array_free(s->maps.all, true);
    s->maps.all = NULL;
}
