// See range_buffer.hpp. Linux only: anonymous mappings, transparent huge pages where the kernel offers them,
// mremap.
#include "cbt/range_buffer.hpp"
#include "cbt/text.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace cbt {
namespace {

constexpr std::size_t kHeapBytes = std::size_t{512} << 10; // larger answers are mapped
constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Scans write a window of values at once before they count them; this much may lie past the limit of an
// answer.
constexpr std::uint64_t kSlackBytes = std::uint64_t{1} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

Status too_large() {
  return Status(Code::unsupported, text("the answer needs more than ", kMaxAnswerBytes,
                                        " bytes of memory; ask for it page by page (maxRanges)"))
      .with("limitBytes", kMaxAnswerBytes);
}

Status no_memory(std::uint64_t bytes) {
  return Status(Code::backend_unavailable,
                text("no memory for an answer of ", bytes, " bytes; ask for it page by page (maxRanges)"))
      .with("errno", "ENOMEM")
      .with("bytes", bytes);
}

void* map_anonymous(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// A mapping that starts on a huge page, so that whole huge pages fit in.
void* map_aligned(std::size_t bytes) {
  void* memory = map_anonymous(bytes + kHugePage);
  if (memory == nullptr) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t head = round_up(address, kHugePage) - address;
  if (head != 0) munmap(memory, head);
  munmap(static_cast<char*>(memory) + head + bytes, kHugePage - head);
  return static_cast<char*>(memory) + head;
}

// Huge pages cut the page faults of a large answer by 512, and their share of its time from most to little. Up to two
// megabytes more than the answer are held for it. A kernel without huge pages just says no.
void advise_huge_pages(void* data, std::size_t bytes) {
  madvise(data, bytes, MADV_HUGEPAGE);
}

} // namespace

void free_block(const Block& block) {
  if (block.mapped_bytes != 0) {
    munmap(block.data, block.mapped_bytes);
  } else {
    std::free(block.data);
  }
}

void shrink_block(Block& block, std::size_t bytes) {
  const std::size_t kept = round_up(std::max<std::size_t>(bytes, 1), kPage);
  if (kept < block.mapped_bytes) {
    munmap(static_cast<char*>(block.data) + kept, block.mapped_bytes - kept);
    block.mapped_bytes = kept;
  }
  block.bytes = bytes;
}

Block allocate_zeroed(std::size_t bytes) {
  if (bytes <= kHeapBytes) return {std::calloc(std::max<std::size_t>(bytes, 1), 1), bytes, 0};
  const std::size_t mapped_bytes = round_up(bytes, kPage);
  void* data = bytes < kHugePage ? map_anonymous(mapped_bytes) : map_aligned(mapped_bytes);
  if (data != nullptr && bytes >= kHugePage) advise_huge_pages(data, mapped_bytes);
  return {data, bytes, data == nullptr ? 0 : mapped_bytes};
}

RangeBuffer::~RangeBuffer() {
  free_block({data_, 0, mapped_bytes_});
}

void RangeBuffer::expect_at_most(std::uint64_t values) {
  constexpr std::uint64_t limit = kMaxAnswerBytes / sizeof(double);
  expected_bytes_ = std::min(values, limit) * sizeof(double);
}

Status RangeBuffer::grow(std::size_t more) {
  const std::uint64_t least_bytes = (std::uint64_t{size_} + more) * sizeof(double);
  if (least_bytes > kMaxAnswerBytes + kSlackBytes) return too_large();
  if (least_bytes <= kHeapBytes) {
    const std::size_t wanted = std::max<std::size_t>(2 * capacity_ * sizeof(double), kPage);
    const std::size_t bytes = std::clamp<std::size_t>(wanted, least_bytes, kHeapBytes);
    void* data = std::realloc(data_, bytes);
    if (data == nullptr) return no_memory(bytes);
    data_ = static_cast<double*>(data);
    capacity_ = bytes / sizeof(double);
    return {};
  }
  return map(least_bytes) ? Status() : no_memory(least_bytes);
}

bool RangeBuffer::map(std::size_t least_bytes) {
  if (mapped_bytes_ != 0) { // only where the whole address space could not be had at once
    const std::size_t bytes = round_up(std::max(2 * mapped_bytes_, least_bytes), kHugePage);
    void* data = mremap(data_, mapped_bytes_, bytes, MREMAP_MAYMOVE);
    if (data == MAP_FAILED) return false;
    advise_huge_pages(data, bytes);
    data_ = static_cast<double*>(data);
    mapped_bytes_ = bytes;
    capacity_ = bytes / sizeof(double);
    return true;
  }
  std::size_t bytes = round_up(std::max<std::size_t>(expected_bytes_ + kSlackBytes, least_bytes), kHugePage);
  void* data = map_aligned(bytes);
  while (data == nullptr && bytes / 2 >= least_bytes) {
    bytes = round_up(bytes / 2, kPage);
    data = map_aligned(bytes);
  }
  if (data == nullptr) return false;
  advise_huge_pages(data, bytes);
  std::copy_n(data_, size_, static_cast<double*>(data));
  std::free(data_);
  data_ = static_cast<double*>(data);
  mapped_bytes_ = bytes;
  capacity_ = bytes / sizeof(double);
  return true;
}

Block RangeBuffer::release() {
  const std::size_t bytes = size_ * sizeof(double);
  Block block{data_, bytes, mapped_bytes_};
  if (mapped_bytes_ != 0) {
    shrink_block(block, bytes);
  } else if (data_ != nullptr) {
    void* data = std::realloc(data_, std::max<std::size_t>(bytes, 1));
    if (data != nullptr) block.data = data;
  }
  data_ = nullptr;
  size_ = capacity_ = mapped_bytes_ = 0;
  return block;
}

} // namespace cbt
