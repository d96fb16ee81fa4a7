// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Json.h"

#include "llvm/Support/Errc.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir::loom;
using json = nlohmann::json;

namespace {
/// Walks the text without building anything: finds the first error and the
/// depth, so that the parse after it can only succeed.
struct Checker : nlohmann::json_sax<json> {
  static constexpr unsigned kMaxDepth = 32;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t &) override { return true; }
  bool string(string_t &) override { return true; }
  bool binary(binary_t &) override { return true; }
  bool key(string_t &) override { return true; }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }

  bool parse_error(std::size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    offset = position ? position - 1 : 0;
    return false;
  }

  bool enter() {
    tooDeep |= ++depth > kMaxDepth;
    return !tooDeep;
  }
  bool leave() {
    --depth;
    return true;
  }

  std::size_t offset = 0;
  unsigned depth = 0;
  bool tooDeep = false;
};
} // namespace

llvm::Error mlir::loom::fileError(llvm::StringRef file, uint64_t offset,
                                  const llvm::Twine &what,
                                  llvm::StringRef remedy) {
  return llvm::createStringError(llvm::errc::illegal_byte_sequence,
                                 llvm::formatv("{0}: offset {1}: {2}; {3}",
                                               file, offset, what.str(), remedy)
                                     .str());
}

llvm::Expected<json> mlir::loom::parseJson(llvm::StringRef text,
                                           llvm::StringRef file, uint64_t base,
                                           llvm::StringRef remedy) {
  Checker checker;
  bool valid = json::sax_parse(text.begin(), text.end(), &checker);
  if (checker.tooDeep)
    return fileError(file, base, "JSON nested more than 32 levels deep",
                     remedy);
  if (!valid)
    return fileError(file, base + checker.offset, "not valid JSON", remedy);
  json value = json::parse(text.begin(), text.end(), nullptr,
                           /*allow_exceptions=*/false);
  if (value.is_discarded())
    return fileError(file, base, "not valid JSON", remedy);
  return value;
}

std::optional<int64_t> mlir::loom::jsonInteger(const json &value,
                                               int64_t limit) {
  if (!value.is_number_integer())
    return std::nullopt;
  if (value.is_number_unsigned()) {
    uint64_t number = *value.get_ptr<const json::number_unsigned_t *>();
    if (number > uint64_t(limit))
      return std::nullopt;
    return int64_t(number);
  }
  int64_t number = *value.get_ptr<const json::number_integer_t *>();
  if (number < 0 || number > limit)
    return std::nullopt;
  return number;
}
