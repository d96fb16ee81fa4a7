// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Free pieces of SRAM, and what fits into them.

#ifndef LOOM_SCHEDULER_ROOM_H
#define LOOM_SCHEDULER_ROOM_H

#include "loom/Scheduler/Tiling.h"

#include <map>
#include <optional>
#include <utility>

namespace mlir::loom::program {

/// Free pieces, by address; neighbours do not touch.
class Room {
public:
  struct Piece {
    int64_t offset, bytes;
    auto operator<=>(const Piece &) const = default;
  };
  static Room all(int64_t bytes) {
    Room room;
    room.list.push_back({0, bytes});
    return room;
  }
  const std::vector<Piece> &pieces() const { return list; }
  int64_t bytes() const;
  /// Takes a range out, whatever of it is free.
  void take(int64_t offset, int64_t bytes);
  /// What is free in both.
  Room common(const Room &other) const;
  /// A place for each of `sizes` (descending, multiples of 64), or nothing:
  /// each goes into the tightest piece.
  std::optional<std::vector<int64_t>>
  pack(const std::vector<int64_t> &sizes) const;

private:
  std::vector<Piece> list;
};

/// Tilings that were searched before.
class TilingCache {
public:
  explicit TilingCache(const loom_target &target) : target(target) {}
  /// The best tiling whose buffers have a place each in `room`; null if there
  /// is none.
  const ProductTiling *find(const ProductShape &shape, const Room &room);

private:
  using Key = std::pair<ProductShape, int64_t>;
  const ProductTiling *search(const ProductShape &shape, int64_t sram);

  const loom_target &target;
  std::map<Key, std::optional<ProductTiling>> known;
};

} // namespace mlir::loom::program

#endif // LOOM_SCHEDULER_ROOM_H
