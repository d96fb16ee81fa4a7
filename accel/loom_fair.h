/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_FAIR_H
#define LOOM_FAIR_H

#include <linux/types.h>

struct loom_ctx;

void loom_fair_place(struct loom_ctx *ctx);
void loom_fair_begin(struct loom_ctx *ctx);
void loom_fair_charge(struct loom_ctx *ctx, u64 cycles);

#endif
