// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
#include "cpu_ops.h"

#define CLASS_M LOOM_CPU_CLASS_W
#define CLASS_F LOOM_CPU_CLASS_W
#define CLASS_I LOOM_CPU_CLASS_W
#define CLASS_B LOOM_CPU_CLASS_W
#define CLASS_C LOOM_CPU_CLASS_W
#define CLASS_T LOOM_CPU_CLASS_W
#define CLASS_R LOOM_CPU_CLASS_NONE

#define VPU(num, name, operands, cls, text)                                                                            \
	case num:                                                                                                      \
		return (struct loom_cpu_scalar_info){ CLASS_##cls, operands };

static struct loom_cpu_scalar_info vpu_row(__u32 op)
{
	switch (op) {
		LOOM_UOPS(VPU)
	}
	return (struct loom_cpu_scalar_info){ LOOM_CPU_CLASS_NONE, 0 };
}

static struct loom_cpu_scalar_info vpu_info(__u32 op)
{
	struct loom_cpu_scalar_info info = vpu_row(op);

	switch (op) {
	case LOOM_UOP_LUT8: /* its table would be in SRAM */
		info.cls = LOOM_CPU_CLASS_NONE;
		break;
	case LOOM_UOP_LOAD:
	case LOOM_UOP_IOTA:
		info.operands = 0;
		break;
	}
	return info;
}

#define CASE(num, name, operands, cls, weight, text)                                                                   \
	case num:                                                                                                      \
		return (struct loom_cpu_scalar_info){ LOOM_CPU_CLASS_##cls, operands };

struct loom_cpu_scalar_info loom_cpu_scalar_info(__u32 op)
{
	if (op < 256)
		return vpu_info(op);
	switch (op) {
		LOOM_CPU_SCALARS(CASE)
	}
	return (struct loom_cpu_scalar_info){ LOOM_CPU_CLASS_NONE, 0 };
}

#define VPU_COMBINER(name, op, form, identity)                                                                         \
	case LOOM_UOP_##name:                                                                                          \
		return (struct loom_cpu_combiner_info){ LOOM_UOP_##op, LOOM_CPU_FORM_##form, identity };
#define COMBINER(num, name, op, identity, text)                                                                        \
	case num:                                                                                                      \
		return (struct loom_cpu_combiner_info){ LOOM_CPU_##op,                                                 \
							(num) < 0x200 ? LOOM_CPU_FORM_F64 : LOOM_CPU_FORM_I64, \
							identity };

struct loom_cpu_combiner_info loom_cpu_combiner_info(__u32 combiner)
{
	switch (combiner) {
		VPU_COMBINER(RADD_F, FADD, F32, 0)
		VPU_COMBINER(RMUL_F, FMUL, F32, 0x3f800000u)
		VPU_COMBINER(RMIN_F, FMIN, F32, 0x7f800000u)
		VPU_COMBINER(RMAX_F, FMAX, F32, 0xff800000u)
		VPU_COMBINER(RADD_I, IADD, I32, 0)
		VPU_COMBINER(RMUL_I, IMUL, I32, 1)
		VPU_COMBINER(RMIN_I, IMIN, I32, 0x7fffffffu)
		VPU_COMBINER(RMAX_I, IMAX, I32, 0x80000000u)
		VPU_COMBINER(RMIN_U, UMIN, I32, 0xffffffffu)
		VPU_COMBINER(RMAX_U, UMAX, I32, 0)
		VPU_COMBINER(RAND, AND, I32, 0xffffffffu)
		VPU_COMBINER(ROR, OR, I32, 0)
		VPU_COMBINER(RXOR, XOR, I32, 0)
		LOOM_CPU_REDUCERS(COMBINER)
	}
	return (struct loom_cpu_combiner_info){ 0, LOOM_CPU_FORM_NONE, 0 };
}
