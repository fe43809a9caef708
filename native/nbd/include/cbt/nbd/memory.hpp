// Memory for data on its way to JavaScript. A stream's pieces are mostly of one size and live shortly, so freed ones
// are kept and used again: fresh pages cost about as much as the copy that fills them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace cbt::nbd {

class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  struct Piece {
    std::uint8_t* data = nullptr;
    std::size_t bytes = 0;
    std::shared_ptr<MemoryPool> pool; // null: from malloc
  };
  struct GiveBack {
    void operator()(Piece* piece) const;
  };
  using Held = std::unique_ptr<Piece, GiveBack>;

  // `piece_bytes` is the size worth keeping.
  explicit MemoryPool(std::size_t piece_bytes, std::size_t most_bytes)
      : piece_bytes_(piece_bytes), most_kept_(most_bytes / piece_bytes) {}
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  ~MemoryPool();

  // Null without memory. What is in it is whatever was there before.
  Held take(std::size_t bytes);
  // The same without a pool.
  static Held take_single(std::size_t bytes);

 private:
  const std::size_t piece_bytes_;
  const std::size_t most_kept_;
  std::mutex mutex_;
  std::vector<std::uint8_t*> kept_;
};

// Memory of the caller, and what keeps it there.
struct Bytes {
  std::uint8_t* data = nullptr;
  std::uint64_t length = 0;
  std::shared_ptr<void> owner;
};

} // namespace cbt::nbd
