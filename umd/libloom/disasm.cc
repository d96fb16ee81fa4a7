// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records as text: one line, "MNEMONIC field=value ...", fields that are 0 left out. Tables follow loom_isa.h.
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "loom/loom.h"

namespace {

struct op_name {
	uint8_t op;
	const char *name;
};

constexpr op_name op_names[] = {
	{LOOM_OP_HALT, "HALT"},
	{LOOM_OP_LDI, "LDI"},
	{LOOM_OP_ADD, "ADD"},
	{LOOM_OP_SUB, "SUB"},
	{LOOM_OP_MUL, "MUL"},
	{LOOM_OP_SHL, "SHL"},
	{LOOM_OP_SHR, "SHR"},
	{LOOM_OP_AND, "AND"},
	{LOOM_OP_OR, "OR"},
	{LOOM_OP_MIN, "MIN"},
	{LOOM_OP_MAX, "MAX"},
	{LOOM_OP_CLAMP, "CLAMP"},
	{LOOM_OP_CMP, "CMP"},
	{LOOM_OP_LD, "LD"},
	{LOOM_OP_ST, "ST"},
	{LOOM_OP_LOOP, "LOOP"},
	{LOOM_OP_BR, "BR"},
	{LOOM_OP_FENCE, "FENCE"},
	{LOOM_OP_TRAP, "TRAP"},
	{LOOM_OP_MARK, "MARK"},
	{LOOM_OP_LD_COPY, "LD_COPY"},
	{LOOM_OP_LD_FILL, "LD_FILL"},
	{LOOM_OP_LD_GATHER, "LD_GATHER"},
	{LOOM_OP_LD_SCATTER, "LD_SCATTER"},
	{LOOM_OP_ST_COPY, "ST_COPY"},
	{LOOM_OP_ST_FILL, "ST_FILL"},
	{LOOM_OP_ST_GATHER, "ST_GATHER"},
	{LOOM_OP_ST_SCATTER, "ST_SCATTER"},
	{LOOM_OP_MXU, "MXU"},
	{LOOM_OP_VPU, "VPU"},
};

enum class as { u8, s8, u16, s16, u32, s32, s64, x32, addr };

struct field {
	const char *name;
	uint16_t offset;
	as type;
};

#define F(record, member, type)                                                                                        \
	{                                                                                                              \
#member, offsetof(record, member), as::type                                                            \
	}
#define F4(record, member, type)                                                                                       \
	{#member "0", offsetof(record, member[0]), as::type}, {#member "1", offsetof(record, member[1]), as::type},    \
		{#member "2", offsetof(record, member[2]), as::type},                                                  \
	{                                                                                                              \
#member "3", offsetof(record, member[3]), as::type                                                     \
	}
#define F2(record, member, type)                                                                                       \
	{#member "0", offsetof(record, member[0]), as::type},                                                          \
	{                                                                                                              \
#member "1", offsetof(record, member[1]), as::type                                                     \
	}

constexpr field seq_fields[] = {
	F(loom_seq, rd, u8),   F(loom_seq, ra, u8),	 F(loom_seq, rb, u8),
	F(loom_seq, cond, u8), F(loom_seq, target, u32), F(loom_seq, imm, s64),
};

constexpr field dma_fields[] = {
	F(loom_dma, src, addr),	    F(loom_dma, dst, addr),	F(loom_dma, elem, u8),	       F(loom_dma, codec, u8),
	F(loom_dma, oob, u8),	    F(loom_dma, idx_type, u8),	F(loom_dma, inner_bytes, u32), F4(loom_dma, n, u32),
	F4(loom_dma, sstride, s32), F4(loom_dma, dstride, s32), F(loom_dma, idx_or_fill, x32), F(loom_dma, limit, u32),
};

constexpr field mxu_fields[] = {
	F(loom_mxu, mode, u8),	     F(loom_mxu, type, u8),    F(loom_mxu, acc, u8),	   F(loom_mxu, flags, u8),
	F(loom_mxu, pad_value, x32), F(loom_mxu, a_base, x32), F(loom_mxu, ih, u16),	   F(loom_mxu, iw, u16),
	F(loom_mxu, a_sh, s32),	     F(loom_mxu, a_sw, s32),   F(loom_mxu, a_sc, s32),	   F(loom_mxu, kh, u16),
	F(loom_mxu, kw, u16),	     F(loom_mxu, kc, u16),     F(loom_mxu, oh, u16),	   F(loom_mxu, ow, u16),
	F(loom_mxu, n, u16),	     F(loom_mxu, sy, u8),      F(loom_mxu, sx, u8),	   F(loom_mxu, dy, u8),
	F(loom_mxu, dx, u8),	     F(loom_mxu, py, s16),     F(loom_mxu, px, s16),	   F(loom_mxu, b_base, x32),
	F(loom_mxu, b_sk, s32),	     F(loom_mxu, b_sn, s32),   F2(loom_mxu, outer, u16),   F2(loom_mxu, a_so, s32),
	F2(loom_mxu, b_so, s32),     F2(loom_mxu, o_so, s32),  F(loom_mxu, acc_base, u16), F(loom_mxu, acc_pitch, u16),
	F(loom_mxu, out_base, x32),  F(loom_mxu, o_sy, s32),   F(loom_mxu, o_sx, s32),	   F(loom_mxu, o_sn, s32),
	F(loom_mxu, out_type, u8),
};

constexpr field epi_fields[] = {
	F(loom_epi, bias, x32), F(loom_epi, scale, x32), F(loom_epi, scale_imm, x32), F(loom_epi, shift_imm, s8),
	F(loom_epi, rq, u8),	F(loom_epi, act, u8),	 F(loom_epi, res_type, u8),   F(loom_epi, lo, x32),
	F(loom_epi, hi, x32),	F(loom_epi, zp, s16),	 F(loom_epi, res_zp, s16),    F(loom_epi, residual, x32),
	F(loom_epi, r_sy, s32), F(loom_epi, r_sx, s32),	 F(loom_epi, r_sn, s32),      F(loom_epi, m1, s32),
	F(loom_epi, m2, s32),	F(loom_epi, mo, s32),	 F(loom_epi, s1, s8),	      F(loom_epi, s2, s8),
	F(loom_epi, so, s8),	F(loom_epi, left, u8),	 F(loom_epi, lut, x32),
};

template <class T> T get(const uint8_t *p)
{
	T value;
	std::memcpy(&value, p, sizeof(value));
	return value;
}

std::string value_of(const uint8_t *p, as type)
{
	switch (type) {
	case as::u8:
		return fmt::format("{}", get<uint8_t>(p));
	case as::s8:
		return fmt::format("{}", get<int8_t>(p));
	case as::u16:
		return fmt::format("{}", get<uint16_t>(p));
	case as::s16:
		return fmt::format("{}", get<int16_t>(p));
	case as::u32:
		return fmt::format("{}", get<uint32_t>(p));
	case as::s32:
		return fmt::format("{}", get<int32_t>(p));
	case as::s64:
		return fmt::format("{}", get<int64_t>(p));
	case as::x32:
		return fmt::format("{:#x}", get<uint32_t>(p));
	case as::addr: {
		const auto address = get<uint64_t>(p);
		if (LOOM_ADDR_SLOT(address) == LOOM_SLOT_SRAM)
			return fmt::format("sram:{:#x}", LOOM_ADDR_OFFSET(address));
		return fmt::format("{}:{:#x}", LOOM_ADDR_SLOT(address), LOOM_ADDR_OFFSET(address));
	}
	}
	return {};
}

template <size_t N> std::string fields_of(const uint8_t *record, const field (&table)[N], const char *prefix = "")
{
	std::string text;
	for (const field &f : table) {
		const std::string value = value_of(record + f.offset, f.type);
		if (value != "0" && value != "0x0" && value != "0:0x0")
			text += fmt::format(" {}{}={}", prefix, f.name, value);
	}
	return text;
}

std::string header_of(const loom_hdr &h)
{
	std::string text;
	if (h.regsel)
		text += fmt::format(" regsel={:#06x}", h.regsel);
	for (const loom_semref &w : h.wait)
		if (w.n)
			text += fmt::format(" wait={}:{}", w.sem, w.n);
	for (const loom_semref &s : h.signal)
		if (s.n)
			text += fmt::format(" signal={}:{}", s.sem, s.n);
	if (h.loc)
		text += fmt::format(" loc={}", h.loc);
	return text;
}

struct uop_name {
	uint8_t op;
	const char *name;
	uint8_t operands;
};

constexpr uop_name uop_names[] = {
#define NAME(num, name, operands, cls, text) {num, #name, operands},
	LOOM_UOPS(NAME)
#undef NAME
};

std::string operand_of(uint32_t o)
{
	return o < 16 ? fmt::format("v{}", o) : fmt::format("#{}", o - 16);
}

std::string uop_of(uint32_t word)
{
	for (const uop_name &u : uop_names) {
		if (u.op != LOOM_UOP_OP(word))
			continue;
		std::string text = fmt::format("{} {}", u.name, LOOM_UOP_DST(word));
		const uint32_t operands[] = {LOOM_UOP_A(word), LOOM_UOP_B(word), LOOM_UOP_C(word)};
		for (int i = 0; i < u.operands; i++)
			text += "," + operand_of(operands[i]);
		return text;
	}
	return fmt::format("uop {:#010x}", word);
}

std::string vpu_of(const uint8_t *record, unsigned bytes)
{
	const auto v = get<loom_vpu>(record);
	std::string text = fmt::format(" n={}x{}x{}x{}x{}x{}", v.n[0], v.n[1], v.n[2], v.n[3], v.n[4], v.n[5]);
	unsigned at = sizeof(v);

	if (v.mask)
		text += fmt::format(" mask={:#x}", v.mask);
	if (sizeof(v) + v.nviews * sizeof(loom_view) + 4u * v.nimms + 4u * v.nops > bytes)
		return text + " (its views and micro-operations do not fit its units)";
	for (unsigned i = 0; i < v.nviews; i++, at += sizeof(loom_view)) {
		const auto w = get<loom_view>(record + at);
		text += fmt::format(" view{}={}{}@{:#x}", i, w.flags & LOOM_VIEW_OUT ? "out:" : "",
				    loom_dtype_name(w.dtype), w.base);
		if (w.flags & ~LOOM_VIEW_OUT)
			text += fmt::format("/flags{:#x}", w.flags);
		for (int d = 0; d < 6; d++)
			text += fmt::format("{}{}", d ? "," : "[", w.stride[d]);
		text += "]";
	}
	for (unsigned i = 0; i < v.nimms; i++, at += 4)
		text += fmt::format(" #{}={:#x}", i, get<uint32_t>(record + at));
	text += " {";
	for (unsigned i = 0; i < v.nops; i++, at += 4)
		text += (i ? "; " : "") + uop_of(get<uint32_t>(record + at));
	return text + "}";
}

std::string record_of(const uint8_t *record, const loom_hdr &h, const char *name)
{
	const unsigned bytes = h.units * LOOM_UNIT_BYTES;
	std::string text = name + header_of(h);

	if (h.op < 0x20)
		return text + fields_of(record, seq_fields);
	if (h.op < 0x30)
		return text + (bytes == sizeof(loom_dma) ? fields_of(record, dma_fields) : " (wrong length)");
	if (h.op == LOOM_OP_VPU)
		return text + vpu_of(record, bytes);
	if (bytes != sizeof(loom_mxu) && bytes != sizeof(loom_mxu) + sizeof(loom_epi))
		return text + " (wrong length)";
	text += fields_of(record, mxu_fields);
	return bytes == sizeof(loom_mxu) ? text : text + fields_of(record + sizeof(loom_mxu), epi_fields, "epi.");
}

} // namespace

extern "C" unsigned loom_disassemble(const void *record, unsigned size_units, char *text, size_t size)
{
	const auto *bytes = static_cast<const uint8_t *>(record);
	loom_hdr h{};

	if (size)
		text[0] = 0;
	if (!size_units)
		return 0;
	std::memcpy(&h, bytes, sizeof(h));
	for (const op_name &o : op_names) {
		if (o.op != h.op)
			continue;
		if (!h.units || h.units > LOOM_MAX_UNITS || h.units > size_units) {
			fmt::format_to_n(text, size - 1, "{} of {} units: past the end of the code", o.name, h.units)
				.out[0] = 0;
			return 0;
		}
		const std::string line = record_of(bytes, h, o.name);
		std::snprintf(text, size, "%s", line.c_str());
		return h.units;
	}
	std::snprintf(text, size, "unknown opcode %#x", h.op);
	return 0;
}
