// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PROG_CREATE, PROG_DESTROY.
#include <cerrno>

#include "harness.h"

using namespace loom_test;

namespace {

drm_loom_prog_create args_of(const std::vector<std::uint8_t> &meta) {
  drm_loom_prog_create c{};
  c.data = reinterpret_cast<std::uintptr_t>(meta.data());
  c.size = meta.size();
  return c;
}

int create(const Device &dev, drm_loom_prog_create c) {
  return dev.call(DRM_IOCTL_LOOM_PROG_CREATE, &c);
}

TEST(Prog, RejectsMalformedArguments) {
  Device dev;
  const auto meta = halt_program(dev.target()).bytes();
  drm_loom_prog_create c = args_of(meta);
  EXPECT_EQ(create(dev, c), 0);
  for (unsigned bit = 0; bit < 32; bit++) {
    c = args_of(meta);
    c.flags = 1u << bit;
    EXPECT_EQ(create(dev, c), EINVAL);
  }
  c = args_of(meta);
  c.data = 0;
  EXPECT_EQ(create(dev, c), EINVAL);
  c = args_of(meta);
  c.size = 0;
  EXPECT_EQ(create(dev, c), EINVAL);
  c.size = (64u << 20) + 1;
  EXPECT_EQ(create(dev, c), E2BIG);
  c.size = ~0ull;
  EXPECT_EQ(create(dev, c), E2BIG);
  c = args_of(meta);
  c.data = 8;
  EXPECT_EQ(create(dev, c), EFAULT);
  c = args_of(meta);
  c.consts_offset = 4096;
  EXPECT_EQ(create(dev, c), EINVAL) << "an offset without a buffer";
  c = args_of(meta);
  c.message_size = 10;
  EXPECT_EQ(create(dev, c), EINVAL) << "a size without a message";
  c = args_of(meta);
  c.consts_bo = 999;
  EXPECT_EQ(create(dev, c), ENOENT);
  c = args_of(meta);
  c.consts_bo = dev.bo(4096);
  EXPECT_EQ(create(dev, c), EINVAL) << "constants that the program lacks";
  c.consts_offset = 64;
  EXPECT_EQ(create(dev, c), EINVAL);
}

TEST(Prog, ConstantsMustFit) {
  Device dev;
  ProgramBuilder b = halt_program(dev.target());
  b.constants(8192);
  const auto meta = b.bytes();
  drm_loom_prog_create c = args_of(meta);
  EXPECT_EQ(create(dev, c), EINVAL) << "none given";
  c.consts_bo = dev.bo(4096);
  EXPECT_EQ(create(dev, c), EINVAL) << "too small";
  c.consts_bo = dev.bo(12288);
  EXPECT_EQ(create(dev, c), 0);
  c.consts_offset = 4096;
  EXPECT_EQ(create(dev, c), 0);
  c.consts_offset = 8192;
  EXPECT_EQ(create(dev, c), EINVAL);
  c.consts_offset = ~0ull & ~4095ull;
  EXPECT_EQ(create(dev, c), EINVAL);
}

TEST(Prog, MalformedContainersAreRefusedByName) {
  Device dev;
  const auto good = halt_program(dev.target()).bytes();
  std::string message;
  auto bad = good;
  bad[0] ^= 1;
  EXPECT_EQ(dev.try_prog(bad, &message), ENOEXEC);
  EXPECT_NE(message.find("magic"), std::string::npos) << message;
  bad = good;
  bad[4] = 9;
  EXPECT_EQ(dev.try_prog(bad, &message), ENOEXEC);
  EXPECT_NE(message.find("version"), std::string::npos) << message;
  bad = good;
  bad.resize(good.size() - 1);
  EXPECT_EQ(dev.try_prog(bad, &message), ENOEXEC);
  EXPECT_FALSE(message.empty());
  bad = good;
  reinterpret_cast<loom_prog_header *>(bad.data())
      ->sections[LOOM_SEC_SEGMENTS]
      .offset = ~7ull;
  EXPECT_EQ(dev.try_prog(bad, &message), ENOEXEC);
  EXPECT_NE(message.find("segment"), std::string::npos) << message;
}

// Any flipped bit of the tables gives a program or a refusal, never worse.
TEST(Prog, FlippedBits) {
  Device dev;
  ProgramBuilder b = copy_program(dev.target(), 4096);
  const auto good = b.bytes();
  unsigned refused = 0;
  for (unsigned bit = 0; bit < good.size() * 8; bit += 5) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    const int error = dev.try_prog(bad, nullptr);
    EXPECT_TRUE(error == 0 || error == ENOEXEC || error == EINVAL ||
                error == ENOMEM || error == ENOSPC || error == EOPNOTSUPP)
        << "bit " << bit << ": " << error;
    refused += error != 0;
  }
  EXPECT_GT(refused, 100u);
}

TEST(Prog, MessageIsCutToItsBuffer) {
  Device dev;
  auto bad = halt_program(dev.target()).bytes();
  bad[0] ^= 1;
  char text[16];
  std::memset(text, 'x', sizeof(text));
  drm_loom_prog_create c = args_of(bad);
  c.message = reinterpret_cast<std::uintptr_t>(text);
  c.message_size = 8;
  EXPECT_EQ(create(dev, c), ENOEXEC);
  EXPECT_EQ(text[7], '\0');
  EXPECT_EQ(text[8], 'x');
  EXPECT_EQ(std::strlen(text), 7u);
}

TEST(Prog, AnotherDevicesProgramIsRefusedByName) {
  Device dev;
  std::string message;
  ProgramBuilder b = halt_program(dev.target());
  b.target().sram_bytes *= 2;
  EXPECT_EQ(dev.try_prog(b.bytes(), &message), ENOEXEC);
  EXPECT_NE(message.find("another device"), std::string::npos) << message;
  ProgramBuilder f = halt_program(dev.target());
  f.target().features = ~0ull;
  EXPECT_EQ(dev.try_prog(f.bytes(), &message), ENOEXEC);
  EXPECT_FALSE(message.empty());
}

TEST(Prog, UnknownCpuOperationIsNotSupported) {
  Device dev;
  std::string message;
  ProgramBuilder b(dev.target());
  b.halt();
  b.segment();
  b.cpu_segment({0, 0, 0}); // structure 0
  b.entry();
  EXPECT_EQ(dev.try_prog(b.bytes(), &message), EOPNOTSUPP);
  EXPECT_NE(message.find("CPU code 0"), std::string::npos) << message;
}

TEST(Prog, Destroy) {
  Device dev;
  drm_loom_prog_destroy d{dev.prog(halt_program(dev.target())), 1};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_PROG_DESTROY, &d), EINVAL);
  d.pad = 0;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_PROG_DESTROY, &d), 0);
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_PROG_DESTROY, &d), ENOENT);
  d.prog = 0;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_PROG_DESTROY, &d), ENOENT);
}

} // namespace
