/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_SHMEM_H
#define LOOM_SHMEM_H

struct drm_gem_object;

int loom_shmem_init(void);
void loom_shmem_exit(void);
int loom_shmem_use_huge_pages(struct drm_gem_object *obj);

#endif
