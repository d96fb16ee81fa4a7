/* SPDX-License-Identifier: MIT */
/*
 * A target: what distinguishes one Loom instance from another, for the compiler, the model and the timing.
 * The registers at LOOM_REG_ARRAY and after say the same of a device.
 */
#ifndef LOOM_TARGET_H
#define LOOM_TARGET_H

#include <linux/types.h>
#include "loom_isa.h"

#define LOOM_MAX_MEM_CLASSES 2u /* 0 DRAM, 1 slow memory or flash */
#define LOOM_BURST_BYTES 64u

struct loom_mem_class {
	__u32 bytes_per_cycle; /* peak bandwidth */
	__u32 latency; /* cycles from request to first byte */
	__u32 outstanding; /* bursts of 64 bytes in flight; bandwidth = min(peak, outstanding * 64 / latency) */
	__u32 rsvd; /* must be 0 */
};

struct loom_target {
	__u32 isa_major; /* LOOM_ISA_MAJOR */
	__u32 isa_minor; /* LOOM_ISA_MINOR */
	__u64 features; /* bit set by enum loom_feature */
	__u16 rows; /* array rows R: along k, 4 to 256 */
	__u16 cols; /* array columns C: along n, 4 to 256 */
	__u32 sram_bytes; /* local memory, multiple of 4096, 16 KiB to 64 MiB */
	__u32 acc_bytes; /* accumulator memory, multiple of 64, 1 KiB to 4 MiB */
	__u16 sram_partitions; /* SRAM partitions by address */
	__u16 sram_banks; /* interleaved banks of 16 bytes in each partition */
	__u32 vpu_lanes; /* elements the vector unit handles a cycle, 4 to 1024 */
	__u32 mem_classes; /* memory classes in use, 1 or 2 */
	__u32 clock_khz; /* for converting cycles to time only */
	__u8 int8_div; /* cycles a row of an int8 product occupies the array: 1 */
	__u8 bf16_div; /* the same for bf16: 2 */
	__u8 f32_div; /* the same for f32: 4 */
	__u8 rsvd0; /* must be 0 */
	struct loom_mem_class mem[LOOM_MAX_MEM_CLASSES];
	__u32 rsvd[2]; /* must be 0 */
};

/* What the model of this release implements; everything else reads 0. */
#define LOOM_FEATURES_IMPLEMENTED                                                                                      \
	(1ull << LOOM_FEAT_CONV | 1ull << LOOM_FEAT_REG | 1ull << LOOM_FEAT_LOOP | 1ull << LOOM_FEAT_BF16 |            \
	 1ull << LOOM_FEAT_INT8 | 1ull << LOOM_FEAT_VPU | 1ull << LOOM_FEAT_F32 | 1ull << LOOM_FEAT_EPI |            \
	 1ull << LOOM_FEAT_DW | 1ull << LOOM_FEAT_TRANSPOSE | 1ull << LOOM_FEAT_GATHER | 1ull << LOOM_FEAT_SCATTER |  \
	 1ull << LOOM_FEAT_TRANS | 1ull << LOOM_FEAT_SCAN)

/*
 * Named targets: X(name, rows, cols, SRAM KiB, accumulator KiB, bytes a cycle, latency, outstanding, lanes).
 * Class 1 (slow memory) has an eighth of class 0's bandwidth and four times its latency.
 */
#define LOOM_TARGETS(X)                                                                                                \
	X(npu8, 8, 8, 64, 16, 4, 64, 16, 8)                                                                            \
	X(npu16, 16, 16, 512, 64, 8, 100, 32, 16)                                                                      \
	X(npu64, 64, 64, 2048, 512, 32, 150, 128, 64)                                                                  \
	X(npu128, 128, 128, 8192, 2048, 256, 200, 1024, 128)

/* Of the compiler and of QEMU's device, where none is named. */
#define LOOM_DEFAULT_TARGET "npu16"
/* Of a device in a process ("sim") that is opened for no program: long records take a host less time. */
#define LOOM_SIM_TARGET "npu64"

#endif
