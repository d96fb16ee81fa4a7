// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Target/Report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

using namespace mlir::loom;

static std::string percent(uint64_t part, uint64_t whole) {
  char text[32];
  snprintf(text, sizeof(text), "%5.1f",
           whole ? 100.0 * double(part) / double(whole) : 0.0);
  return text;
}

/// Columns from `numbers` on are aligned to the right.
static std::string alignRows(const std::vector<std::vector<std::string>> &rows,
                             size_t numbers) {
  std::vector<size_t> width(rows[0].size(), 0);
  for (const auto &row : rows)
    for (size_t c = 0; c < row.size(); ++c)
      width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const auto &row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string pad(width[c] - row[c].size(), ' ');
      line += (c ? "  " : "") + (c >= numbers ? pad + row[c] : row[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string mlir::loom::reportTable(const CompiledProgram &program,
                                    const std::string &target) {
  std::vector<std::vector<std::string>> rows{{"layer", "op", "shape", "module",
                                              "tiles", "bound", "records",
                                              "planned", "ideal", "%"}};
  for (const LayerPlan &layer : program.layers)
    rows.push_back({std::to_string(rows.size() - 1), layer.kind, layer.shape,
                    layer.module.empty() ? layer.source : layer.module,
                    layer.tiling, layer.bound, std::to_string(layer.records),
                    std::to_string(layer.cycles), std::to_string(layer.ideal),
                    percent(layer.ideal, layer.cycles)});
  std::string text = alignRows(rows, 6);
  char total[256];
  snprintf(total, sizeof(total),
           "%s: %llu cycles planned, %llu products, array busy %.1f %%, %llu "
           "records, %llu bytes of code, %llu constants, %llu scratch\n",
           target.c_str(), (unsigned long long)program.cycles,
           (unsigned long long)program.macs, 100 * program.utilisation,
           (unsigned long long)program.records,
           (unsigned long long)program.units * 32,
           (unsigned long long)program.constBytes,
           (unsigned long long)program.scratchBytes);
  text += total;
  if (!program.bounded)
    text +=
        "data decide how often a loop or which branch runs: cycles are those "
        "of the shortest way, and the job's budgets are the largest that "
        "there are\n";
  return text;
}

std::string mlir::loom::reportJson(const CompiledProgram &program,
                                   const std::string &target,
                                   const std::string &output,
                                   uint64_t fileBytes) {
  nlohmann::json root;
  root["entry"] = program.entry;
  root["target"] = target;
  root["output"] = output;
  root["cycles"] = program.cycles;
  root["macs"] = program.macs;
  root["bounded"] = program.bounded;
  root["roofline"] = program.roofline;
  root["sram_peak"] = program.sramPeak;
  root["sram_live_bound"] = program.sramLiveBound;
  root["utilisation"] = program.utilisation;
  root["records"] = program.records;
  root["code_bytes"] = program.units * 32;
  root["const_bytes"] = program.constBytes;
  root["scratch_bytes"] = program.scratchBytes;
  root["file_bytes"] = fileBytes;
  root["layers"] = nlohmann::json::array();
  for (const LayerPlan &layer : program.layers)
    root["layers"].push_back({{"op", layer.kind},
                              {"shape", layer.shape},
                              {"module", layer.module},
                              {"source", layer.source},
                              {"tiles", layer.tiling},
                              {"bound", layer.bound},
                              {"records", layer.records},
                              {"macs", layer.macs},
                              {"bytes", layer.bytes},
                              {"ideal", layer.ideal},
                              {"roofline", layer.roofline},
                              {"cycles", layer.cycles}});
  return root.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

std::string mlir::loom::placementLine(const PlacedOp &op) {
  std::string text;
  for (const std::string &part : {op.source, op.module, op.operation})
    if (!part.empty())
      text += part + ": ";
  return text + op.why;
}

std::string mlir::loom::placementTable(const CompiledProgram &program,
                                       const std::string &target) {
  std::vector<std::vector<std::string>> rows{
      {"segment", "engine", "operation", "module", "why", "bytes", "cycles"}};
  auto layer = program.layers.begin();
  auto op = program.placement.begin();
  while (layer != program.layers.end() || op != program.placement.end()) {
    const bool npu =
        op == program.placement.end() ||
        (layer != program.layers.end() && layer->segment < op->segment);
    if (npu) {
      rows.push_back({std::to_string(layer->segment), "NPU",
                      layer->kind + " " + layer->shape,
                      layer->module.empty() ? layer->source : layer->module, "",
                      std::to_string(layer->bytes),
                      std::to_string(layer->cycles)});
      ++layer;
    } else {
      rows.push_back({std::to_string(op->segment), "CPU", op->operation,
                      op->module.empty() ? op->source : op->module, op->why,
                      std::to_string(op->bytes), std::to_string(op->cycles)});
      ++op;
    }
  }
  return alignRows(rows, 5) + target + ": " +
         std::to_string(program.layers.size()) + " layers on the NPU, " +
         std::to_string(program.placement.size()) +
         " operations on the CPU engine, " + std::to_string(program.segments) +
         " segments, " + std::to_string(program.cycles) + " cycles\n";
}

std::string mlir::loom::placementJson(const CompiledProgram &program,
                                      const std::string &target) {
  nlohmann::json root;
  root["target"] = target;
  root["segments"] = program.segments;
  root["cycles"] = program.cycles;
  root["npu"] = nlohmann::json::array();
  for (const LayerPlan &layer : program.layers)
    root["npu"].push_back({{"segment", layer.segment},
                           {"operation", layer.kind + " " + layer.shape},
                           {"module", layer.module},
                           {"source", layer.source},
                           {"bytes", layer.bytes},
                           {"cycles", layer.cycles}});
  root["cpu"] = nlohmann::json::array();
  for (const PlacedOp &op : program.placement)
    root["cpu"].push_back({{"segment", op.segment},
                           {"operation", op.operation},
                           {"module", op.module},
                           {"source", op.source},
                           {"why", op.why},
                           {"bytes", op.bytes},
                           {"cycles", op.cycles}});
  return root.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}
