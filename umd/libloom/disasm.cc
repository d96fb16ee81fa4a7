// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records as text: one line, "MNEMONIC field=value ...", fields that are 0 left out. Tables follow loom_isa.h.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

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

// The way back. Each function takes the text of what its counterpart above wrote.

[[noreturn]] void bad(const std::string &what)
{
	throw std::runtime_error(what);
}

int64_t number_of(const std::string &text)
{
	size_t used = 0;
	int64_t value = 0;
	try {
		const bool hex = text.rfind("0x", 0) == 0;
		value = hex ? static_cast<int64_t>(std::stoull(text, &used, 16)) : std::stoll(text, &used, 10);
	} catch (const std::exception &) {
		used = 0;
	}
	if (!used || used != text.size())
		bad("'" + text + "' is not a number");
	return value;
}

template <class T> void put(std::vector<uint8_t> &record, size_t at, T value)
{
	std::memcpy(record.data() + at, &value, sizeof(value));
}

template <class T> void put_checked(std::vector<uint8_t> &record, size_t at, const std::string &text)
{
	const int64_t value = number_of(text);
	if (static_cast<int64_t>(static_cast<T>(value)) != value)
		bad("'" + text + "' does not fit its field");
	put(record, at, static_cast<T>(value));
}

void set_value(std::vector<uint8_t> &record, size_t at, as type, const std::string &text)
{
	switch (type) {
	case as::u8:
		return put_checked<uint8_t>(record, at, text);
	case as::s8:
		return put_checked<int8_t>(record, at, text);
	case as::u16:
		return put_checked<uint16_t>(record, at, text);
	case as::s16:
		return put_checked<int16_t>(record, at, text);
	case as::u32:
	case as::x32:
		return put_checked<uint32_t>(record, at, text);
	case as::s32:
		return put_checked<int32_t>(record, at, text);
	case as::s64:
		return put_checked<int64_t>(record, at, text);
	case as::addr:
		const size_t colon = text.find(':');
		if (colon == std::string::npos)
			bad("'" + text + "' is not an address SLOT:OFFSET");
		const std::string slot = text.substr(0, colon);
		const uint64_t number = slot == "sram" ? LOOM_SLOT_SRAM : static_cast<uint64_t>(number_of(slot));
		const uint64_t offset = static_cast<uint64_t>(number_of(text.substr(colon + 1)));
		if (number > LOOM_SLOT_SRAM || offset >> 48)
			bad("'" + text + "' is not an address");
		return put(record, at, number << 48 | offset);
	}
}

// A word of the text: "name=value".
struct word {
	std::string name, value;
};

word split(const std::string &text)
{
	const size_t equals = text.find('=');
	if (equals == std::string::npos)
		bad("'" + text + "' is not NAME=VALUE");
	return {text.substr(0, equals), text.substr(equals + 1)};
}

template <size_t N>
bool set_field(std::vector<uint8_t> &record, size_t base, const field (&table)[N], const std::string &name,
	       const std::string &value)
{
	for (const field &f : table) {
		if (name != f.name)
			continue;
		set_value(record, base + f.offset, f.type, value);
		return true;
	}
	return false;
}

// Fields of the header; true if the word is one.
bool set_header(std::vector<uint8_t> &record, const word &w)
{
	loom_hdr h = get<loom_hdr>(record.data());
	if (w.name == "regsel") {
		h.regsel = static_cast<uint16_t>(number_of(w.value));
	} else if (w.name == "loc") {
		h.loc = static_cast<uint32_t>(number_of(w.value));
	} else if (w.name == "wait" || w.name == "signal") {
		const size_t colon = w.value.find(':');
		if (colon == std::string::npos)
			bad("'" + w.value + "' is not SEMAPHORE:COUNT");
		loom_semref *refs = w.name == "wait" ? h.wait : h.signal;
		loom_semref *ref = refs[0].n ? &refs[1] : &refs[0];
		if (ref->n)
			bad("a record has at most two of " + w.name);
		ref->sem = static_cast<uint8_t>(number_of(w.value.substr(0, colon)));
		ref->n = static_cast<uint8_t>(number_of(w.value.substr(colon + 1)));
	} else {
		return false;
	}
	put(record, 0, h);
	return true;
}

std::vector<std::string> pieces(const std::string &text, char separator)
{
	std::vector<std::string> list;
	for (size_t at = 0; at <= text.size();) {
		const size_t end = std::min(text.find(separator, at), text.size());
		if (end > at)
			list.push_back(text.substr(at, end - at));
		at = end + 1;
	}
	return list;
}

loom_view view_from(const std::string &text)
{
	loom_view view{};
	std::string rest = text;
	if (rest.rfind("out:", 0) == 0) {
		view.flags = LOOM_VIEW_OUT;
		rest = rest.substr(4);
	}
	const size_t at = rest.find('@'), bracket = rest.find('[');
	if (at == std::string::npos || bracket == std::string::npos || rest.back() != ']')
		bad("'" + text + "' is not TYPE@ADDRESS[STRIDES]");
	const std::string type = rest.substr(0, at);
	uint32_t dtype = 0;
	while (dtype < LOOM_NUM_DTYPES && type != loom_dtype_name(dtype))
		dtype++;
	if (dtype == LOOM_NUM_DTYPES)
		bad("'" + type + "' is not a type");
	view.dtype = static_cast<uint8_t>(dtype);
	std::string base = rest.substr(at + 1, bracket - at - 1);
	const size_t flags = base.find("/flags");
	if (flags != std::string::npos) {
		view.flags |= static_cast<uint8_t>(number_of(base.substr(flags + 6)));
		base.resize(flags);
	}
	view.base = static_cast<uint32_t>(number_of(base));
	const auto strides = pieces(rest.substr(bracket + 1, rest.size() - bracket - 2), ',');
	if (strides.size() != 6)
		bad("'" + text + "' has not six strides");
	for (int d = 0; d < 6; d++)
		view.stride[d] = static_cast<int32_t>(number_of(strides[d]));
	return view;
}

uint32_t uop_from(const std::string &text)
{
	const auto words = pieces(text, ' ');
	for (const uop_name &u : uop_names) {
		if (words.size() != 2 || words[0] != u.name)
			continue;
		const auto operands = pieces(words[1], ',');
		if (operands.size() != u.operands + 1u)
			bad("'" + text + "' has not the operands of " + u.name);
		uint32_t values[3] = {};
		for (int i = 0; i < u.operands; i++) {
			const std::string &operand = operands[i + 1];
			const uint32_t n = static_cast<uint32_t>(number_of(operand.substr(1)));
			if ((operand[0] != 'v' && operand[0] != '#') || n > 15)
				bad("'" + operand + "' is not an operand");
			values[i] = operand[0] == 'v' ? n : LOOM_UOP_IMM(n);
		}
		return LOOM_UOP(u.op, static_cast<uint32_t>(number_of(operands[0])), values[0], values[1], values[2]);
	}
	bad("'" + text + "' is not a micro-operation");
}

std::vector<uint8_t> vpu_from(const std::string &text)
{
	loom_vpu vpu{};
	std::vector<uint8_t> views, imms, uops;
	const auto append = [](std::vector<uint8_t> &list, const auto &value) {
		const auto *p = reinterpret_cast<const uint8_t *>(&value);
		list.insert(list.end(), p, p + sizeof(value));
	};
	const size_t brace = text.find('{');
	if (brace == std::string::npos || text.back() != '}')
		bad("a VPU record has its micro-operations in braces");
	std::vector<uint8_t> record(sizeof(vpu));
	put(record, 0, vpu);
	for (const std::string &piece : pieces(text.substr(0, brace), ' ')) {
		const word w = split(piece);
		if (set_header(record, w))
			continue;
		if (w.name == "n") {
			const auto counts = pieces(w.value, 'x');
			if (counts.size() != 6)
				bad("'" + w.value + "' is not six counts");
			for (int d = 0; d < 6; d++)
				vpu.n[d] = static_cast<uint16_t>(number_of(counts[d]));
		} else if (w.name == "mask") {
			vpu.mask = static_cast<uint8_t>(number_of(w.value));
		} else if (w.name.rfind("view", 0) == 0) {
			append(views, view_from(w.value));
			vpu.nviews++;
		} else if (w.name[0] == '#') {
			append(imms, static_cast<uint32_t>(number_of(w.value)));
			vpu.nimms++;
		} else {
			bad("a VPU record has no field '" + w.name + "'");
		}
	}
	for (std::string piece : pieces(text.substr(brace + 1, text.size() - brace - 2), ';')) {
		append(uops, uop_from(piece));
		vpu.nops++;
	}
	vpu.h = get<loom_hdr>(record.data());
	put(record, 0, vpu);
	for (const auto *part : {&views, &imms, &uops})
		record.insert(record.end(), part->begin(), part->end());
	record.resize((record.size() + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES * LOOM_UNIT_BYTES);
	return record;
}

// Records of fixed fields.
std::vector<uint8_t> fixed_from(uint8_t op, const std::string &text)
{
	const bool seq = op < 0x20, dma = !seq && op < 0x30;
	std::vector<uint8_t> record(seq ? sizeof(loom_seq) : dma ? sizeof(loom_dma) : sizeof(loom_mxu));
	for (const std::string &piece : pieces(text, ' ')) {
		const word w = split(piece);
		bool known = set_header(record, w);
		if (!known && w.name.rfind("epi.", 0) == 0 && !seq && !dma) {
			record.resize(sizeof(loom_mxu) + sizeof(loom_epi));
			known = set_field(record, sizeof(loom_mxu), epi_fields, w.name.substr(4), w.value);
		} else if (!known) {
			known = seq   ? set_field(record, 0, seq_fields, w.name, w.value)
				: dma ? set_field(record, 0, dma_fields, w.name, w.value)
				      : set_field(record, 0, mxu_fields, w.name, w.value);
		}
		if (!known)
			bad("the record has no field '" + w.name + "'");
	}
	// An epilogue whose fields are all 0 leaves no word.
	if (!seq && !dma && get<loom_mxu>(record.data()).flags & LOOM_MXU_EPI)
		record.resize(sizeof(loom_mxu) + sizeof(loom_epi));
	return record;
}

} // namespace

extern "C" int loom_assemble(const char *text, void *record, unsigned size_units, char *why, size_t why_size)
{
	try {
		const std::string line = text;
		const size_t end = std::min(line.find(' '), line.size());
		const std::string name = line.substr(0, end);
		for (const op_name &o : op_names) {
			if (name != o.name)
				continue;
			auto bytes =
				o.op == LOOM_OP_VPU ? vpu_from(line.substr(end)) : fixed_from(o.op, line.substr(end));
			const size_t units = bytes.size() / LOOM_UNIT_BYTES;
			if (units > LOOM_MAX_UNITS || units > size_units)
				bad("the record takes " + std::to_string(units) + " units");
			bytes[0] = o.op;
			bytes[1] = static_cast<uint8_t>(units);
			std::memcpy(record, bytes.data(), bytes.size());
			return static_cast<int>(units);
		}
		bad("'" + name + "' is not an instruction");
	} catch (const std::exception &e) {
		std::snprintf(why, why_size, "%s", e.what());
		return -EINVAL;
	}
}

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
