// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiled programs by key: in this process, and in files that processes share.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <set>

#include "program.h"

namespace loom::pjrt {

// One file a program, written beside its place and renamed. What cannot be read or is damaged counts as absent; what
// cannot be written is left out. Past the limit, the files that were read longest ago go first.
class disk_cache {
public:
	// An empty path: no cache.
	disk_cache(std::filesystem::path folder, uint64_t limit) : folder(std::move(folder)), limit(limit) {}
	// $LOOM_CACHE_DIR (set and empty: no cache), else $XDG_CACHE_HOME/loom/pjrt, else ~/.cache/loom/pjrt;
	// LOOM_CACHE_BYTES, 0 for none.
	static disk_cache from_environment();

	program_ptr load(const std::string &key) const;
	void store(const std::string &key, const compiled_program &program) const;

private:
	void prune() const;

	const std::filesystem::path folder;
	const uint64_t limit;
};

class program_cache {
public:
	program_cache(disk_cache disk, uint64_t limit) : disk(std::move(disk)), limit(limit) {}
	static program_cache &shared();

	// The program of that key; made once, whoever asks meanwhile waits. What make throws goes to all of them that
	// asked first; others try again.
	program_ptr get(const std::string &key, const std::function<program_ptr()> &make);

private:
	program_ptr find(const std::string &key);
	void keep(const std::string &key, const program_ptr &program);

	struct entry {
		program_ptr program;
		std::list<std::string>::iterator place;
	};
	const disk_cache disk;
	const uint64_t limit; // bytes
	std::mutex mutex;
	std::condition_variable cond;
	std::set<std::string> making;
	std::map<std::string, entry> entries;
	std::list<std::string> order; // the latest use first
	uint64_t bytes = 0;
};

} // namespace loom::pjrt
