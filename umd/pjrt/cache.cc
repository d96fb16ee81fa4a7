// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "plugin.h"

namespace loom::pjrt {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t default_disk_bytes = uint64_t{1} << 30, memory_bytes = uint64_t{256} << 20;
constexpr const char *suffix = ".exe";

fs::path default_folder()
{
	if (const char *own = std::getenv("LOOM_CACHE_DIR"))
		return own; // empty: none
	if (const char *xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg == '/')
		return fs::path(xdg) / "loom" / "pjrt";
	if (const char *home = std::getenv("HOME"); home && *home == '/')
		return fs::path(home) / ".cache" / "loom" / "pjrt";
	return {};
}

std::string read_file(const fs::path &path)
{
	std::ifstream in(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(in), {}};
}

bool write_file(const fs::path &path, const std::string &bytes)
{
	std::ofstream out(path, std::ios::binary | std::ios::trunc);
	out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
	out.close();
	return !out.fail();
}

} // namespace

disk_cache disk_cache::from_environment()
{
	uint64_t limit = default_disk_bytes;
	if (const char *text = std::getenv("LOOM_CACHE_BYTES"); text && *text) {
		char *end = nullptr;
		limit = std::strtoull(text, &end, 10);
		if (*end || *text == '-')
			throw invalid("LOOM_CACHE_BYTES={}: use a number of bytes, 0 for no cache on disk", text);
	}
	// Without an identity of the compiler nothing can be told from what another one made.
	return {limit && !build_id().empty() ? default_folder() : fs::path(), limit};
}

program_ptr disk_cache::load(const std::string &key) const
{
	if (folder.empty())
		return nullptr;
	const fs::path path = folder / (key + suffix);
	const std::string bytes = read_file(path);
	if (bytes.empty())
		return nullptr;
	try {
		program_ptr found = compiled_program::parse(bytes);
		utimensat(AT_FDCWD, path.c_str(), nullptr, 0); // for prune(); only a hint
		return found;
	} catch (const failure &) {
		return nullptr;
	}
}

void disk_cache::store(const std::string &key, const compiled_program &program) const
{
	static std::atomic<unsigned> number{0};
	std::error_code failed;
	if (folder.empty())
		return;
	fs::create_directories(folder, failed);
	const fs::path temporary = folder / fmt::format(".{}.{}.{}", key, getpid(), number++);
	if (write_file(temporary, program.serialise())) {
		fs::rename(temporary, folder / (key + suffix), failed);
		if (!failed)
			prune();
	}
	fs::remove(temporary, failed);
}

void disk_cache::prune() const
{
	struct file {
		fs::file_time_type time;
		uint64_t bytes;
		fs::path path;
	};
	std::vector<file> files;
	std::error_code failed;
	uint64_t total = 0;
	for (fs::directory_iterator i(folder, failed), end; !failed && i != end; i.increment(failed)) {
		std::error_code gone;
		const file f{i->last_write_time(gone), i->file_size(gone), i->path()};
		if (gone || f.path.extension() != suffix)
			continue;
		total += f.bytes;
		files.push_back(f);
	}
	if (total <= limit)
		return;
	std::sort(files.begin(), files.end(), [](const file &a, const file &b) { return a.time < b.time; });
	for (const file &f : files) {
		if (total <= limit)
			return;
		fs::remove(f.path, failed);
		total -= f.bytes;
	}
}

program_cache &program_cache::shared()
{
	static program_cache *const instance = new program_cache(disk_cache::from_environment(), memory_bytes);
	return *instance;
}

// With the mutex held.
program_ptr program_cache::find(const std::string &key)
{
	const auto found = entries.find(key);
	if (found == entries.end())
		return nullptr;
	order.splice(order.begin(), order, found->second.place);
	return found->second.program;
}

void program_cache::keep(const std::string &key, const program_ptr &program)
{
	order.push_front(key);
	entries[key] = {program, order.begin()};
	bytes += program->code.size();
	while (bytes > limit && order.size() > 1) {
		const auto oldest = entries.find(order.back());
		bytes -= oldest->second.program->code.size();
		entries.erase(oldest);
		order.pop_back();
	}
}

program_ptr program_cache::get(const std::string &key, const std::function<program_ptr()> &make)
{
	std::unique_lock lock(mutex);
	cond.wait(lock, [&] { return !making.count(key); });
	if (program_ptr found = find(key)) {
		count().memory_hits++;
		return found;
	}
	making.insert(key);
	lock.unlock();
	program_ptr made;
	std::exception_ptr problem;
	try {
		made = disk.load(key);
		if (made) {
			count().disk_hits++;
		} else {
			made = make();
			disk.store(key, *made);
		}
	} catch (...) {
		problem = std::current_exception();
	}
	lock.lock();
	making.erase(key);
	if (made)
		keep(key, made);
	cond.notify_all();
	lock.unlock();
	if (!made)
		std::rethrow_exception(problem);
	return made;
}

} // namespace loom::pjrt
