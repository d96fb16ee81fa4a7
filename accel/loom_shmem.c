// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages for large buffers. DRM takes shmem from the kernel's own mount,
 * where huge pages are off unless the administrator turns them on; ours has
 * them. A device that walks page lists then finds long runs of memory.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include <drm/drm_gem.h>

#include "loom_shmem.h"

static struct vfsmount *loom_mount; /* NULL: no huge pages here */

int loom_shmem_init(void)
{
	static char options[] = "huge=within_size";
	struct file_system_type *type;
	struct vfsmount *mnt;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    !has_transparent_hugepage())
		return 0;
	type = get_fs_type("tmpfs");
	if (!type)
		return -ENODEV;
	mnt = vfs_kern_mount(type, SB_KERNMOUNT, type->name, options);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	loom_mount = mnt;
	return 0;
}

void loom_shmem_exit(void)
{
	if (loom_mount)
		kern_unmount(loom_mount);
	loom_mount = NULL;
}

/* Before the first page: gives a new object a file of our mount instead. */
int loom_shmem_use_huge_pages(struct drm_gem_object *obj)
{
	struct file *file;

	if (!loom_mount || obj->size < PMD_SIZE)
		return 0;
	file = shmem_file_setup_with_mnt(loom_mount, "loom", obj->size,
					 VM_NORESERVE);
	if (IS_ERR(file))
		return PTR_ERR(file);
	mapping_set_gfp_mask(file->f_mapping,
			     mapping_gfp_mask(obj->filp->f_mapping));
	fput(obj->filp);
	obj->filp = file;
	return 0;
}
