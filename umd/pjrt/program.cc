// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "program.h"

#include <cstring>

#include "loom_program.h"

namespace loom::pjrt {
namespace {

constexpr char magic[8] = {'L', 'O', 'O', 'M', 'E', 'X', 'E', '1'};

value_info info_of(const loom_value &v)
{
	return {shape(v.dtype, v.dims, v.rank), v.name ? v.name : "", v.slot, v.flags, v.same_as};
}

// Numbers and texts one after the other, little-endian as this machine is; a hash at the end.
class writer {
public:
	void number(uint64_t n) { out.append(reinterpret_cast<const char *>(&n), sizeof(n)); }
	void text(std::string_view s)
	{
		number(s.size());
		out.append(s);
	}
	void value(const value_info &v)
	{
		text(v.name);
		number(v.of.dtype);
		number(v.of.dims.size());
		for (const int64_t d : v.of.dims)
			number(static_cast<uint64_t>(d));
		number(v.slot);
		number(v.flags);
		number(v.same_as);
	}
	std::string out{magic, sizeof(magic)};
};

class reader {
public:
	explicit reader(std::string_view bytes) : rest(bytes) {}
	uint64_t number()
	{
		uint64_t n;
		std::memcpy(&n, take(sizeof(n)).data(), sizeof(n));
		return n;
	}
	std::string_view text() { return take(number()); }
	uint32_t below(uint64_t limit)
	{
		const uint64_t n = number();
		if (n >= limit)
			damaged();
		return static_cast<uint32_t>(n);
	}
	value_info value()
	{
		std::string name(text());
		const uint32_t dtype = below(LOOM_NUM_DTYPES), rank = below(9);
		int64_t dims[8];
		for (uint32_t d = 0; d < rank; d++)
			dims[d] = static_cast<int64_t>(number());
		value_info v{shape(dtype, dims, rank), std::move(name), 0, 0, 0};
		v.slot = below(uint64_t{1} << 32);
		v.flags = below(16);
		v.same_as = below(uint64_t{1} << 32);
		return v;
	}
	std::string_view take(uint64_t n)
	{
		if (n > rest.size())
			damaged();
		const std::string_view taken = rest.substr(0, n);
		rest.remove_prefix(n);
		return taken;
	}
	bool done() const { return rest.empty(); }
	[[noreturn]] static void damaged()
	{
		throw invalid("these bytes are no executable of Loom, or damaged; compile the function again");
	}

private:
	std::string_view rest;
};

// What a result refers to must be there.
void check_references(const compiled_program &p)
{
	for (size_t i = 0; i < p.results.size(); i++) {
		const value_info &r = p.results[i];
		const bool argument = r.flags & (LOOM_VALUE_ARGUMENT | LOOM_VALUE_IN_PLACE);
		if (argument && (r.same_as >= p.arguments.size() || !(p.arguments[r.same_as].of == r.of)))
			reader::damaged();
		if ((r.flags & LOOM_VALUE_RESULT) && (r.same_as >= i || !(p.results[r.same_as].of == r.of)))
			reader::damaged();
	}
}

} // namespace

compiled_program::compiled_program(const loom_compiled &from)
	: name(loom_compiled_name(&from)), fingerprint(loom_compiled_fingerprint(&from)),
	  report(loom_compiled_report(&from)), placement(loom_compiled_placement(&from))
{
	for (uint32_t i = 0; const loom_value *v = loom_compiled_argument(&from, i); i++)
		arguments.push_back(info_of(*v));
	for (uint32_t i = 0; const loom_value *v = loom_compiled_result(&from, i); i++)
		results.push_back(info_of(*v));
	size_t bytes = 0;
	if (const void *program = loom_compiled_program(&from, &bytes))
		code.assign(static_cast<const uint8_t *>(program), static_cast<const uint8_t *>(program) + bytes);
	read_tables();
}

// Costs, for reports and for where to run it. The loader checks the program whole; here, that tables are within.
void compiled_program::read_tables()
{
	loom_prog_header h;
	if (code.empty())
		return;
	if (code.size() < sizeof(h))
		reader::damaged();
	std::memcpy(&h, code.data(), sizeof(h));
	const std::string_view bytes(reinterpret_cast<const char *>(code.data()), code.size());
	auto rows = [&]<class T>(uint32_t section, T row, auto &&each) {
		const loom_prog_section &s = h.sections[section];
		for (uint32_t i = 0; i < s.count; i++) {
			const uint64_t at = s.offset + uint64_t{i} * s.stride;
			if (s.stride < sizeof(row) || at > bytes.size() || sizeof(row) > bytes.size() - at)
				reader::damaged();
			std::memcpy(&row, bytes.data() + at, sizeof(row));
			each(row);
		}
	};
	rows(LOOM_SEC_ENTRIES, loom_prog_entry{}, [&](const loom_prog_entry &e) {
		cycles += e.cycles;
		macs += e.macs;
	});
	rows(LOOM_SEC_SEGMENTS, loom_prog_segment{},
	     [&](const loom_prog_segment &s) { cpu_cost += s.engine == LOOM_ENGINE_CPU ? s.insn_budget : 0; });
	rows(LOOM_SEC_SLOTS, loom_prog_slot{},
	     [&](const loom_prog_slot &s) { scratch_bytes += s.kind == LOOM_SLOT_SCRATCH ? s.bytes : 0; });
	code_bytes = h.meta_bytes;
	const_bytes = h.const_bytes;
}

std::string compiled_program::serialise() const
{
	writer w;
	w.text(name);
	w.text(fingerprint);
	w.text(report);
	w.text(placement);
	w.number(arguments.size());
	for (const value_info &v : arguments)
		w.value(v);
	w.number(results.size());
	for (const value_info &v : results)
		w.value(v);
	w.text({reinterpret_cast<const char *>(code.data()), code.size()});
	w.number(loom_prog_hash(w.out.data(), w.out.size()));
	return std::move(w.out);
}

std::shared_ptr<const compiled_program> compiled_program::parse(std::string_view bytes)
{
	if (bytes.size() < sizeof(magic) + 8 || bytes.substr(0, sizeof(magic)) != std::string_view(magic, 8))
		reader::damaged();
	const std::string_view body = bytes.substr(0, bytes.size() - 8);
	if (reader(bytes.substr(body.size())).number() != loom_prog_hash(body.data(), body.size()))
		reader::damaged();
	reader r(body.substr(sizeof(magic)));
	std::shared_ptr<compiled_program> p(new compiled_program);
	p->name = r.text();
	p->fingerprint = r.text();
	p->report = r.text();
	p->placement = r.text();
	for (uint64_t n = r.number(); n > 0; n--)
		p->arguments.push_back(r.value());
	for (uint64_t n = r.number(); n > 0; n--)
		p->results.push_back(r.value());
	const std::string_view code = r.text();
	p->code.assign(code.begin(), code.end());
	if (!r.done())
		reader::damaged();
	check_references(*p);
	p->read_tables();
	return p;
}

} // namespace loom::pjrt
