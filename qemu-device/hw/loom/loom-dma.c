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

static LoomMap *loom_map_find(LoomMaps *maps, uint64_t addr, uint64_t len,
                              bool write)
{
    uint32_t i = maps->way[(addr >> LOOM_PAGE_SHIFT) % LOOM_MAP_WAYS];
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

/*
 * Mappings live until loom_dma_unmap_all(): at most LOOM_MAP_MAX of them, so
 * that a guest cannot make QEMU hold more; past that the caller copies.
 */
void *loom_dma_map(void *opaque, uint64_t addr, uint64_t len, bool write)
{
    LoomState *s = opaque;
    LoomMaps *maps = &s->maps;
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    LoomMap *found = loom_map_find(maps, addr, len, write);
    LoomMap m = { .addr = addr, .len = len, .write = write };

    if (found) {
        return (uint8_t *)found->host + (addr - found->addr);
    }
    if (maps->all->len >= LOOM_MAP_MAX) {
        return NULL;
    }
    m.host = address_space_map(as, addr, &m.len, write, loom_dma_attrs(s));
    if (!m.host) {
        return NULL;
    }
    if (m.len < len) {
        address_space_unmap(as, m.host, m.len, write, 0);
        return NULL;
    }
    g_array_append_val(maps->all, m);
    maps->way[(addr >> LOOM_PAGE_SHIFT) % LOOM_MAP_WAYS] = maps->all->len;
    return m.host;
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
