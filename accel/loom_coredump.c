// SPDX-License-Identifier: GPL-2.0
/*
 * A picture of the device and of the job that hung it, as a device coredump:
 * /sys/class/devcoredump/devcd<N>/data, text. Taken on the way to a reset, on
 * which memory reclaim may depend, hence GFP_NOWAIT, and none rather than wait.
 */
#include <linux/devcoredump.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "loom_chain.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_inst.h"
#include "loom_prog.h"

#define LOOM_DUMP_BYTES 32768
#define LOOM_DUMP_SLOTS 256u

static const struct {
	u16 offset;
	u16 bits;
	const char *name;
} loom_dump_regs[] = {
#define LOOM_DUMP_REG(offset, name, bits, access, text) { offset, bits, #name },
	LOOM_REGS(LOOM_DUMP_REG)
#undef LOOM_DUMP_REG
};

static void loom_dump_registers(struct drm_printer *p, struct loom_device *ldev)
{
	u32 i;

	drm_puts(p, "registers:\n");
	for (i = 0; i < ARRAY_SIZE(loom_dump_regs); i++) {
		u32 offset = loom_dump_regs[i].offset;
		u64 v = loom_dump_regs[i].bits == 64 ? loom_read64(ldev, offset) :
						       loom_read(ldev, offset);

		drm_printf(p, "  %s: %#llx\n", loom_dump_regs[i].name, v);
	}
}

static void loom_dump_slots(struct drm_printer *p, const struct loom_chain *chain)
{
	const struct loom_prog *prog = chain->inst->prog;
	u32 n = min(prog->view.n_slots, LOOM_DUMP_SLOTS), i;

	drm_printf(p, "slots: %u\n", prog->view.n_slots);
	for (i = 0; i < n; i++) {
		const struct loom_region *r = &chain->table[LOOM_REGION_SLOT0 + i];

		drm_printf(p, "  %u: name=%s kind=%u rights=%u offset=%#llx bytes=%#llx\n",
			   i, loom_prog_string(prog, prog->view.slots[i].name),
			   prog->view.slots[i].kind, r->rights, r->offset,
			   r->bytes);
	}
}

static void loom_dump_segment(struct drm_printer *p,
			      const struct loom_segment *seg)
{
	const struct loom_chain *chain = seg->chain;
	const struct loom_prog_view *view = &chain->inst->prog->view;

	drm_printf(p, "client: %llu pid: %d comm: %s\n", chain->client->id,
		   chain->client->pid, chain->client->comm);
	drm_printf(p, "segment: %u of %u seqno: %u\n", loom_segment_index(seg),
		   chain->n_segs, seg->seqno);
	drm_printf(p, "program: target_hash=%#llx meta_crc=%#x producer=%s\n",
		   view->header->target_hash, view->header->meta_crc,
		   loom_prog_string(chain->inst->prog, view->header->producer));
	drm_printf(p, "code: first_unit=%u units=%u insn_budget=%llu cycle_budget=%llu\n",
		   seg->desc->first, seg->desc->count, seg->desc->insn_budget,
		   seg->desc->cycle_budget);
	loom_dump_slots(p, chain);
}

static ssize_t loom_coredump_read(char *buffer, loff_t offset, size_t count,
				  void *data, size_t len)
{
	return memory_read_from_buffer(buffer, count, &offset, data, len);
}

static void loom_coredump_free(void *data)
{
	kfree(data);
}

/* seg is condemned: nobody frees it before this returns. */
void loom_coredump(struct loom_device *ldev, const struct loom_segment *seg,
		   int error)
{
	struct drm_print_iterator iter = { .remain = LOOM_DUMP_BYTES };
	struct drm_printer p = drm_coredump_printer(&iter);

	iter.data = kzalloc(LOOM_DUMP_BYTES, GFP_NOWAIT | __GFP_NOWARN);
	if (!iter.data)
		return;
	drm_printf(&p, "loom coredump 1\ndriver: %d.%d\nerror: %d\n",
		   DRM_LOOM_VERSION_MAJOR, DRM_LOOM_VERSION_MINOR, error);
	drm_printf(&p, "time_ns: %llu\n", ktime_get_ns());
	loom_dump_segment(&p, seg);
	loom_dump_registers(&p, ldev);
	dev_coredumpm(ldev->drm.dev, THIS_MODULE, iter.data,
		      LOOM_DUMP_BYTES - iter.remain, GFP_NOWAIT,
		      loom_coredump_read, loom_coredump_free);
}
