// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

namespace loom_tool {
namespace {

namespace fs = std::filesystem;

using handle = std::unique_ptr<FILE, int (*)(FILE *)>;

[[noreturn]] void fail(const std::string &text)
{
	throw std::runtime_error(text);
}

[[noreturn]] void cannot_write(const std::string &path, int error)
{
	fail(fmt::format("{}: cannot be written: {}; choose a writable place", path, std::strerror(error)));
}

bool write_all(FILE *f, const void *data, size_t size)
{
	return std::fwrite(data, 1, size, f) == size && std::fflush(f) == 0;
}

// The directory that a file of this path lies in.
fs::path folder_of(const fs::path &path)
{
	return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void need_permission(const char *option, const std::string &path, const fs::path &place)
{
	if (access(place.c_str(), W_OK))
		fail(fmt::format("{} {}: {} cannot be written to: {}; choose another place", option, path,
				 place.string(), std::strerror(errno)));
}

} // namespace

std::vector<uint8_t> read_file(const std::string &path, uint64_t most, const char *advice)
{
	std::error_code error;
	const handle f(std::fopen(path.c_str(), "rb"), std::fclose);
	if (!f)
		fail(fmt::format("{}: {}", path, std::strerror(errno)));
	const auto size = fs::file_size(path, error);
	if (error)
		fail(fmt::format("{}: not a regular file; give the path of one", path));
	if (size > most)
		fail(fmt::format("{}: not a regular file of at most {} MiB; {}", path, most >> 20, advice));
	std::vector<uint8_t> bytes(size);
	if (std::fread(bytes.data(), 1, size, f.get()) != size)
		fail(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
	return bytes;
}

void write_file(const std::string &path, const void *data, size_t size)
{
	std::error_code error;
	const auto there = fs::status(path, error);
	if (fs::exists(there) && !fs::is_regular_file(there)) {
		const handle f(fs::is_directory(there) ? nullptr : std::fopen(path.c_str(), "wb"), std::fclose);
		if (!f || !write_all(f.get(), data, size))
			cannot_write(path, fs::is_directory(there) ? EISDIR : errno);
		return;
	}
	// A link stays one: its target is replaced.
	const fs::path target = fs::exists(there) ? fs::canonical(path) : fs::path(path);
	const std::string part = target.string() + ".part";
	handle f(std::fopen(part.c_str(), "wb"), std::fclose);
	if (!f)
		cannot_write(path, errno);
	const bool ok = write_all(f.get(), data, size);
	if (!ok || std::rename(part.c_str(), target.c_str())) {
		const int code = errno;
		std::remove(part.c_str());
		cannot_write(path, code);
	}
}

void check_writable(const char *option, const std::string &path)
{
	std::error_code error;
	const fs::path folder = folder_of(path);
	const auto there = fs::status(path, error);
	if (fs::is_directory(there))
		fail(fmt::format("{} {}: is a directory; name a file in it", option, path));
	if (!fs::is_directory(folder, error))
		fail(fmt::format("{} {}: there is no directory {}; create it", option, path, folder.string()));
	const bool replaced = !fs::exists(there) || fs::is_regular_file(there);
	need_permission(option, path, replaced ? folder : fs::path(path));
}

void check_directory(const char *option, const std::string &path)
{
	std::error_code error;
	fs::path place = path;
	// What is not there is made, in the first directory above that is.
	while (!fs::exists(place, error) && place != folder_of(place))
		place = folder_of(place);
	if (!fs::is_directory(place, error))
		fail(fmt::format("{} {}: {} is no directory; choose another place", option, path, place.string()));
	need_permission(option, path, place);
}

} // namespace loom_tool
