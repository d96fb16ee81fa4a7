// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom compare: two programs of one model side by side. Cycles need no run; with inputs both are run, and where their
// outputs differ, layer by layer up to the first that stores something else.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "inputs.h"
#include "prefix.h"

namespace loom_tool {
namespace {

using nlohmann::json;

constexpr int status_differs = 2;

struct options : input_options {
	std::string a, b;
	bool all = false, as_json = false;
};

// Layers of both programs that are the same piece of the model; null where one has no such layer.
struct pair_of_layers {
	const planned_layer *a = nullptr, *b = nullptr;
	const planned_layer &any() const { return a ? *a : *b; }
	std::string compared = "not run"; // or equal, differs, or why not compared
};

bool same_layer(const planned_layer &a, const planned_layer &b)
{
	return a.path == b.path && a.op == b.op && a.shape == b.shape;
}

// In order: what one program has between two common layers is its own.
std::vector<pair_of_layers> match(const std::vector<planned_layer> &a, const std::vector<planned_layer> &b)
{
	std::vector<pair_of_layers> pairs;
	size_t next = 0;
	for (const planned_layer &l : a) {
		const auto from = b.begin() + static_cast<long>(next);
		const auto found = std::find_if(from, b.end(), [&](const auto &m) { return same_layer(l, m); });
		if (found == b.end()) {
			pairs.push_back({&l, nullptr});
			continue;
		}
		for (auto own = from; own != found; ++own)
			pairs.push_back({nullptr, &*own});
		pairs.push_back({&l, &*found});
		next = static_cast<size_t>(found - b.begin()) + 1;
	}
	for (; next < b.size(); next++)
		pairs.push_back({nullptr, &b[next]});
	return pairs;
}

double value_of(const uint8_t *at, int dtype)
{
	uint32_t bits = 0;
	std::memcpy(&bits, at, dtype == LOOM_F32 || dtype == LOOM_I32 || dtype == LOOM_U32 ? 4 : 2);
	if (dtype == LOOM_BF16)
		bits <<= 16;
	float f;
	std::memcpy(&f, &bits, sizeof(f));
	switch (dtype) {
	case LOOM_F32:
	case LOOM_BF16:
		return f;
	case LOOM_I32:
		return static_cast<int32_t>(bits);
	default:
		return bits;
	}
}

struct difference {
	uint64_t elements = 0, differing = 0, first = 0;
	double largest = 0; // NaN where one of both is none, -1 where the type is not one whose values are known
	bool known = false;
};

uint32_t element_bytes(int dtype)
{
	return dtype < 0 ? 1 : std::max(1u, loom_dtype_bytes(static_cast<uint32_t>(dtype)));
}

difference differences(const std::vector<uint8_t> &a, const std::vector<uint8_t> &b, int dtype)
{
	difference d;
	const uint32_t size = element_bytes(dtype);
	d.known = dtype == LOOM_F32 || dtype == LOOM_BF16 || dtype == LOOM_I32;
	d.elements = a.size() / size;
	for (uint64_t i = 0; i < d.elements; i++) {
		const uint8_t *x = a.data() + i * size, *y = b.data() + i * size;
		if (!std::memcmp(x, y, size))
			continue;
		if (!d.differing++)
			d.first = i;
		if (!d.known)
			continue;
		const double by = std::fabs(value_of(x, dtype) - value_of(y, dtype));
		d.largest = by > d.largest || std::isnan(by) ? by : d.largest;
	}
	return d;
}

std::string text_of(const difference &d, int dtype)
{
	std::string text = fmt::format("{} of {} {} differ, the first is number {}", d.differing, d.elements,
				       dtype < 0 ? "bytes" : "elements", d.first);
	if (d.known)
		text += fmt::format("; by at most {:g}", d.largest);
	return text;
}

json json_of(const difference &d)
{
	json j = {{"elements", d.elements}, {"differing", d.differing}, {"first", d.first}};
	if (d.known && std::isfinite(d.largest))
		j["largest"] = d.largest;
	return j;
}

class comparison {
public:
	explicit comparison(const options &o)
		: a(o.a), b(o.b), layers_a(planned_layers(a.view())), layers_b(planned_layers(b.view())),
		  pairs(match(layers_a, layers_b)), all(o.all)
	{
		if (std::none_of(pairs.begin(), pairs.end(), [](const auto &p) { return p.a && p.b; }))
			refuse(fmt::format("{} and {} have no layer in common (of one module, operation and shape): "
					   "they are of different models, or of one for different inputs; compile the "
					   "same bundle twice",
					   o.a, o.b));
		if (o.inputs.empty() && o.inputs_npz.empty())
			return;
		one_segment(a.view(), o.a);
		one_segment(b.view(), o.b);
		ran = true;
		const entry_point ea(a.program(), ""), eb(b.program(), "");
		const auto inputs_a = read_inputs(ea, o), inputs_b = read_inputs(eb, o);
		outputs(ea, eb, inputs_a, inputs_b);
		if (differs || all)
			look_inside(inputs_a, inputs_b);
	}

	open_program a, b;
	std::vector<planned_layer> layers_a, layers_b;
	std::vector<pair_of_layers> pairs;
	bool ran = false, differs = false;
	json output_rows = json::array();
	std::vector<std::string> output_lines;
	const pair_of_layers *first = nullptr;
	difference first_by;
	int first_dtype = -1;
	std::vector<const pair_of_layers *> unseen; // before the first that differs

private:
	static void one_segment(const loom_prog_view &v, const std::string &path)
	{
		if (v.n_entries != 1 || v.entries[0].n_segments != 1 || v.entries[0].n_steps)
			refuse(fmt::format("{}: has {} entry points and {} segments; only a program of one of each can "
					   "be compared by running it, leave the inputs out",
					   path, v.n_entries, v.n_segments));
	}

	void outputs(const entry_point &ea, const entry_point &eb, const std::vector<input> &inputs_a,
		     const std::vector<input> &inputs_b)
	{
		for (const loom_prog_tensor *t : ea.outputs) {
			const loom_prog_tensor &u = eb.find(eb.outputs, ea.name_of(*t), "output");
			if (t->dtype != u.dtype || shape_of(*t) != shape_of(u))
				refuse(fmt::format("output {} is of another type or shape in both programs; compile "
						   "the same model twice",
						   ea.name_of(*t)));
			const auto x = a.run(a.view().n_units, inputs_a, place_of(*t));
			const auto y = b.run(b.view().n_units, inputs_b, place_of(u));
			const difference d = differences(x, y, t->dtype);
			differs |= d.differing > 0;
			json row = json_of(d);
			row["name"] = ea.name_of(*t);
			output_rows.push_back(row);
			output_lines.push_back(fmt::format("output {}: {}", ea.name_of(*t),
							   d.differing ? text_of(d, t->dtype) : "equal"));
		}
	}

	static std::map<uint32_t, ranges> place_of(const loom_prog_tensor &t)
	{
		return {{t.slot, {{t.offset, t.offset + t.bytes}}}};
	}

	// Up to the end of each layer in turn, until one has stored other values than its counterpart.
	void look_inside(const std::vector<input> &inputs_a, const std::vector<input> &inputs_b)
	{
		for (pair_of_layers &p : pairs) {
			if (!p.a || !p.b) {
				p.compared = p.a ? "only in the first program" : "only in the second program";
				unseen.push_back(&p);
				continue;
			}
			const stored x = a.stores(p.a->first_unit, p.a->n_units);
			const stored y = b.stores(p.b->first_unit, p.b->n_units);
			p.compared = !x.hidden.empty() ? x.hidden : y.hidden;
			std::vector<uint8_t> of_a, of_b;
			if (p.compared.empty()) {
				of_a = a.run(p.a->first_unit + p.a->n_units, inputs_a, x.places);
				of_b = b.run(p.b->first_unit + p.b->n_units, inputs_b, y.places);
				if (of_a.size() != of_b.size() || x.dtype != y.dtype)
					p.compared = fmt::format("stored as {} and {} bytes", of_a.size(), of_b.size());
			}
			if (!p.compared.empty()) {
				unseen.push_back(&p);
				continue;
			}
			const difference d = differences(of_a, of_b, x.dtype);
			p.compared = d.differing ? "differs" : "equal";
			if (!d.differing)
				continue;
			first = &p;
			first_by = d;
			first_dtype = x.dtype;
			return;
		}
	}

	bool all;
};

std::string row_of(const planned_layer *l)
{
	if (!l)
		return fmt::format("{:>11}  {:>11}  {:>6}  {:<6}", "-", "-", "-", "-");
	return fmt::format("{:>11}  {:>11}  {:>6.1f}  {:<6}", l->cycles, l->ideal,
			   l->cycles ? 100.0 * double(l->ideal) / double(l->cycles) : 0.0, l->bound);
}

uint64_t cycles_of(const std::vector<planned_layer> &layers)
{
	uint64_t sum = 0;
	for (const auto &l : layers)
		sum += l.cycles;
	return sum;
}

void print(const options &o, const comparison &c)
{
	size_t path = 6, shape = 5;
	for (const auto &p : c.pairs) {
		path = std::max(path, p.any().path.size());
		shape = std::max(shape, p.any().shape.size());
	}
	const std::string head = fmt::format("{:>11}  {:>11}  {:>6}  {:<6}", "cycles", "ideal", "%", "bound");
	fmt::print("A: {}\nB: {}\n{:>5}  {:<6}  {:<{}}  {:<{}}  {} | {}\n", o.a, o.b, "layer", "op", "shape", shape,
		   "module", path, head, head);
	for (size_t i = 0; i < c.pairs.size(); i++) {
		const auto &p = c.pairs[i];
		fmt::print("{:>5}  {:<6}  {:<{}}  {:<{}}  {} | {}  {}\n", i, p.any().op, p.any().shape, shape,
			   p.any().path, path, row_of(p.a), row_of(p.b), c.ran && c.first ? p.compared : "");
	}
	fmt::print("cycles of the layers: {} and {}\n", cycles_of(c.layers_a), cycles_of(c.layers_b));
	for (const auto &line : c.output_lines)
		fmt::print("{}\n", line);
	if (c.first)
		fmt::print("first layer that differs: {} {} {} ({}): {}\n", c.first - c.pairs.data(), c.first->any().op,
			   c.first->any().shape, c.first->any().path, text_of(c.first_by, c.first_dtype));
	else if (c.differs)
		fmt::print("no layer whose values can be looked at differs\n");
	if (c.first || c.differs)
		for (const auto *p : c.unseen)
			fmt::print("not looked at before it: {} {} {} ({}): {}\n", p - c.pairs.data(), p->any().op,
				   p->any().shape, p->any().path, p->compared);
}

json side(const planned_layer *l)
{
	return l ? json{{"cycles", l->cycles}, {"ideal", l->ideal}, {"bound", l->bound}} : json(nullptr);
}

json json_of(const options &o, const comparison &c)
{
	json layers = json::array();
	for (const auto &p : c.pairs)
		layers.push_back({{"path", p.any().path},
				  {"op", p.any().op},
				  {"shape", p.any().shape},
				  {"a", side(p.a)},
				  {"b", side(p.b)},
				  {"compared", p.compared}});
	json j = {{"a", o.a},
		  {"b", o.b},
		  {"cycles", {cycles_of(c.layers_a), cycles_of(c.layers_b)}},
		  {"ran", c.ran},
		  {"equal", c.ran && !c.differs},
		  {"outputs", c.output_rows},
		  {"layers", layers}};
	if (c.first) {
		j["first"] = json_of(c.first_by);
		j["first"]["layer"] = c.first - c.pairs.data();
		j["first"]["path"] = c.first->any().path;
	}
	return j;
}

int run(const options &o)
{
	const comparison c(o);
	if (o.as_json)
		fmt::print("{}\n", json_of(o, c).dump());
	else
		print(o, c);
	return c.differs || c.first ? status_differs : 0;
}

} // namespace

action add_compare(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("a", o->a, "program (.loom)")->required();
	app.add_option("b", o->b, "program of the same model: for another target, or otherwise compiled")->required();
	app.add_option("--input", o->inputs,
		       "NAME=FILE, .npy, .npz or raw bytes; may be repeated. With inputs both programs run");
	app.add_option("--inputs", o->inputs_npz, ".npz with arrays by input name");
	app.add_flag("--all", o->all, "look at every layer's values even where the outputs are equal");
	app.add_flag("--json", o->as_json, "one line of JSON");
	return [o] { return run(*o); };
}

} // namespace loom_tool
