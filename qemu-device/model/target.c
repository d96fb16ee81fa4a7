// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Named targets, and what a target may be. */
#include <string.h>

#include "loom_npu.h"

#define CLOCK_KHZ 1000000u
#define MAX_LATENCY 4096u /* one burst in flight still moves a byte a cycle */
#define MAX_BYTES_PER_CYCLE 4096u
#define MAX_OUTSTANDING 65536u
#define MAX_DIV 64u
#define MAX_BANKS 64u

static bool power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
	return v >= lo && v <= hi && (v & (v - 1)) == 0;
}

static bool within(uint32_t v, uint32_t lo, uint32_t hi)
{
	return v >= lo && v <= hi;
}

static const char *check_memory(const struct loom_target *t)
{
	unsigned i;

	if (!within(t->mem_classes, 1, LOOM_MAX_MEM_CLASSES))
		return "mem_classes must be 1 or 2";
	for (i = 0; i < t->mem_classes; i++) {
		const struct loom_mem_class *m = &t->mem[i];

		if (!within(m->bytes_per_cycle, 1, MAX_BYTES_PER_CYCLE))
			return "a memory class's bytes_per_cycle must be 1 to 4096";
		if (m->latency > MAX_LATENCY)
			return "a memory class's latency must be 0 to 4096 cycles";
		if (!within(m->outstanding, 1, MAX_OUTSTANDING))
			return "a memory class's outstanding bursts must be 1 to 65536";
		if (m->rsvd)
			return "a memory class's reserved field must be 0";
	}
	return NULL;
}

static const char *check_local(const struct loom_target *t)
{
	if (t->sram_bytes % 4096 || !within(t->sram_bytes, 16u << 10, 64u << 20))
		return "sram_bytes must be a multiple of 4096 from 16 KiB to 64 MiB";
	if (t->acc_bytes % 64 || !within(t->acc_bytes, 1u << 10, 4u << 20))
		return "acc_bytes must be a multiple of 64 from 1 KiB to 4 MiB";
	if (!power_of_two(t->sram_partitions, 1, MAX_BANKS) || !power_of_two(t->sram_banks, 1, MAX_BANKS))
		return "sram_partitions and sram_banks must be powers of two from 1 to 64";
	return NULL;
}

const char *loom_target_check(const struct loom_target *t)
{
	const char *wrong;

	if (t->isa_major != LOOM_ISA_MAJOR || t->isa_minor > LOOM_ISA_MINOR)
		return "the ISA version is not one that this model implements";
	if (t->features & ~LOOM_FEATURES_IMPLEMENTED)
		return "features has a bit that this model does not implement";
	if (!within(t->rows, 4, 256) || !within(t->cols, 4, 256))
		return "rows and cols must be 4 to 256";
	if (!within(t->vpu_lanes, 4, 1024))
		return "vpu_lanes must be 4 to 1024";
	if (!within(t->int8_div, 1, MAX_DIV) || !within(t->bf16_div, 1, MAX_DIV) || !within(t->f32_div, 1, MAX_DIV))
		return "int8_div, bf16_div and f32_div must be 1 to 64";
	if (!t->clock_khz)
		return "clock_khz must not be 0";
	if (t->rsvd0 || t->rsvd[0] || t->rsvd[1])
		return "a reserved field must be 0";
	wrong = check_local(t);
	return wrong ? wrong : check_memory(t);
}

struct named {
	const char *name;
	uint16_t rows, cols;
	uint32_t sram_kib, acc_kib, bytes_per_cycle, latency, outstanding, lanes;
};

#define NAMED(name, rows, cols, sram, acc, bytes, latency, outstanding, lanes)                                         \
	{#name, rows, cols, sram, acc, bytes, latency, outstanding, lanes},
static const struct named targets[] = {LOOM_TARGETS(NAMED)};
#undef NAMED

bool loom_target_named(const char *name, struct loom_target *t)
{
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const struct named *n = &targets[i];

		if (strcmp(n->name, name))
			continue;
		memset(t, 0, sizeof(*t));
		t->isa_major = LOOM_ISA_MAJOR;
		t->isa_minor = LOOM_ISA_MINOR;
		t->features = LOOM_FEATURES_IMPLEMENTED;
		t->rows = n->rows;
		t->cols = n->cols;
		t->sram_bytes = n->sram_kib << 10;
		t->acc_bytes = n->acc_kib << 10;
		t->sram_partitions = 4;
		t->sram_banks = 4;
		t->vpu_lanes = n->lanes;
		t->mem_classes = 2;
		t->clock_khz = CLOCK_KHZ;
		t->int8_div = 1;
		t->bf16_div = 2;
		t->f32_div = 4;
		t->mem[0].bytes_per_cycle = n->bytes_per_cycle;
		t->mem[0].latency = n->latency;
		t->mem[0].outstanding = n->outstanding;
		t->mem[1].bytes_per_cycle = n->bytes_per_cycle / 8 ? n->bytes_per_cycle / 8 : 1;
		t->mem[1].latency = n->latency * 4;
		t->mem[1].outstanding = n->outstanding;
		return true;
	}
	return false;
}
