// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The device's view of a job's memory: the region table, read once when the job starts, and page lists, walked when a
 * page is first touched. Translations are forgotten at the end of every step, so that nothing outlives a change of
 * the bus's layout by more than one step.
 */
#include <string.h>

#include "dev.h"

#define PAGE_MASK ((uint64_t)LOOM_PAGE_BYTES - 1)
#define NO_MAPPING ((void *)1) /* in loom_page.host: was refused; copy through the bus */

void loom_dev_drop_cache(struct loom_dev *d)
{
	if (d->host.dma_unmap_all)
		d->host.dma_unmap_all(d->opaque);
	if (++d->generation)
		return;
	memset(d->page, 0, sizeof(d->page));
	memset(d->line, 0, sizeof(d->line));
	memset(d->leaf, 0, sizeof(d->leaf));
	d->generation = 1;
}

static uint64_t tag_of(const struct loom_dev *d, uint32_t region, uint32_t index)
{
	return (uint64_t)d->generation << 32 | region << 18 | index;
}

static int pte_address(uint64_t pte, uint64_t *bus)
{
	if ((pte & PAGE_MASK) != LOOM_PTE_VALID)
		return LOOM_FAULT_PAGE_LIST;
	*bus = pte & ~PAGE_MASK;
	return LOOM_FAULT_NONE;
}

static unsigned way(uint32_t region, uint32_t index, unsigned ways)
{
	return (region * 37 + index) % ways;
}

static int find_leaf(struct loom_dev *d, uint32_t region, uint32_t index, uint64_t *bus)
{
	struct loom_leaf *l = &d->leaf[way(region, index, LOOM_LEAF_WAYS)];
	const uint64_t tag = tag_of(d, region, index);
	uint64_t pte;
	int fault;

	if (l->tag != tag) {
		if (d->host.dma_read(d->opaque, d->region[region].root + index * sizeof(pte), &pte, sizeof(pte)))
			return LOOM_FAULT_DMA;
		fault = pte_address(pte, &l->bus);
		if (fault)
			return fault;
		l->tag = tag;
	}
	*bus = l->bus;
	return LOOM_FAULT_NONE;
}

/* The bus address of a page. Entries are read 16 at a time: neighbours are likely, and a read costs the same. */
static int find_page(struct loom_dev *d, uint32_t region, uint32_t page, uint64_t *bus)
{
	const uint32_t first = page / LOOM_LINE_PTES;
	struct loom_leaf_line *l = &d->line[way(region, first, LOOM_LEAF_WAYS)];
	const uint64_t tag = tag_of(d, region, first);
	uint64_t leaf;
	int fault;

	if (l->tag != tag) {
		fault = find_leaf(d, region, page / LOOM_PTE_PER_PAGE, &leaf);
		if (fault)
			return fault;
		l->tag = 0;
		leaf += first * LOOM_LINE_PTES % LOOM_PTE_PER_PAGE * sizeof(uint64_t);
		if (d->host.dma_read(d->opaque, leaf, l->pte, sizeof(l->pte)))
			return LOOM_FAULT_DMA;
		l->tag = tag;
	}
	return pte_address(l->pte[page % LOOM_LINE_PTES], bus);
}

static int translate(struct loom_dev *d, uint32_t region, uint64_t at, struct loom_page **found)
{
	const uint32_t page = (uint32_t)(at >> LOOM_PAGE_SHIFT);
	struct loom_page *p = &d->page[way(region, page, LOOM_PAGE_WAYS)];
	const uint64_t tag = tag_of(d, region, page);
	int fault;

	if (p->tag != tag) {
		p->tag = 0;
		fault = find_page(d, region, page, &p->bus);
		if (fault)
			return fault;
		p->tag = tag;
		p->host[0] = p->host[1] = NULL;
	}
	*found = p;
	return LOOM_FAULT_NONE;
}

static uint8_t *host_page(struct loom_dev *d, struct loom_page *p, bool write)
{
	if (!p->host[write]) {
		p->host[write] = d->host.dma_map ? d->host.dma_map(d->opaque, p->bus, LOOM_PAGE_BYTES, write) : NULL;
		if (!p->host[write])
			p->host[write] = NO_MAPPING;
	}
	return p->host[write] == NO_MAPPING ? NULL : p->host[write];
}

static uint32_t region_of(uint32_t slot)
{
	if (slot == LOOM_NPU_CODE)
		return LOOM_REGION_CODE;
	return slot == LOOM_NPU_REPORT ? LOOM_REGION_REPORT : LOOM_REGION_SLOT0 + slot;
}

static int access_piece(struct loom_dev *d, uint32_t region, uint64_t at, uint8_t *buf, uint64_t len, bool write)
{
	const uint64_t in_page = at & PAGE_MASK;
	struct loom_page *p;
	uint8_t *mapped;
	int fault = translate(d, region, at, &p);

	if (fault)
		return fault;
	mapped = host_page(d, p, write);
	if (mapped) {
		memcpy(write ? mapped + in_page : buf, write ? buf : mapped + in_page, len);
		return LOOM_FAULT_NONE;
	}
	if (write)
		return d->host.dma_write(d->opaque, p->bus + in_page, buf, len) ? LOOM_FAULT_DMA : LOOM_FAULT_NONE;
	return d->host.dma_read(d->opaque, p->bus + in_page, buf, len) ? LOOM_FAULT_DMA : LOOM_FAULT_NONE;
}

/* Injected: counts accesses down to the one that fails. */
static bool injected_failure(struct loom_dev *d)
{
	return d->s.fail_in && --d->s.fail_in == 0;
}

static int access_region(struct loom_dev *d, uint32_t slot, uint64_t offset, uint8_t *buf, uint64_t len, bool write)
{
	const uint32_t region = region_of(slot);
	uint64_t at = d->region[region].offset + offset;
	int fault = LOOM_FAULT_NONE;

	if (injected_failure(d))
		return LOOM_FAULT_DMA;
	while (len && !fault) {
		const uint64_t room = LOOM_PAGE_BYTES - (at & PAGE_MASK), n = len < room ? len : room;

		fault = access_piece(d, region, at, buf, n, write);
		at += n;
		buf += n;
		len -= n;
	}
	return fault;
}

static int dev_read(void *opaque, uint32_t slot, uint64_t offset, void *buf, uint64_t len)
{
	return access_region(opaque, slot, offset, buf, len, false);
}

static int dev_write(void *opaque, uint32_t slot, uint64_t offset, const void *buf, uint64_t len)
{
	/* access_region() only reads buf when it writes. */
	return access_region(opaque, slot, offset, (uint8_t *)buf, len, true);
}

/* Pages that follow each other in the host's memory are one piece. None while a failure is armed: it counts calls. */
static void *dev_direct(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write)
{
	struct loom_dev *d = opaque;
	const uint32_t region = region_of(slot);
	const uint64_t at = d->region[region].offset + offset, end = at + len;
	uint8_t *first = NULL;
	uint64_t page;

	if (d->s.fail_in)
		return NULL;
	for (page = at & ~PAGE_MASK; page < end; page += LOOM_PAGE_BYTES) {
		struct loom_page *p;
		uint8_t *mapped;

		if (translate(d, region, page, &p))
			return NULL;
		mapped = host_page(d, p, write);
		if (!mapped || (first && mapped != first + (page - (at & ~PAGE_MASK))))
			return NULL;
		if (!first)
			first = mapped;
	}
	return first + (at & PAGE_MASK);
}

static void dev_parallel_for(void *opaque, unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
	struct loom_dev *d = opaque;
	unsigned i;

	if (d->host.parallel_for)
		d->host.parallel_for(d->opaque, n, fn, arg);
	else
		for (i = 0; i < n; i++)
			fn(arg, i);
}

const struct loom_npu_host loom_dev_npu_host = {
	.read = dev_read,
	.write = dev_write,
	.direct = dev_direct,
	.parallel_for = dev_parallel_for,
};

static bool region_ok(const struct loom_dev *d, const struct loom_region *r)
{
	return !(r->root & PAGE_MASK) && !(r->offset & 63) && r->bytes <= LOOM_MAX_BUFFER_BYTES &&
	       r->offset <= LOOM_MAX_BUFFER_BYTES - r->bytes && !(r->rights & ~(LOOM_RIGHT_READ | LOOM_RIGHT_WRITE)) &&
	       r->mem_class < d->target.mem_classes;
}

/* Checks the table in d->region and makes slots of it. An unbound region must be all zero. */
bool loom_dev_bind_regions(struct loom_dev *d, uint32_t n_regions)
{
	const struct loom_region *code = &d->region[LOOM_REGION_CODE], *report = &d->region[LOOM_REGION_REPORT];
	uint32_t i;

	for (i = 0; i < n_regions; i++)
		if (!region_ok(d, &d->region[i]) || (!d->region[i].root && d->region[i].bytes))
			return false;
	if (!code->bytes || !(code->rights & LOOM_RIGHT_READ))
		return false;
	if (report->bytes && !(report->rights & LOOM_RIGHT_WRITE))
		return false;
	for (i = LOOM_REGION_SLOT0; i < n_regions; i++) {
		struct loom_npu_slot *s = &d->slot[i - LOOM_REGION_SLOT0];

		s->bytes = d->region[i].bytes;
		s->rights = d->region[i].rights;
		s->mem_class = d->region[i].mem_class;
		s->offset_mod64 = 0;
	}
	d->s.n_regions = n_regions;
	return true;
}

int loom_dev_load_table(struct loom_dev *d, const struct loom_job *job)
{
	if (job->n_regions < LOOM_REGION_SLOT0 || job->n_regions > LOOM_MAX_REGIONS || job->table & 31)
		return LOOM_FAULT_JOB;
	if (d->host.dma_read(d->opaque, job->table, d->region, job->n_regions * sizeof(d->region[0])))
		return LOOM_FAULT_DMA;
	return loom_dev_bind_regions(d, job->n_regions) ? LOOM_FAULT_NONE : LOOM_FAULT_JOB;
}
