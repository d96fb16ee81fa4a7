// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Scheduler/Room.h"

#include <algorithm>

using namespace mlir::loom::program;

/// Limits that a search is asked for, a share of SRAM: few, so that equal
/// layers share their search.
static constexpr int64_t kLimits = 32;

int64_t Room::bytes() const {
  int64_t total = 0;
  for (const Piece &piece : list)
    total += piece.bytes;
  return total;
}

void Room::take(int64_t offset, int64_t bytes) {
  const int64_t end = offset + bytes;
  std::vector<Piece> rest;
  for (const Piece &piece : list) {
    const int64_t pieceEnd = piece.offset + piece.bytes;
    if (pieceEnd <= offset || end <= piece.offset) {
      rest.push_back(piece);
      continue;
    }
    if (piece.offset < offset)
      rest.push_back({piece.offset, offset - piece.offset});
    if (end < pieceEnd)
      rest.push_back({end, pieceEnd - end});
  }
  list = std::move(rest);
}

Room Room::common(const Room &other) const {
  Room both;
  for (const Piece &a : list)
    for (const Piece &b : other.list) {
      const int64_t lo = std::max(a.offset, b.offset),
                    hi = std::min(a.offset + a.bytes, b.offset + b.bytes);
      if (lo < hi)
        both.list.push_back({lo, hi - lo});
    }
  return both;
}

std::optional<std::vector<int64_t>>
Room::pack(const std::vector<int64_t> &sizes) const {
  std::vector<Piece> free = list;
  std::vector<int64_t> places;
  for (int64_t size : sizes) {
    Piece *tightest = nullptr;
    for (Piece &piece : free)
      if (piece.bytes >= size && (!tightest || piece.bytes < tightest->bytes))
        tightest = &piece;
    if (!tightest)
      return std::nullopt;
    places.push_back(tightest->offset);
    tightest->offset += size;
    tightest->bytes -= size;
  }
  return places;
}

const ProductTiling *TilingCache::search(const ProductShape &shape,
                                         int64_t sram) {
  auto [known, fresh] = this->known.try_emplace({shape, sram});
  if (fresh) {
    ProductTiling found;
    if (tileProduct(shape, target, sram, found))
      known->second = found;
  }
  return known->second ? &*known->second : nullptr;
}

const ProductTiling *TilingCache::find(const ProductShape &shape,
                                       const Room &room) {
  const int64_t step = int64_t(target.sram_bytes) / kLimits;
  // Pieces may be too small for what fits them all together.
  for (int64_t limit = room.bytes() / step * step;; limit -= 2 * step) {
    if (limit < step)
      limit = std::min(step, room.bytes());
    const ProductTiling *tiling = search(shape, limit);
    if (!tiling)
      return nullptr;
    if (room.pack(tiling->buffers(shape)))
      return tiling;
    if (limit <= step)
      return nullptr;
  }
}
