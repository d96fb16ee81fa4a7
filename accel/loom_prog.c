// SPDX-License-Identifier: GPL-2.0
/*
 * Programs: the container's head, copied and checked once (core/prog_check.c),
 * and its NPU code in a buffer that only the device reads. The code itself is
 * not decoded here: the device checks every access that it makes.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>

#include "loom_cpu.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_gem.h"
#include "loom_prog.h"

#define LOOM_MESSAGE_MAX 256

struct loom_prog *loom_prog_get(struct loom_prog *prog)
{
	kref_get(&prog->ref);
	return prog;
}

static void loom_prog_release(struct kref *ref)
{
	struct loom_prog *prog = container_of(ref, struct loom_prog, ref);

	loom_bo_put(prog->code);
	loom_bo_put(prog->consts);
	bitmap_free(prog->cpu_used);
	kvfree(prog->meta);
	kfree(prog);
}

void loom_prog_put(struct loom_prog *prog)
{
	kref_put(&prog->ref, loom_prog_release);
}

struct loom_prog *loom_prog_lookup(struct loom_file *lfile, u32 handle)
{
	struct loom_prog *prog;

	xa_lock(&lfile->progs);
	prog = xa_load(&lfile->progs, handle);
	if (prog)
		loom_prog_get(prog);
	xa_unlock(&lfile->progs);
	return prog;
}

/* The validator saw that strings end; it did not see every offset we use. */
const char *loom_prog_string(const struct loom_prog *prog, u32 offset)
{
	return offset < prog->view.n_strings ? prog->view.strings + offset : "";
}

/* --- checks: each says in words what it found --- */

static int loom_prog_check_container(struct loom_prog *prog, u64 size,
				     char *msg)
{
	struct loom_prog_error e = {};

	switch (loom_prog_check(prog->meta, size, &prog->view, &e)) {
	case LOOM_PROG_OK:
		return 0;
	case LOOM_PROG_BAD_VERSION:
		snprintf(msg, LOOM_MESSAGE_MAX,
			 "the program is version %llu, this driver reads %u: compile it again",
			 e.value, LOOM_PROG_VERSION);
		break;
	case LOOM_PROG_UNSUPPORTED:
		snprintf(msg, LOOM_MESSAGE_MAX,
			 "the CPU engine of this kernel does not run it: %s %u: %s (%llu)",
			 e.section, e.index, e.what, e.value);
		return -EOPNOTSUPP;
	default:
		snprintf(msg, LOOM_MESSAGE_MAX,
			 "malformed program: %s %u: %s (%llu)",
			 e.section ?: "header", e.index, e.what ?: "?", e.value);
	}
	return -ENOEXEC;
}

static int loom_prog_check_device(struct loom_device *ldev,
				  struct loom_prog *prog, char *msg)
{
	struct loom_prog_error e = {};

	if (prog->view.n_slots > ldev->max_slots) {
		snprintf(msg, LOOM_MESSAGE_MAX,
			 "the program has %u slots, the device binds %u",
			 prog->view.n_slots, ldev->max_slots);
		return -ENOEXEC;
	}
	if (loom_prog_check_target(prog->view.target, &ldev->target, &e) ==
	    LOOM_PROG_OK)
		return 0;
	snprintf(msg, LOOM_MESSAGE_MAX,
		 "compiled for another device: %s (%llu): compile it for this one",
		 e.what ?: "?", e.value);
	return -ENOEXEC;
}

static int loom_prog_check_engines(struct loom_prog *prog, char *msg)
{
	if (loom_cpu_enabled() ||
	    !loom_cpu_has_segments(prog->view.segments, prog->view.n_segments))
		return 0;
	snprintf(msg, LOOM_MESSAGE_MAX,
		 "the program has CPU segments, and the CPU engine is off: loom.cpu_engine=1 turns it on");
	return -EOPNOTSUPP;
}

static int loom_prog_check_consts(struct loom_prog *prog, char *msg)
{
	u64 bytes = prog->view.header->const_bytes;

	if (!bytes && !prog->consts)
		return 0;
	if (!bytes || !prog->consts) {
		snprintf(msg, LOOM_MESSAGE_MAX,
			 "the program has %llu bytes of constants, and consts_bo is %s",
			 bytes, prog->consts ? "given" : "0");
		return -EINVAL;
	}
	if (prog->consts_offset <= loom_bo_size(prog->consts) &&
	    bytes <= loom_bo_size(prog->consts) - prog->consts_offset)
		return 0;
	snprintf(msg, LOOM_MESSAGE_MAX,
		 "%llu bytes of constants at offset %llu do not fit in a buffer of %llu",
		 bytes, prog->consts_offset, loom_bo_size(prog->consts));
	return -EINVAL;
}

static int loom_prog_check_all(struct loom_device *ldev, struct loom_prog *prog,
			       u64 size, char *msg)
{
	int ret;

	ret = loom_prog_check_container(prog, size, msg);
	if (ret)
		return ret;
	ret = loom_prog_check_device(ldev, prog, msg);
	if (ret)
		return ret;
	ret = loom_prog_check_engines(prog, msg);
	if (ret)
		return ret;
	return loom_prog_check_consts(prog, msg);
}

static int loom_prog_copy_code(struct loom_device *ldev, struct loom_prog *prog)
{
	u64 bytes = (u64)prog->view.n_units * LOOM_UNIT_BYTES;
	struct iosys_map map;
	int ret;
	u64 root;

	if (!bytes)
		return 0;
	prog->code = loom_bo_create(ldev, bytes, DRM_LOOM_BO_NO_MMAP, NULL);
	if (IS_ERR(prog->code)) {
		ret = PTR_ERR(prog->code);
		prog->code = NULL;
		return ret;
	}
	loom_bo_set_label(prog->code, "code");
	ret = loom_bo_vmap(prog->code, &map);
	if (ret)
		return ret;
	iosys_map_memcpy_to(&map, 0, prog->view.npu_code, bytes);
	loom_bo_vunmap(prog->code, &map);
	return loom_bo_map(prog->code, &root);
}

static int loom_prog_fill(struct loom_device *ldev, struct loom_prog *prog,
			  const struct drm_loom_prog_create *args,
			  struct drm_file *file, char *msg)
{
	int ret;

	if (args->consts_bo) {
		prog->consts = loom_bo_lookup(file, args->consts_bo);
		if (!prog->consts)
			return -ENOENT;
		prog->consts_offset = args->consts_offset;
	}
	prog->meta = vmemdup_user(u64_to_user_ptr(args->data), args->size);
	if (IS_ERR(prog->meta)) {
		ret = PTR_ERR(prog->meta);
		prog->meta = NULL;
		return ret;
	}
	ret = loom_prog_check_all(ldev, prog, args->size, msg);
	if (ret) {
		drm_dbg(&ldev->drm, "program refused: %s\n", msg);
		return ret;
	}
	ret = loom_cpu_map_prog(prog);
	if (ret)
		return ret;
	return loom_prog_copy_code(ldev, prog);
}

static int loom_prog_tell(const struct drm_loom_prog_create *args,
			  const char *msg)
{
	char __user *to = u64_to_user_ptr(args->message);
	u32 n = min_t(size_t, strlen(msg), args->message_size - 1);

	if (copy_to_user(to, msg, n) || put_user('\0', to + n))
		return -EFAULT;
	return 0;
}

static int loom_prog_check_args(const struct drm_loom_prog_create *args)
{
	if (args->flags || !args->data || !args->size ||
	    args->consts_offset % LOOM_PROG_ALIGN ||
	    (!args->consts_bo && args->consts_offset) ||
	    !args->message != !args->message_size)
		return -EINVAL;
	return args->size > LOOM_PROG_MAX_META ? -E2BIG : 0;
}

int loom_ioctl_prog_create(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_loom_prog_create *args = data;
	struct loom_file *lfile = to_loom_file(file);
	char msg[LOOM_MESSAGE_MAX] = "";
	struct loom_prog *prog;
	int ret;

	ret = loom_prog_check_args(args);
	if (ret)
		return ret;
	prog = kzalloc(sizeof(*prog), GFP_KERNEL_ACCOUNT);
	if (!prog)
		return -ENOMEM;
	kref_init(&prog->ref);
	ret = loom_prog_fill(lfile->ldev, prog, args, file, msg);
	if (!ret)
		ret = loom_handle_alloc(&lfile->progs, prog, LOOM_MAX_HANDLES,
					&args->prog);
	if (!ret)
		return 0;
	loom_prog_put(prog);
	if (args->message && loom_prog_tell(args, msg))
		return -EFAULT;
	return ret;
}

int loom_ioctl_prog_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_loom_prog_destroy *args = data;
	struct loom_prog *prog;

	if (args->pad)
		return -EINVAL;
	prog = xa_erase(&to_loom_file(file)->progs, args->prog);
	if (!prog)
		return -ENOENT;
	loom_prog_put(prog);
	return 0;
}
