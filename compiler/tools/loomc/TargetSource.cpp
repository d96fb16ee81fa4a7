// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TargetSource.h"

#include "loom/Target/Program/Targets.h"

#include <drm/loom_accel.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/ioctl.h>
#include <unistd.h>

using json = nlohmann::json;
using namespace mlir::loom;

static std::string fromDevice(const std::string &path, loom_target &target) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    std::string remedy =
        error == EACCES
            ? "join the group that owns it"
            : "load the driver (modprobe loom), or name a target: " +
                  program::targetNames();
    return path + ": cannot open the device: " + strerror(error) + "; " +
           remedy;
  }
  drm_loom_hw hw;
  static_assert(sizeof(hw) == sizeof(target), "the device speaks in targets");
  drm_loom_dev_query query;
  memset(&hw, 0, sizeof(hw));
  memset(&query, 0, sizeof(query));
  query.type = DRM_LOOM_QUERY_HW;
  query.size = sizeof(hw);
  query.pointer = reinterpret_cast<uintptr_t>(&hw);
  const int result = ioctl(fd, DRM_IOCTL_LOOM_DEV_QUERY, &query);
  const int error = errno;
  close(fd);
  if (result < 0)
    return path + ": does not answer as a Loom device: " + strerror(error) +
           "; name the accel node of a Loom NPU";
  memcpy(&target, &hw, sizeof(target));
  return "";
}

/// Reads an unsigned field if it is there.
template <typename T>
static std::string field(const json &object, const char *key, T &value) {
  auto found = object.find(key);
  if (found == object.end())
    return "";
  if (!found->is_number_unsigned() ||
      found->get<uint64_t>() > uint64_t(T(~T(0))))
    return std::string("'") + key +
           "' is not a whole number that its field holds";
  value = T(found->get<uint64_t>());
  return "";
}

static std::string fromJson(const json &root, loom_target &t) {
  if (!root.is_object())
    return "is not a JSON object";
  std::string base = LOOM_DEFAULT_TARGET;
  if (auto found = root.find("base"); found != root.end()) {
    if (!found->is_string())
      return "'base' is not a text";
    base = found->get<std::string>();
  }
  if (!program::namedTarget(base, t))
    return "'base' is '" + base + "'; there are " + program::targetNames();
  static const char *known[] = {"base",        "features",        "rows",
                                "cols",        "sram_bytes",      "acc_bytes",
                                "lanes",       "int8_div",        "bf16_div",
                                "f32_div",     "bytes_per_cycle", "latency",
                                "outstanding", "clock_khz"};
  for (const auto &item : root.items())
    if (std::find(std::begin(known), std::end(known), item.key()) ==
        std::end(known))
      return "'" + item.key() + "' is no knob of a target";
  std::string error;
  auto read = [&](const char *key, auto &value) {
    if (error.empty())
      error = field(root, key, value);
  };
  uint64_t features = t.features;
  read("features", features);
  t.features = features;
  uint16_t rows = t.rows, cols = t.cols;
  read("rows", rows);
  read("cols", cols);
  t.rows = rows;
  t.cols = cols;
  read("sram_bytes", t.sram_bytes);
  read("acc_bytes", t.acc_bytes);
  read("lanes", t.vpu_lanes);
  read("int8_div", t.int8_div);
  read("bf16_div", t.bf16_div);
  read("f32_div", t.f32_div);
  read("bytes_per_cycle", t.mem[0].bytes_per_cycle);
  read("latency", t.mem[0].latency);
  read("outstanding", t.mem[0].outstanding);
  read("clock_khz", t.clock_khz);
  return error;
}

static std::string fromFile(const std::string &path, loom_target &target) {
  std::ifstream stream(path);
  if (!stream)
    return path + ": cannot read: " + strerror(errno) +
           "; name a file, a device, or one of " + program::targetNames();
  std::stringstream text;
  text << stream.rdbuf();
  json root = json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded())
    return path +
           ": is not JSON; write an object such as {\"base\": \"npu16\", "
           "\"sram_bytes\": 1048576}";
  std::string error = fromJson(root, target);
  return error.empty() ? "" : path + ": " + error + "; correct the file";
}

/// "-trans,-gather": units that the target does not have. As of QEMU's device.
static std::string applyFeatures(const std::string &list, loom_target &target) {
  static const char *const names[LOOM_NUM_FEATURES] = {
      "conv",  "dw",   "transpose", "gather", "scatter", "scan", "reg", "loop",
      "trans", "bf16", "int8",      "codec",  "vpu",     "f32",  "epi"};
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    at = comma + 1;
    const auto *found = std::find(std::begin(names), std::end(names),
                                  item.empty() ? item : item.substr(1));
    if (item.empty() || item[0] != '-' || found == std::end(names)) {
      std::string all;
      for (const char *name : names)
        all += std::string(all.empty() ? "" : ", ") + name;
      return "features: '" + item + "' is not '-NAME' with NAME one of " + all;
    }
    target.features &= ~(1ull << (found - std::begin(names)));
  }
  return "";
}

std::string readTarget(const std::string &whole, loom_target &target) {
  static const std::string kFeatures = ",features=";
  if (const size_t at = whole.find(kFeatures); at != std::string::npos) {
    std::string error = readTarget(whole.substr(0, at), target);
    return error.empty()
               ? applyFeatures(whole.substr(at + kFeatures.size()), target)
               : error;
  }
  const std::string &source = whole;
  if (program::namedTarget(source, target))
    return "";
  std::string error;
  if (source.rfind("/dev/", 0) == 0)
    error = fromDevice(source, target);
  else if (source.find('/') != std::string::npos ||
           source.find(".json") != std::string::npos)
    error = fromFile(source, target);
  else
    error = "no target is called '" + source + "'; there are " +
            program::targetNames() +
            ", or name a .json file or /dev/accel/accelN";
  if (!error.empty())
    return error;
  error = program::checkTarget(target);
  return error.empty() ? "" : source + ": " + error + "; correct it";
}
