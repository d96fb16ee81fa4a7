// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_UNITTESTS_FRONTEND_TESTFILES_H
#define LOOM_UNITTESTS_FRONTEND_TESTFILES_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace mlir::loom {

inline std::string fixturePath(llvm::StringRef name) {
  const char *directory = std::getenv("LOOM_COMPILER_FIXTURES");
  llvm::SmallString<128> path(directory ? directory : "fixtures");
  llvm::sys::path::append(path, name);
  return path.str().str();
}

inline std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

inline std::shared_ptr<llvm::MemoryBuffer> toBuffer(llvm::StringRef bytes) {
  return llvm::MemoryBuffer::getMemBufferCopy(bytes);
}

/// A directory that is removed with everything in it.
class ScratchDirectory {
public:
  ScratchDirectory() { llvm::sys::fs::createUniqueDirectory("loom", path); }
  ~ScratchDirectory() { llvm::sys::fs::remove_directories(path); }
  std::string write(llvm::StringRef name, llvm::StringRef bytes) {
    llvm::SmallString<128> file(path);
    llvm::sys::path::append(file, name);
    std::error_code error;
    llvm::raw_fd_ostream(file, error) << bytes;
    EXPECT_FALSE(error) << error.message();
    return file.str().str();
  }
  std::string str() const { return path.str().str(); }

private:
  llvm::SmallString<128> path;
};

} // namespace mlir::loom

#endif // LOOM_UNITTESTS_FRONTEND_TESTFILES_H
