// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types on both sides of the boundary.
#pragma once

#include "abi.h"
#include "error.h"
#include "loom/loom.h"

namespace loom::pjrt {

inline uint32_t dtype_of(abi::element type)
{
	switch (type) {
	case abi::element::pred:
		return LOOM_I1;
	case abi::element::s8:
		return LOOM_I8;
	case abi::element::s16:
		return LOOM_I16;
	case abi::element::s32:
		return LOOM_I32;
	case abi::element::s64:
		return LOOM_I64;
	case abi::element::u8:
		return LOOM_U8;
	case abi::element::u16:
		return LOOM_U16;
	case abi::element::u32:
		return LOOM_U32;
	case abi::element::u64:
		return LOOM_U64;
	case abi::element::f16:
		return LOOM_F16;
	case abi::element::f32:
		return LOOM_F32;
	case abi::element::f64:
		return LOOM_F64;
	case abi::element::bf16:
		return LOOM_BF16;
	case abi::element::c64:
		return LOOM_C64;
	default:
		throw failure(abi::code::unimplemented,
			      fmt::format("arrays of PJRT element type {}: Loom has f32, bf16, f16, f64, complex64, "
					  "bool and integers of 8 to 64 bits; convert it, or keep it on the CPU",
					  static_cast<int>(type)));
	}
}

inline abi::element element_of(uint32_t dtype)
{
	for (int i = 1; i < static_cast<int>(abi::element::c128); i++)
		if (dtype_of(static_cast<abi::element>(i)) == dtype)
			return static_cast<abi::element>(i);
	throw failure(abi::code::internal, fmt::format("element type {} has no name in PJRT", dtype));
}

} // namespace loom::pjrt
