/* SPDX-License-Identifier: MIT */
/*
 * What each micro-operation of the vector unit computes, by its class in LOOM_UOPS: X(name, result). A, B and C are the
 * includer's: the operands of one lane, of type __u32, without side effects. The model of the NPU and the CPU engine make
 * their loops of these.
 *
 * Three are left to the includer. FFMA is loom_num_fma(A, B, C), for which processors have an instruction; SIN and COS are
 * loom_num_sin(A) and loom_num_cos(A), whose arguments far from 0 do not vectorise.
 */
#ifndef LOOM_NUM_UOPS_H
#define LOOM_NUM_UOPS_H

#include "loom_num.h"

#define LOOM_NUM_FLOAT_UOPS(X)                                                                                         \
	X(FADD, loom_num_add(A, B))                                                                                    \
	X(FSUB, loom_num_sub(A, B))                                                                                    \
	X(FMUL, loom_num_mul(A, B))                                                                                    \
	X(FNEG, loom_num_neg(A))                                                                                       \
	X(FABS, loom_num_abs(A))                                                                                       \
	X(FSIGN, loom_num_sign(A))                                                                                     \
	X(FMIN, loom_num_min(A, B))                                                                                    \
	X(FMAX, loom_num_max(A, B))                                                                                    \
	X(FDIV, loom_num_div(A, B))                                                                                    \
	X(FREM, loom_num_rem(A, B))                                                                                    \
	X(FSQRT, loom_num_sqrt(A))                                                                                     \
	X(FRSQRT, loom_num_rsqrt(A))                                                                                   \
	X(FFLOOR, loom_num_round(A, LOOM_NUM_FLOOR))                                                                   \
	X(FCEIL, loom_num_round(A, LOOM_NUM_CEIL))                                                                     \
	X(FRNE, loom_num_round(A, LOOM_NUM_RNE))                                                                       \
	X(FRAZ, loom_num_round(A, LOOM_NUM_RAZ))                                                                       \
	X(FTRUNC, loom_num_round(A, LOOM_NUM_TRUNC))                                                                   \
	X(FREDP, loom_num_reduce_precision(A, B & 0xff, B >> 8))                                                       \
	X(FBF16, loom_num_from_bf16(loom_num_to_bf16(A)))                                                              \
	X(FF16, loom_num_from_f16(loom_num_to_f16(A)))                                                                 \
	X(I2F, loom_num_from_i32((__s32)(A)))                                                                          \
	X(U2F, loom_num_from_u32(A))

#define LOOM_NUM_COMPARE_UOPS(X)                                                                                       \
	X(FFINITE, loom_num_isfinite(A))                                                                               \
	X(FEQ, loom_num_eq(A, B))                                                                                      \
	X(FNE, loom_num_ne(A, B))                                                                                      \
	X(FLT, loom_num_lt(A, B))                                                                                      \
	X(FLE, loom_num_le(A, B))                                                                                      \
	X(FGT, loom_num_lt(B, A))                                                                                      \
	X(FGE, loom_num_le(B, A))                                                                                      \
	X(IEQ, A == B)                                                                                                 \
	X(INE, A != B)                                                                                                 \
	X(ILT, (__s32)(A) < (__s32)(B))                                                                                \
	X(ILE, (__s32)(A) <= (__s32)(B))                                                                               \
	X(ULT, A < B)                                                                                                  \
	X(ULE, A <= B)

#define LOOM_NUM_INTEGER_UOPS(X)                                                                                       \
	X(F2I, (__u32)loom_num_to_i32(A))                                                                              \
	X(F2U, loom_num_to_u32(A))                                                                                     \
	X(IADD, A + B)                                                                                                 \
	X(ISUB, A - B)                                                                                                 \
	X(IMUL, A * B)                                                                                                 \
	X(IMULH, loom_num_imulh(A, B))                                                                                 \
	X(UMULH, loom_num_umulh(A, B))                                                                                 \
	X(IDIV, loom_num_idiv(A, B))                                                                                   \
	X(UDIV, loom_num_udiv(A, B))                                                                                   \
	X(IREM, loom_num_irem(A, B))                                                                                   \
	X(UREM, loom_num_urem(A, B))                                                                                   \
	X(IMIN, (__s32)(A) < (__s32)(B) ? A : B)                                                                       \
	X(IMAX, (__s32)(A) > (__s32)(B) ? A : B)                                                                       \
	X(UMIN, A < B ? A : B)                                                                                         \
	X(UMAX, A > B ? A : B)                                                                                         \
	X(INEG, 0u - A)                                                                                                \
	X(IABS, loom_num_iabs(A))                                                                                      \
	X(ISIGN, loom_num_isign(A))                                                                                    \
	X(REQUANT, (__u32)loom_num_requant_single((__s32)(A), (__s32)(B), (__s32)(C)))                                 \
	X(SATI8, (__u32)loom_num_sat8((__s32)(A)))

#define LOOM_NUM_BIT_UOPS(X)                                                                                           \
	X(AND, A & B)                                                                                                  \
	X(OR, A | B)                                                                                                   \
	X(XOR, A ^ B)                                                                                                  \
	X(NOT, ~A)                                                                                                     \
	X(SHL, loom_num_shl(A, B))                                                                                     \
	X(SHR, loom_num_shr(A, B))                                                                                     \
	X(SAR, loom_num_sar(A, B))                                                                                     \
	X(ROTL, loom_num_rotl(A, B))                                                                                   \
	X(CLZ, loom_num_clz(A))                                                                                        \
	X(POPC, loom_num_popc(A))

#define LOOM_NUM_MOVE_UOPS(X)                                                                                          \
	X(MOV, A)                                                                                                      \
	X(SELECT, loom_num_pick(A != 0, B, C))

#define LOOM_NUM_ELEMENTARY_UOPS(X)                                                                                    \
	X(EXP, loom_num_exp(A))                                                                                        \
	X(EXPM1, loom_num_expm1(A))                                                                                    \
	X(LOG, loom_num_log(A))                                                                                        \
	X(LOG1P, loom_num_log1p(A))                                                                                    \
	X(TANH, loom_num_tanh(A))                                                                                      \
	X(LOGISTIC, loom_num_logistic(A))                                                                              \
	X(ERF, loom_num_erf(A))                                                                                        \
	X(CBRT, loom_num_cbrt(A))                                                                                      \
	X(ATAN2, loom_num_atan2(A, B))                                                                                 \
	X(POW, loom_num_pow(A, B))

#endif
