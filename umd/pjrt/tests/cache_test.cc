// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cache.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "counters.h"
#include "harness.h"
#include "loaded_executable.h"

namespace loom::pjrt::test {
namespace fs = std::filesystem;

class Cache : public plugin {
protected:
	program_ptr program(const std::string &name)
	{
		loaded_executable *f = compile(name);
		program_ptr p = f->program;
		drop(f);
		return p;
	}
	scratch_folder folder;
};

static size_t files_in(const fs::path &path)
{
	return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

// The same module from another line of another file is the same program.
TEST_F(Cache, LocationsDoNotCount)
{
	const program_ptr first = program("add_one");
	const uint64_t before = count().memory_hits;
	EXPECT_EQ(program("add_one_again"), first);
	EXPECT_EQ(count().memory_hits, before + 1);
}

TEST_F(Cache, FilesOutliveTheProcess)
{
	const program_ptr p = program("update");
	disk_cache disk(folder.path / "deep" / "down", 1 << 20);
	EXPECT_FALSE(disk.load("key"));
	disk.store("key", *p);
	EXPECT_EQ(files_in(folder.path / "deep" / "down"), 1u);
	program_cache cache(disk, 1 << 20);
	const program_ptr found = cache.get("key", []() -> program_ptr { throw std::runtime_error("compiled again"); });
	EXPECT_EQ(found->serialise(), p->serialise());
}

TEST_F(Cache, DamagedFilesAreWrittenAgain)
{
	const program_ptr p = program("update");
	disk_cache disk(folder.path, 1 << 20);
	for (const char *text : {"", "LOOMEXE1", "rubbish that is longer than the head of a file"}) {
		std::ofstream(folder.path / "key.exe") << text;
		EXPECT_FALSE(disk.load("key")) << text;
	}
	disk.store("key", *p);
	EXPECT_TRUE(disk.load("key"));
}

TEST_F(Cache, TheOldestFilesGoFirst)
{
	const program_ptr p = program("update");
	const uint64_t size = p->serialise().size();
	disk_cache disk(folder.path, 2 * size + size / 2);
	const auto now = fs::file_time_type::clock::now();
	int age = 30;
	for (const char *key : {"a", "b"}) {
		disk.store(key, *p);
		fs::last_write_time(folder.path / (std::string(key) + ".exe"), now - std::chrono::seconds(age--));
	}
	EXPECT_TRUE(disk.load("a")); // used: now b is the oldest
	disk.store("c", *p);
	EXPECT_TRUE(disk.load("a"));
	EXPECT_FALSE(disk.load("b"));
	EXPECT_TRUE(disk.load("c"));
}

TEST_F(Cache, AFolderThatCannotBeIsNoProblem)
{
	const program_ptr p = program("update");
	std::ofstream(folder.path / "file") << "in the way";
	disk_cache disk(folder.path / "file" / "sub", 1 << 20);
	disk.store("key", *p);
	EXPECT_FALSE(disk.load("key"));
}

TEST_F(Cache, AProgramIsMadeOnce)
{
	const program_ptr p = program("update");
	program_cache cache(disk_cache("", 0), 1 << 20);
	std::atomic<int> made{0};
	std::vector<std::thread> threads;
	for (int i = 0; i < 8; i++)
		threads.emplace_back([&] {
			EXPECT_EQ(cache.get("key",
					    [&] {
						    made++;
						    std::this_thread::sleep_for(std::chrono::milliseconds(20));
						    return p;
					    }),
				  p);
		});
	for (std::thread &t : threads)
		t.join();
	EXPECT_EQ(made, 1);
}

TEST_F(Cache, AFailureIsNotKept)
{
	const program_ptr p = program("update");
	program_cache cache(disk_cache("", 0), 1 << 20);
	EXPECT_THROW(cache.get("key", []() -> program_ptr { throw invalid("no"); }), failure);
	EXPECT_EQ(cache.get("key", [&] { return p; }), p);
}

} // namespace loom::pjrt::test
