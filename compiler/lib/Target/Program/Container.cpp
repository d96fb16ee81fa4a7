// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Target/Program/Container.h"

#include <libdeflate.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir::loom::program;

Container::Container(const loom_target &t) : target(t) {
  stringIndex[""] = 0;
  scopes.push_back({0, 0});
  scopeIndex[""] = 0;
  locs.push_back({});
}

uint32_t Container::string(const std::string &text) {
  auto [it, fresh] = stringIndex.try_emplace(text, strings.size());
  if (fresh) {
    // A NUL would end the string early.
    strings.insert(strings.end(), text.begin(),
                   text.begin() + strnlen(text.data(), text.size()));
    strings.push_back('\0');
  }
  return it->second;
}

/// What lies between constants, and after the last.
static const uint8_t kZeros[LOOM_PROG_ALIGN] = {};

std::vector<uint8_t> Image::bytes() const {
  std::vector<uint8_t> whole;
  whole.reserve(total);
  for (const Piece &piece : list)
    whole.insert(whole.end(), piece.data, piece.data + piece.bytes);
  return whole;
}

/// Where equal bytes stand already.
std::optional<uint64_t> Container::findConstant(const void *data,
                                                uint64_t bytes, uint32_t crc) {
  auto [it, end] = stored.equal_range({bytes, crc});
  for (; it != end; ++it)
    if (it->second.data == data || !memcmp(it->second.data, data, bytes))
      return it->second.offset;
  return std::nullopt;
}

uint64_t Container::constant(const void *data, uint64_t bytes) {
  const uint32_t crc = crc32(static_cast<const uint8_t *>(data), bytes);
  if (std::optional<uint64_t> offset = findConstant(data, bytes, crc))
    return *offset;
  if (const uint64_t gap = -constBytes % 64) {
    constants.push_back({kZeros, gap});
    constBytes += gap;
  }
  const uint64_t offset = constBytes;
  constants.push_back({static_cast<const uint8_t *>(data), bytes});
  stored.insert({{bytes, crc}, {data, offset}});
  constBytes += bytes;
  return offset;
}

uint64_t Container::constant(std::vector<uint8_t> bytes) {
  owned.push_back(
      std::make_shared<const std::vector<uint8_t>>(std::move(bytes)));
  return constant(owned.back()->data(), owned.back()->size());
}

uint32_t Container::scope(const std::string &path) {
  auto it = scopeIndex.find(path);
  if (it != scopeIndex.end())
    return it->second;
  const size_t slash = path.rfind('/');
  const bool nested = slash != std::string::npos;
  const uint32_t parent = nested ? scope(path.substr(0, slash)) : 0;
  const uint32_t name = string(nested ? path.substr(slash + 1) : path);
  scopes.push_back({parent, name});
  return scopeIndex[path] = scopes.size() - 1;
}

uint32_t Container::location(const std::string &path, const std::string &file,
                             uint32_t line, uint32_t column,
                             const std::string &op) {
  const std::string key = path + '\n' + file + '\n' + std::to_string(line) +
                          '\n' + std::to_string(column) + '\n' + op;
  auto [it, fresh] = locationIndex.try_emplace(key, locs.size());
  if (fresh)
    locs.push_back({scope(path), string(file), line, column, string(op), 0});
  return it->second;
}

Image Container::finish() {
  loom_prog_header header;
  memset(&header, 0, sizeof(header));
  header.producer = string(producer);
  std::vector<uint8_t> file(sizeof(header));
  auto section = [&](unsigned id, const void *data, uint64_t count,
                     uint32_t stride) {
    if (!count)
      return;
    file.resize((file.size() + 63) / 64 * 64);
    header.sections[id] = {file.size(), uint32_t(count), stride};
    const auto *begin = static_cast<const uint8_t *>(data);
    file.insert(file.end(), begin, begin + count * stride);
  };
  auto rows = [&](unsigned id, const auto &table) {
    section(id, table.data(), table.size(), sizeof(table[0]));
  };
  section(LOOM_SEC_TARGET, &target, 1, sizeof(target));
  rows(LOOM_SEC_STRINGS, strings);
  section(LOOM_SEC_NPU_CODE, code.data(), code.size() / LOOM_UNIT_BYTES,
          LOOM_UNIT_BYTES);
  section(LOOM_SEC_CPU_CODE, cpuCode.data(), cpuCode.size() / 8, 8);
  rows(LOOM_SEC_SLOTS, slots);
  rows(LOOM_SEC_TENSORS, tensors);
  rows(LOOM_SEC_ENTRIES, entries);
  rows(LOOM_SEC_SEGMENTS, segments);
  rows(LOOM_SEC_SCHEDULE, steps);
  rows(LOOM_SEC_SCOPES, scopes);
  rows(LOOM_SEC_LOCS, locs);
  rows(LOOM_SEC_LAYERS, layers);
  auto whole = [](size_t n) {
    return (n + LOOM_PROG_ALIGN - 1) / LOOM_PROG_ALIGN * LOOM_PROG_ALIGN;
  };
  file.resize(whole(file.size()));
  if (const uint64_t gap = -constBytes % LOOM_PROG_ALIGN) {
    constants.push_back({kZeros, gap});
    constBytes += gap;
  }
  header.magic = LOOM_PROG_MAGIC;
  header.version = LOOM_PROG_VERSION;
  header.meta_bytes = file.size();
  header.const_bytes = constBytes;
  header.file_bytes = header.meta_bytes + header.const_bytes;
  header.target_hash = loom_prog_hash(&target, sizeof(target));
  for (const Image::Piece &piece : constants)
    header.const_crc = crc32(piece.data, piece.bytes, header.const_crc);
  memcpy(file.data(), &header, sizeof(header));
  header.meta_crc = crc32(file.data(), file.size());
  memcpy(file.data(), &header, sizeof(header));
  Image image;
  image.owned = std::move(owned);
  image.owned.push_back(
      std::make_shared<const std::vector<uint8_t>>(std::move(file)));
  image.add(image.owned.back()->data(), image.owned.back()->size());
  for (const Image::Piece &piece : constants)
    image.add(piece.data, piece.bytes);
  return image;
}

uint32_t mlir::loom::program::crc32(const uint8_t *data, size_t bytes,
                                    uint32_t before) {
  return libdeflate_crc32(before, data, bytes);
}

/// The file that appears as a whole under its name, or what is no file (a
/// device, a pipe), which stays what it is and is written to.
namespace {
struct Destination {
  explicit Destination(const std::string &path) : target(path) {
    struct stat there;
    if (stat(path.c_str(), &there))
      return;
    directory = S_ISDIR(there.st_mode);
    whole = S_ISREG(there.st_mode);
    // A link stays one: its target is replaced.
    if (char *real = whole ? realpath(path.c_str(), nullptr) : nullptr) {
      target = real;
      free(real);
    }
  }
  std::string target;
  bool whole = true, directory = false;
};
} // namespace

static std::string writePieces(const std::string &path,
                               const std::vector<Image::Piece> &pieces) {
  const Destination to(path);
  if (to.directory)
    return path + ": is a directory";
  const std::string temporary =
      to.whole ? to.target + ".tmp" + std::to_string(getpid()) : path;
  auto why = [&](const char *what) {
    std::string text = path + ": cannot " + what + ": " + strerror(errno);
    if (to.whole)
      unlink(temporary.c_str());
    return text;
  };
  const int flags = O_WRONLY | O_CLOEXEC | (to.whole ? O_CREAT | O_EXCL : 0);
  const int fd = open(temporary.c_str(), flags, 0666);
  if (fd < 0)
    return why("create");
  for (auto [data, bytes] : pieces)
    while (bytes) {
      const ssize_t n = write(fd, data, bytes);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0) {
        std::string text = why("write");
        close(fd);
        return text;
      }
      data += n;
      bytes -= n;
    }
  if (close(fd))
    return why("write");
  if (to.whole && rename(temporary.c_str(), to.target.c_str()))
    return why("rename into place");
  return "";
}

std::string mlir::loom::program::writeFileAtomically(const std::string &path,
                                                     const void *data,
                                                     size_t bytes) {
  return writePieces(path, {{static_cast<const uint8_t *>(data), bytes}});
}

std::string mlir::loom::program::writeFileAtomically(const std::string &path,
                                                     const Image &image) {
  return writePieces(path, image.pieces());
}
