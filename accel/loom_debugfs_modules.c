// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: what open files have loaded. A program is a module: its entry
 * points are methods, its scopes the tree of submodules; an instance is a bound
 * module, with its state by name and why it is LOST.
 */
#include <linux/seq_file.h>
#include <linux/xarray.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_device.h>
#include <drm/drm_file.h>

#include "loom_debugfs.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_inst.h"
#include "loom_prog.h"

/* Deeper trees are cut off at their root: the table is the user's. */
#define LOOM_SHOW_DEPTH 16

static const char *loom_view_string(const struct loom_prog_view *view, u32 at)
{
	return view->strings + at;
}

/* "encoder/Dense_0" */
static void loom_show_scope(struct seq_file *m,
			    const struct loom_prog_view *view, u32 row)
{
	u32 path[LOOM_SHOW_DEPTH], n = 0;

	while (n < LOOM_SHOW_DEPTH) {
		path[n++] = row;
		if (view->scopes[row].parent == row)
			break;
		row = view->scopes[row].parent;
	}
	seq_puts(m, "  module ");
	while (n--) {
		const char *name = loom_view_string(view,
						    view->scopes[path[n]].name);

		seq_printf(m, "%s%s", name, n && *name ? "/" : "");
	}
	seq_putc(m, '\n');
}

static void loom_show_prog(struct seq_file *m, u64 client, unsigned long handle,
			   const struct loom_prog *prog)
{
	const struct loom_prog_view *view = &prog->view;
	u32 i;

	seq_printf(m, "program %lu client %llu: %u entry points, %u slots\n",
		   handle, client, view->n_entries, view->n_slots);
	for (i = 0; i < view->n_entries; i++)
		seq_printf(m, "  entry %s: %u segments, %u tensors\n",
			   loom_view_string(view, view->entries[i].name),
			   view->entries[i].n_segments,
			   view->entries[i].n_tensors);
	/* Row 0 is the module itself. */
	for (i = 1; i < view->n_scopes; i++)
		loom_show_scope(m, view, i);
}

static void loom_show_fault(struct seq_file *m,
			    const struct loom_prog_view *view,
			    const struct loom_inst_fault *f)
{
	seq_printf(m, "  LOST: error %d, segment %u, fault %u, unit %u, loc %u",
		   f->error, f->segment, f->fault, f->unit, f->loc);
	if (f->fault && f->slot < view->n_slots)
		seq_printf(m, ", slot %u (%s), offset %#llx past %#llx",
			   f->slot,
			   loom_view_string(view, view->slots[f->slot].name),
			   f->offset, f->limit);
	seq_putc(m, '\n');
}

static void loom_show_inst(struct seq_file *m, u64 client, unsigned long handle,
			   struct loom_inst *inst)
{
	const struct loom_prog_view *view = &inst->prog->view;
	struct loom_inst_fault f;
	u32 i;

	spin_lock_irq(&inst->lock);
	f = inst->fault;
	spin_unlock_irq(&inst->lock);
	seq_printf(m, "instance %lu client %llu: %s\n", handle, client,
		   f.error ? "LOST" : "ready");
	if (f.error)
		loom_show_fault(m, view, &f);
	for (i = 0; i < view->n_slots; i++)
		if (view->slots[i].kind == LOOM_SLOT_STATE)
			seq_printf(m, "  state %s: %llu bytes\n",
				   loom_view_string(view, view->slots[i].name),
				   view->slots[i].bytes);
}

static void loom_show_progs(struct seq_file *m, struct loom_file *lfile)
{
	struct loom_prog *prog;
	unsigned long handle;

	xa_for_each(&lfile->progs, handle, prog) {
		prog = loom_prog_lookup(lfile, handle);
		if (!prog)
			continue;
		loom_show_prog(m, lfile->client->id, handle, prog);
		loom_prog_put(prog);
	}
}

static void loom_show_insts(struct seq_file *m, struct loom_file *lfile)
{
	struct loom_inst *inst;
	unsigned long handle;

	xa_for_each(&lfile->insts, handle, inst) {
		inst = loom_inst_lookup(lfile, handle);
		if (!inst)
			continue;
		loom_show_inst(m, lfile->client->id, handle, inst);
		loom_inst_put(inst);
	}
}

/* The list's lock keeps the files open, and so their tables. */
static void loom_show_files(struct seq_file *m,
			    void (*show)(struct seq_file *m,
					 struct loom_file *lfile))
{
	struct drm_debugfs_entry *entry = m->private;
	struct drm_device *drm = entry->dev;
	struct drm_file *file;

	mutex_lock(&drm->filelist_mutex);
	list_for_each_entry(file, &drm->filelist, lhead)
		show(m, to_loom_file(file));
	mutex_unlock(&drm->filelist_mutex);
}

int loom_programs_show(struct seq_file *m, void *unused)
{
	loom_show_files(m, loom_show_progs);
	return 0;
}

int loom_instances_show(struct seq_file *m, void *unused)
{
	loom_show_files(m, loom_show_insts);
	return 0;
}
