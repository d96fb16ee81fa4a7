// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: memory of CPU segments
 *
 * The CPU engine sees slots as kernel memory. A program knows which of its slots
 * its CPU segments name (loom_prog.cpu_used); only those are mapped: state,
 * scratch and constants when an instance is made, arguments and the report when
 * a job is prepared. A job's mappings live as long as its chain and go on the
 * cleanup queue, for taking one down takes the buffer's lock.
 *
 * The segments were checked against the slots' declared bytes and rights; a
 * binding is at least as large and no less open (loom_region.c).
 *
 * An imported buffer is not mapped: what lies behind it is another driver's, and
 * may not be ordinary memory. Whoever wants it read copies it on the NPU.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "drm/loom_accel.h"
#include "loom_chain.h"
#include "loom_cpu.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"

bool loom_cpu_has_segments(const struct loom_prog_segment *segs, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (segs[i].engine == LOOM_ENGINE_CPU)
			return true;
	return false;
}

/* --- programs --- */

static void loom_cpu_mark_slots(struct loom_prog *prog,
				const struct loom_prog_segment *s)
{
	const u8 *at = prog->view.cpu_code + (u64)s->first * 8;
	const u8 *end = at + (u64)s->count * 8;
	const struct loom_cpu_operand *operands;
	const struct loom_cpu_op *op;
	u32 i;

	for (; at < end; at += op->bytes) {
		op = (const void *)at;
		operands = (const void *)(op + 1);
		for (i = 0; i < op->n_operands; i++)
			__set_bit(operands[i].slot, prog->cpu_used);
	}
}

/* Finds out which slots the CPU segments name. They are checked. */
int loom_cpu_map_prog(struct loom_prog *prog)
{
	const struct loom_prog_view *view = &prog->view;
	u32 i;

	if (!loom_cpu_has_segments(view->segments, view->n_segments))
		return 0;
	prog->cpu_used = bitmap_zalloc(max(view->n_slots, 1u),
				       GFP_KERNEL_ACCOUNT);
	if (!prog->cpu_used)
		return -ENOMEM;
	for (i = 0; i < view->n_segments; i++)
		if (view->segments[i].engine == LOOM_ENGINE_CPU)
			loom_cpu_mark_slots(prog, &view->segments[i]);
	return 0;
}

/* --- instances --- */

static int loom_cpu_vmap(struct loom_bo *bo, void **at)
{
	struct iosys_map map;
	int ret;

	if (loom_bo_gem(bo)->import_attach)
		return -EOPNOTSUPP;
	ret = loom_bo_vmap(bo, &map);
	if (!ret)
		*at = map.vaddr;
	return ret;
}

static void loom_cpu_vunmap(struct loom_bo *bo, void *at)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(at);

	if (at)
		loom_bo_vunmap(bo, &map);
}

static int loom_cpu_map_consts(struct loom_inst *inst)
{
	if (inst->cpu_consts)
		return 0;
	return loom_cpu_vmap(inst->prog->consts, &inst->cpu_consts);
}

static int loom_cpu_map_slot(struct loom_inst *inst, u32 i)
{
	const struct loom_prog_slot *s = &inst->prog->view.slots[i];
	int ret;

	switch (s->kind) {
	case LOOM_SLOT_STATE:
	case LOOM_SLOT_SCRATCH:
		return loom_cpu_vmap(inst->bos[i], &inst->cpu_slots[i].base);
	case LOOM_SLOT_CONST:
		ret = loom_cpu_map_consts(inst);
		if (!ret)
			inst->cpu_slots[i].base = inst->cpu_consts +
						  inst->prog->consts_offset +
						  s->const_offset;
		return ret;
	default:
		return 0;
	}
}

/* What fails is undone by loom_cpu_unmap_inst(). */
int loom_cpu_map_inst(struct loom_inst *inst)
{
	const struct loom_prog_view *view = &inst->prog->view;
	int ret;
	u32 i;

	if (!inst->prog->cpu_used)
		return 0;
	inst->cpu_scratch = kvmalloc(LOOM_CPU_SCRATCH_BYTES, GFP_KERNEL_ACCOUNT);
	inst->cpu_slots = kvcalloc(max(view->n_slots, 1u),
				   sizeof(*inst->cpu_slots), GFP_KERNEL_ACCOUNT);
	if (!inst->cpu_scratch || !inst->cpu_slots)
		return -ENOMEM;
	for (i = 0; i < view->n_slots; i++) {
		inst->cpu_slots[i].bytes = view->slots[i].bytes;
		inst->cpu_slots[i].rights = view->slots[i].rights;
	}
	for_each_set_bit(i, inst->prog->cpu_used, view->n_slots) {
		ret = loom_cpu_map_slot(inst, i);
		if (ret)
			return ret;
	}
	return 0;
}

void loom_cpu_unmap_inst(struct loom_inst *inst)
{
	u32 i;

	if (inst->cpu_slots) {
		for (i = 0; i < inst->n_slots; i++)
			if (inst->bos[i])
				loom_cpu_vunmap(inst->bos[i],
						inst->cpu_slots[i].base);
		loom_cpu_vunmap(inst->prog->consts, inst->cpu_consts);
	}
	kvfree(inst->cpu_slots);
	kvfree(inst->cpu_scratch);
}

/* --- jobs --- */

static int loom_cpu_map_bo(struct loom_job_bo *jbo)
{
	return jbo->vaddr ? 0 : loom_cpu_vmap(jbo->bo, &jbo->vaddr);
}

static int loom_cpu_map_args(struct loom_chain *chain,
			     const struct drm_loom_binding *rows, u32 n)
{
	struct loom_job_bo *jbo;
	int ret;
	u32 i;

	for (i = 0; i < n; i++) {
		if (!test_bit(rows[i].slot, chain->inst->prog->cpu_used))
			continue;
		jbo = &chain->bos[rows[i].bo_index];
		ret = loom_cpu_map_bo(jbo);
		if (ret)
			return ret;
		chain->cpu_slots[rows[i].slot].base = jbo->vaddr + rows[i].offset;
	}
	return 0;
}

static int loom_cpu_map_report(struct loom_chain *chain,
			       const struct drm_loom_job *args)
{
	struct loom_job_bo *jbo = &chain->bos[args->report_bo - 1];
	int ret = loom_cpu_map_bo(jbo);

	if (!ret)
		chain->cpu_report = jbo->vaddr + args->report_offset;
	return ret;
}

/*
 * Maps what the CPU segments of a job need, once its regions are built: buffers
 * and bindings are checked. What fails is undone by loom_cpu_unmap_job().
 */
int loom_cpu_map_job(struct loom_chain *chain, const struct drm_loom_job *args,
		     const struct drm_loom_binding *rows)
{
	struct loom_inst *inst = chain->inst;
	int ret;

	if (!chain->has_cpu)
		return 0;
	chain->cpu_slots = kvmalloc_array(max(inst->n_slots, 1u),
					  sizeof(*chain->cpu_slots),
					  GFP_KERNEL_ACCOUNT);
	if (!chain->cpu_slots)
		return -ENOMEM;
	memcpy(chain->cpu_slots, inst->cpu_slots,
	       inst->n_slots * sizeof(*chain->cpu_slots));
	ret = loom_cpu_map_args(chain, rows, args->bindings.count);
	if (ret || !args->report_bo)
		return ret;
	return loom_cpu_map_report(chain, args);
}

void loom_cpu_unmap_job(struct loom_chain *chain)
{
	u32 i;

	for (i = 0; i < chain->n_bos; i++)
		loom_cpu_vunmap(chain->bos[i].bo, chain->bos[i].vaddr);
	kvfree(chain->cpu_slots);
}
