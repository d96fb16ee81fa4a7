// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/Bundle.h"

#include "Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir::loom;
using json = nlohmann::json;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static constexpr StringRef kRemedy = "write the bundle again with loom.export";
static constexpr int64_t kVersion = 1;
static constexpr size_t kMaxRank = 32;
static constexpr uint64_t kMaxDescription = 64 << 20;

/// "f32[16,8]".
static std::string describe(const DType *dtype, llvm::ArrayRef<int64_t> shape) {
  std::string text = (dtype->name + "[").str();
  for (int64_t size : shape)
    text += (text.back() == '[' ? "" : ",") + std::to_string(size);
  return text + "]";
}

StringRef mlir::loom::roleName(Role role) {
  switch (role) {
  case Role::Param:
    return "param";
  case Role::State:
    return "state";
  case Role::Rng:
    return "rng";
  case Role::Input:
    return "input";
  case Role::Output:
    return "output";
  }
  return "input";
}

namespace {
/// Reads model.json; each function says in which place the text is wrong.
class DescriptionReader {
public:
  explicit DescriptionReader(StringRef file) : file(file) {}

  Expected<std::vector<EntryPoint>> read(const json &root);

private:
  Error fail(const Twine &where, const Twine &what) {
    return fileError(file, 0, where + ": " + what, kRemedy);
  }
  Expected<std::string> text(const json &object, const char *key,
                             const std::string &where);
  Error readEntry(const json &value, const std::string &where,
                  EntryPoint &entry);
  Error readTensors(const json &object, const char *key, bool isInput,
                    const std::string &where, std::vector<TensorInfo> &list);
  Error readTensor(const json &value, bool isInput, const std::string &where,
                   TensorInfo &tensor);
  Error readDonated(const json &object, const std::string &where,
                    EntryPoint &entry);

  StringRef file;
};
} // namespace

Expected<std::string> DescriptionReader::text(const json &object,
                                              const char *key,
                                              const std::string &where) {
  auto found = object.find(key);
  if (found == object.end())
    return fail(where, Twine("'") + key + "' is missing");
  const auto *value = found->get_ptr<const json::string_t *>();
  if (!value || value->empty())
    return fail(where, Twine("'") + key + "' is not a text");
  return *value;
}

static std::optional<Role> parseRole(StringRef name, bool isInput) {
  for (Role role :
       {Role::Param, Role::State, Role::Rng, Role::Input, Role::Output}) {
    bool fits = role == Role::State || (role == Role::Output) != isInput;
    if (fits && roleName(role) == name)
      return role;
  }
  return std::nullopt;
}

Error DescriptionReader::readTensor(const json &value, bool isInput,
                                    const std::string &place,
                                    TensorInfo &tensor) {
  Expected<std::string> path = text(value, "path", place);
  if (!path)
    return path.takeError();
  tensor.path = *path;
  const std::string where = place + " ('" + *path + "')";
  Expected<std::string> role = text(value, "role", where);
  if (!role)
    return role.takeError();
  std::optional<Role> known = parseRole(*role, isInput);
  if (!known)
    return fail(where, "role '" + *role + "' is unknown here");
  tensor.role = *known;
  Expected<std::string> dtype = text(value, "dtype", where);
  if (!dtype)
    return dtype.takeError();
  tensor.dtype = findDType(*dtype);
  if (!tensor.dtype)
    return fileError(file, 0,
                     where + ": dtype '" + *dtype + "' is not supported",
                     "use one of " + listDTypes());
  auto shape = value.find("shape");
  if (shape == value.end() || !shape->is_array() || shape->size() > kMaxRank)
    return fail(where, "'shape' is not a list of at most 32 sizes");
  for (const json &size : *shape) {
    std::optional<int64_t> number = jsonInteger(size, int64_t(1) << 40);
    if (!number)
      return fail(where, "'shape' holds something that is no size");
    tensor.shape.push_back(*number);
  }
  return Error::success();
}

Error DescriptionReader::readTensors(const json &object, const char *key,
                                     bool isInput, const std::string &where,
                                     std::vector<TensorInfo> &list) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_array())
    return fail(where, Twine("'") + key + "' is not a list");
  llvm::StringSet<> paths;
  for (const json &value : *found) {
    std::string at = (where + "." + key + "[" + Twine(list.size()) + "]").str();
    if (!value.is_object())
      return fail(at, "not an object");
    auto index = value.find("index");
    if (index == value.end() || jsonInteger(*index) != int64_t(list.size()))
      return fail(at, "'index' must count up from 0");
    TensorInfo tensor;
    if (Error error = readTensor(value, isInput, at, tensor))
      return error;
    if (!paths.insert(tensor.path).second)
      return fail(at, "path '" + tensor.path + "' occurs twice");
    list.push_back(std::move(tensor));
  }
  return Error::success();
}

Error DescriptionReader::readDonated(const json &object,
                                     const std::string &where,
                                     EntryPoint &entry) {
  auto found = object.find("donated");
  if (found == object.end())
    return Error::success();
  if (!found->is_array())
    return fail(where, "'donated' is not a list");
  for (const json &value : *found) {
    std::optional<int64_t> index =
        jsonInteger(value, int64_t(entry.inputs.size()) - 1);
    if (!index || llvm::is_contained(entry.donated, unsigned(*index)))
      return fail(where, "'donated' must hold indices of inputs, each once");
    entry.donated.push_back(unsigned(*index));
  }
  return Error::success();
}

Error DescriptionReader::readEntry(const json &value, const std::string &where,
                                   EntryPoint &entry) {
  if (!value.is_object())
    return fail(where, "not an object");
  Expected<std::string> name = text(value, "name", where);
  if (!name)
    return name.takeError();
  entry.name = *name;
  Expected<std::string> artifact = text(value, "artifact", where);
  if (!artifact)
    return artifact.takeError();
  entry.artifact = *artifact;
  if (StringRef(entry.artifact).find_first_of(StringRef("/\\\0", 3)) !=
          StringRef::npos ||
      StringRef(entry.artifact).starts_with(".."))
    return fail(where, "artifact '" + entry.artifact +
                           "' is not a file name inside the bundle");
  if (Error error = readTensors(value, "inputs", true, where, entry.inputs))
    return error;
  if (Error error = readTensors(value, "outputs", false, where, entry.outputs))
    return error;
  return readDonated(value, where, entry);
}

Expected<std::vector<EntryPoint>> DescriptionReader::read(const json &root) {
  if (!root.is_object())
    return fail("model.json", "not a JSON object");
  Expected<std::string> format = text(root, "format", "model.json");
  if (!format)
    return format.takeError();
  if (*format != "loom-bundle")
    return fail("model.json", "format '" + *format + "' is not 'loom-bundle'");
  auto version = root.find("version");
  if (version == root.end() || jsonInteger(*version) != kVersion)
    return fail("model.json",
                "'version' is " +
                    (version == root.end()
                         ? "missing"
                         : version->dump(-1, ' ', true,
                                         json::error_handler_t::replace)) +
                    ", this compiler reads 1");
  auto list = root.find("entry_points");
  if (list == root.end() || !list->is_array() || list->empty())
    return fail("model.json", "'entry_points' is not a list of at least one");
  std::vector<EntryPoint> entries;
  for (const json &value : *list) {
    EntryPoint entry;
    std::string where = ("entry_points[" + Twine(entries.size()) + "]").str();
    if (Error error = readEntry(value, where, entry))
      return error;
    if (llvm::any_of(entries, [&](const EntryPoint &other) {
          return other.name == entry.name;
        }))
      return fail(where, "name '" + entry.name + "' occurs twice");
    entries.push_back(std::move(entry));
  }
  return entries;
}

Expected<std::vector<EntryPoint>> Bundle::parseDescription(StringRef text,
                                                           StringRef fileName) {
  Expected<json> root = parseJson(text, fileName, 0, kRemedy);
  if (!root)
    return root.takeError();
  return DescriptionReader(fileName).read(*root);
}

/// Every parameter's value is there, and what is there has its type and shape;
/// state without a value begins as zeros.
static Error checkValues(const EntryPoint &entry, Role role,
                         const Safetensors &values, StringRef file) {
  for (const TensorInfo &input :
       llvm::concat<const TensorInfo>(entry.inputs, entry.outputs)) {
    if (input.role != role)
      continue;
    const Safetensors::Tensor *value = values.find(input.path);
    if (!value && role == Role::State)
      continue;
    if (!value)
      return fileError(file, 0,
                       "tensor '" + input.path + "', which entry point '" +
                           entry.name + "' needs, is missing",
                       kRemedy);
    if (value->dtype != input.dtype || value->shape != input.shape)
      return fileError(file, 0,
                       "tensor '" + input.path + "' is " +
                           describe(value->dtype, value->shape) +
                           ", model.json says " +
                           describe(input.dtype, input.shape),
                       kRemedy);
  }
  return Error::success();
}

static Expected<Safetensors>
openIfUsed(StringRef directory, StringRef name, Role role,
           const std::vector<EntryPoint> &entries) {
  bool used = llvm::any_of(entries, [&](const EntryPoint &entry) {
    return llvm::any_of(
        llvm::concat<const TensorInfo>(entry.inputs, entry.outputs),
        [&](const TensorInfo &tensor) { return tensor.role == role; });
  });
  if (!used)
    return Safetensors();
  llvm::SmallString<128> path(directory);
  llvm::sys::path::append(path, name);
  if (role == Role::State && !llvm::sys::fs::exists(path))
    return Safetensors();
  Expected<Safetensors> values = Safetensors::open(path);
  if (!values)
    return values;
  for (const EntryPoint &entry : entries)
    if (Error error = checkValues(entry, role, *values, path))
      return error;
  return values;
}

Expected<Bundle> Bundle::open(StringRef path) {
  llvm::SmallString<128> directory(path);
  if (llvm::sys::path::filename(path) == "model.json")
    llvm::sys::path::remove_filename(directory);
  llvm::SmallString<128> description(directory);
  llvm::sys::path::append(description, "model.json");
  uint64_t bytes = 0;
  if (!llvm::sys::fs::file_size(description, bytes) && bytes > kMaxDescription)
    return fileError(description, 0,
                     llvm::Twine(bytes) + " bytes are more than the limit of " +
                         llvm::Twine(kMaxDescription),
                     kRemedy);
  auto file = llvm::MemoryBuffer::getFile(description);
  if (!file)
    return fileError(description, 0,
                     "cannot be read: " + file.getError().message(),
                     "give the directory that loom.export wrote");
  Bundle bundle;
  bundle.path = directory.str().str();
  auto entries = parseDescription((*file)->getBuffer(), description);
  if (!entries)
    return entries.takeError();
  bundle.entries = std::move(*entries);
  auto params =
      openIfUsed(directory, "params.safetensors", Role::Param, bundle.entries);
  if (!params)
    return params.takeError();
  bundle.parameters = std::move(*params);
  auto state =
      openIfUsed(directory, "state.safetensors", Role::State, bundle.entries);
  if (!state)
    return state.takeError();
  bundle.initialState = std::move(*state);
  return bundle;
}

const EntryPoint *Bundle::findEntry(StringRef name) const {
  for (const EntryPoint &entry : entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

std::string Bundle::listEntries() const {
  std::string list;
  for (const EntryPoint &entry : entries)
    list.append(list.empty() ? "" : ", ").append(entry.name);
  return list;
}

std::string Bundle::artifactPath(const EntryPoint &entry) const {
  llvm::SmallString<128> file(path);
  llvm::sys::path::append(file, entry.artifact);
  return file.str().str();
}
