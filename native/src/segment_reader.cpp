// See segment_reader.hpp. O(clusters + bytes of mixed clusters); memory is the scratch.
#include "cbt/segment_reader.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "cbt/bits.hpp"
#include "cbt/file_reader.hpp"
#include "cbt/text.hpp"

namespace cbt {
namespace {

std::string segment_name(std::size_t index) {
  return text("segments[", index, "]");
}

Status past_end(std::size_t segment, std::uint64_t cluster, std::uint64_t offset, std::uint64_t file_bytes) {
  return Status(Code::corrupt_image, text("bitmap cluster ", cluster, " of segment ", segment, " at byte ", offset,
                                          " reaches past the end of the file (", file_bytes, " bytes)"))
      .with("segment", segment)
      .with("cluster", cluster)
      .with("offsetBytes", offset)
      .with("fileBytes", file_bytes);
}

} // namespace

ByteSpan needed_bytes(std::uint64_t segment_granularity, std::uint64_t query_granularity, const ByteWindow& window) {
  const std::uint64_t fold = query_granularity / segment_granularity;
  const std::uint64_t first = window.start / query_granularity * fold;
  const std::uint64_t end = divide_up(window.end, query_granularity) * fold;
  return {first / 8, divide_up(end, 8)};
}

SegmentReader::SegmentReader(const BitmapQuery& query, std::size_t index, std::uint8_t* scratch)
    : segment_(query.segments[index]), ops_(*query.ops), cancel_(query.cancel), index_(index),
      fold_(query.granularity / segment_.granularity),
      limit_byte_(needed_bytes(segment_.granularity, query.granularity, query.window).end), scratch_(scratch) {}

// Entries past the table's end are clean. Read once: shared memory may change under us.
double SegmentReader::entry(const StoredBits& stored, std::uint64_t cluster) {
  if (cluster - stored.first_entry >= stored.table_entries) return 0;
  double value;
  __atomic_load(stored.table + (cluster - stored.first_entry), &value, __ATOMIC_RELAXED);
  return value;
}

BitRun::Kind SegmentReader::kind_of(double entry) {
  if (entry == 0) return BitRun::Kind::clean;
  return entry == 1 ? BitRun::Kind::dirty : BitRun::Kind::mixed;
}

Status SegmentReader::offset_of(const StoredBits& stored, std::uint64_t cluster, std::uint64_t& offset) const {
  const double value = entry(stored, cluster);
  const std::uint64_t most = kMaxBytes - stored.cluster_bytes;
  if (value >= 0 && value <= static_cast<double>(most) && value == std::trunc(value)) [[likely]] {
    offset = static_cast<std::uint64_t>(value);
    return {};
  }
  return invalid_argument(text(segment_name(index_), ".bits.table[", cluster, "]"), value,
                          text("0, 1 or a byte offset of at most ", most));
}

BitRun SegmentReader::byte_run_at(std::uint64_t byte) {
  if (byte_run_.end <= byte || run_first_ > byte) {
    run_first_ = byte;
    const auto* stored = std::get_if<StoredBits>(&segment_.bits);
    byte_run_ = stored != nullptr ? find_run(*stored, byte) : find_run(std::get<MemoryBits>(segment_.bits), byte);
  }
  return byte_run_;
}

BitRun SegmentReader::find_run(const MemoryBits& memory, std::uint64_t byte) {
  const std::uint64_t end = memory.first_byte + memory.bytes;
  if (byte < end) return {BitRun::Kind::mixed, end};
  return {BitRun::Kind::clean, kMaxBytes};
}

BitRun SegmentReader::find_run(const StoredBits& stored, std::uint64_t byte) const {
  std::uint64_t cluster = byte / stored.cluster_bytes;
  const std::uint64_t table_end = stored.first_entry + stored.table_entries;
  if (cluster >= table_end) return {BitRun::Kind::clean, kMaxBytes};
  const std::uint64_t end = std::min(table_end, divide_up(limit_byte_, stored.cluster_bytes));
  const BitRun::Kind kind = kind_of(entry(stored, cluster));
  do ++cluster;
  while (cluster < end && kind_of(entry(stored, cluster)) == kind);
  return {kind, cluster * stored.cluster_bytes};
}

BitRun SegmentReader::run_at(std::uint64_t bit) {
  const BitRun bytes = byte_run_at(bit * fold_ / 8);
  const std::uint64_t end = bytes.end * 8; // at most 2^56
  if (bytes.kind != BitRun::Kind::clean) return {bytes.kind, divide_up(end, fold_)};
  // When only the first part of the coarse bit is known to be clean, it has to be looked at.
  if (end / fold_ <= bit) return {BitRun::Kind::mixed, bit + 1};
  return {BitRun::Kind::clean, end / fold_};
}

const std::uint8_t* SegmentReader::in_place(std::uint64_t bit, std::uint64_t end, std::uint64_t& words) const {
  const auto* memory = std::get_if<MemoryBits>(&segment_.bits);
  if (memory == nullptr || fold_ != 1 || bit % 64 != 0) return nullptr;
  const std::uint64_t end_bit = std::min(end, (memory->first_byte + memory->bytes) * 8);
  if (end_bit < bit + 64 || bit / 8 < memory->first_byte) return nullptr;
  words = (end_bit - bit) / 64;
  return memory->data + (bit / 8 - memory->first_byte);
}

Status SegmentReader::read(std::uint64_t first, std::uint64_t end, std::uint8_t* target) {
  if (const auto* memory = std::get_if<MemoryBits>(&segment_.bits)) {
    std::memcpy(target, memory->data + (first - memory->first_byte), end - first);
    return {};
  }
  return read_clusters(std::get<StoredBits>(segment_.bits), first, end, target);
}

// Clusters that follow one another in the file are read at once.
Status SegmentReader::read_clusters(const StoredBits& stored, std::uint64_t first, std::uint64_t end,
                                    std::uint8_t* target) {
  while (first < end) {
    const std::uint64_t cluster = first / stored.cluster_bytes;
    std::uint64_t offset = 0;
    CBT_TRY(offset_of(stored, cluster, offset));
    std::uint64_t piece_end = (cluster + 1) * stored.cluster_bytes;
    for (std::uint64_t next = cluster + 1; piece_end < end; ++next) {
      std::uint64_t next_offset = 0;
      CBT_TRY(offset_of(stored, next, next_offset));
      if (next_offset != offset + (next - cluster) * stored.cluster_bytes) break;
      piece_end += stored.cluster_bytes;
    }
    piece_end = std::min(piece_end, end);
    const std::uint64_t at = offset + (first - cluster * stored.cluster_bytes);
    const ReadResult result = read_fully(stored.fd, target, piece_end - first, at);
    if (result.error != 0) {
      return io_failure(text("reading bitmap cluster ", cluster, " of segment ", index_), at + result.bytes,
                        result.error);
    }
    if (result.bytes != piece_end - first) {
      const std::uint64_t bad = (first + result.bytes) / stored.cluster_bytes;
      return past_end(index_, bad, offset + (bad - cluster) * stored.cluster_bytes, at + result.bytes);
    }
    target += piece_end - first;
    first = piece_end;
  }
  return {};
}

Status SegmentReader::or_into(std::uint8_t* target, std::uint64_t first, std::uint64_t end, bool fresh) {
  if (fold_ == 1) return or_same(target, first, end, fresh);
  if (fresh) std::memset(target, 0, (divide_up(end, 64) - first / 64) * 8);
  return or_folded(target, first, end);
}

Status SegmentReader::or_same(std::uint8_t* target, std::uint64_t first, std::uint64_t end, bool fresh) {
  const std::uint64_t base_byte = first / 64 * 8;
  const std::uint64_t end_byte = divide_up(end, 8);
  std::uint64_t byte = first / 8;
  if (fresh) { // the words at both ends may be covered in part only
    std::memset(target + (byte - base_byte) / 8 * 8, 0, 8);
    std::memset(target + (end_byte - 1 - base_byte) / 8 * 8, 0, 8);
  }
  while (byte < end_byte) {
    const BitRun run = byte_run_at(byte);
    std::uint64_t piece_end = std::min(run.end, end_byte);
    std::uint8_t* const at = target + (byte - base_byte);
    if (run.kind == BitRun::Kind::dirty) {
      std::memset(at, 0xff, piece_end - byte);
    } else if (run.kind == BitRun::Kind::clean) {
      if (fresh) std::memset(at, 0, piece_end - byte);
    } else if (fresh) {
      CBT_TRY(read(byte, piece_end, at));
    } else if (const auto* memory = std::get_if<MemoryBits>(&segment_.bits)) {
      ops_.or_bytes(at, memory->data + (byte - memory->first_byte), piece_end - byte);
    } else {
      piece_end = std::min(piece_end, byte + kScratchBytes);
      CBT_TRY(read(byte, piece_end, scratch_));
      ops_.or_bytes(at, scratch_, piece_end - byte);
    }
    byte = piece_end;
  }
  return {};
}

Status SegmentReader::or_folded(std::uint8_t* target, std::uint64_t first, std::uint64_t end) {
  const std::uint64_t base = first / 64 * 64;
  // With a small fold the ends may share a byte with bits that were not asked for; those may be set too.
  std::uint64_t byte = first * fold_ / 8;
  const std::uint64_t end_byte = divide_up(end * fold_, 8);
  while (byte < end_byte) {
    if (cancel_.requested()) return aborted();
    const BitRun run = byte_run_at(byte);
    std::uint64_t piece_end = std::min(run.end, end_byte);
    if (run.kind == BitRun::Kind::dirty) {
      const std::uint64_t dirty_end = std::min(divide_up(piece_end * 8, fold_), end);
      set_bits(target, std::max(byte * 8 / fold_, base) - base, dirty_end - base);
    } else if (run.kind == BitRun::Kind::mixed) {
      // Windows end where a scratch full of words ends, so that only the first may begin within a target
      // word.
      const std::uint64_t words_start = byte / 256 * 256;
      piece_end = std::min(piece_end, words_start + kScratchBytes);
      CBT_TRY(fold_mixed(target, base, byte, piece_end));
    }
    byte = piece_end;
  }
  return {};
}

Status SegmentReader::fold_mixed(std::uint8_t* target, std::uint64_t base, std::uint64_t first_byte,
                                 std::uint64_t end_byte) {
  // Small folds turn `fold` words into one target word, so they start at such a group; larger ones go word by
  // word.
  const std::uint64_t group_bytes = 8 * std::min<std::uint64_t>(fold_, 32);
  const std::uint64_t start = first_byte / group_bytes * group_bytes;
  const std::uint64_t stop = divide_up(end_byte, group_bytes) * group_bytes;
  std::uint8_t* const words = scratch_;
  std::memset(words, 0, first_byte - start);
  CBT_TRY(read(first_byte, end_byte, words + (first_byte - start)));
  std::memset(words + (end_byte - start), 0, stop - end_byte);
  std::uint64_t word_count = (stop - start) / 8;
  if (fold_ < 64) {
    for (std::uint64_t factor = fold_; factor > 1; factor /= 2) {
      ops_.fold_half(words, word_count);
      word_count /= 2;
    }
    ops_.or_bytes(target + (start / fold_ - base / 8), words, word_count * 8);
    return {};
  }
  const int shift = std::countr_zero(fold_) - 6; // words in a coarse bit, as a power of two
  for (std::uint64_t i = 0; i < word_count; ++i) {
    if (load_le64(words + 8 * i) == 0) continue;
    const std::uint64_t bit = ((start / 8 + i) >> shift) - base;
    target[bit / 8] |= static_cast<std::uint8_t>(1u << (bit % 8));
  }
  return {};
}

} // namespace cbt
