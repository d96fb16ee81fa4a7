/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_FENCE_H
#define LOOM_FENCE_H

#include <linux/dma-fence.h>

struct dma_fence *loom_fence_create(u64 context, u64 seqno);
void loom_fence_finish(struct dma_fence *fence, int error);

#endif
