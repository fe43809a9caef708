#include "cbt/nbd/memory.hpp"

#include <utility>

namespace cbt::nbd {

MemoryPool::~MemoryPool() {
  for (std::uint8_t* data : kept_) std::free(data);
}

MemoryPool::Held MemoryPool::take(std::size_t bytes) {
  Held piece(new Piece);
  piece->bytes = bytes;
  if (bytes == piece_bytes_) {
    piece->pool = shared_from_this();
    const std::lock_guard lock(mutex_);
    if (!kept_.empty()) {
      piece->data = kept_.back();
      kept_.pop_back();
      return piece;
    }
  }
  piece->data = static_cast<std::uint8_t*>(std::malloc(bytes));
  if (piece->data == nullptr) return nullptr;
  return piece;
}

MemoryPool::Held MemoryPool::take_single(std::size_t bytes) {
  Held piece(new Piece);
  piece->bytes = bytes;
  piece->data = static_cast<std::uint8_t*>(std::malloc(bytes == 0 ? 1 : bytes));
  if (piece->data == nullptr) return nullptr;
  return piece;
}

void MemoryPool::GiveBack::operator()(Piece* piece) const {
  if (piece->pool != nullptr && piece->data != nullptr) {
    const std::lock_guard lock(piece->pool->mutex_);
    if (piece->pool->kept_.size() < piece->pool->most_kept_) {
      piece->pool->kept_.push_back(std::exchange(piece->data, nullptr));
    }
  }
  std::free(piece->data);
  delete piece;
}

} // namespace cbt::nbd
