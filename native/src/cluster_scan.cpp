// See cluster_scan.hpp. L2 tables are read in windows of up to 256 KiB; tables that follow one another in the
// file are read at once, and L1 entries without a table cost nothing but a look.
#include "cbt/cluster_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "cbt/bits.hpp"
#include "cbt/file_reader.hpp"
#include "cbt/l2_entry.hpp"
#include "cbt/page_builder.hpp"
#include "cbt/text.hpp"

namespace cbt {
namespace {

constexpr std::uint64_t kReadBytes = std::uint64_t{256} << 10;

const char* explain(L2Fault fault) {
  switch (fault) {
  case L2Fault::reserved_bits: return "it has reserved bits set";
  case L2Fault::zero_in_version_2: return "it has a zero flag, which version 2 does not know";
  case L2Fault::zero_with_subclusters: return "it has a zero flag, where its subclusters have one each";
  case L2Fault::unaligned: return "its host offset is not a multiple of the cluster size";
  case L2Fault::past_end: return "its host cluster lies past the end of the file";
  case L2Fault::not_guest_offset: return "its offset in the external data file is not the guest offset";
  case L2Fault::data_and_zeros: return "it has subclusters that are both data and zeros";
  case L2Fault::data_without_host: return "it has subclusters with data, but no host cluster";
  case L2Fault::compressed_outside: return "it is compressed, but the image has an external data file";
  case L2Fault::compressed_subclusters: return "it is compressed, but has subclusters";
  case L2Fault::none: break;
  }
  return "it is valid";
}

std::string hex(std::uint64_t value) {
  char text[19] = "0x0000000000000000";
  for (int i = 0; i < 16; ++i) text[17 - i] = "0123456789abcdef"[value >> (4 * i) & 15];
  return text;
}

// Consecutive clusters of the class, as spans for the page.
class Runs {
 public:
  Runs(PageBuilder& builder) : builder_(builder) {}

  // From byte `at` on, clusters are in the class or not. False when the page is complete.
  bool set(std::uint64_t at, bool inside) {
    if (inside == inside_) return true;
    inside_ = inside;
    if (!inside) return builder_.push(start_, at);
    start_ = at;
    return builder_.fits(at);
  }

 private:
  PageBuilder& builder_;
  bool inside_ = false;
  std::uint64_t start_ = 0;
};

class ClusterScan {
 public:
  ClusterScan(const ClusterTables& tables, ClusterClass wanted, const ByteWindow& window, const CancelToken& cancel,
              RangePage& page)
      : tables_(tables), wanted_(wanted), window_(window), cancel_(cancel), builder_(window, page), runs_(builder_),
        buffer_(new std::uint8_t[kReadBytes]), entry_bytes_(tables.extended_l2 ? 16 : 8),
        cluster_bytes_(std::uint64_t{1} << tables.cluster_bits), per_table_(cluster_bytes_ / entry_bytes_) {
    rules_ = {cluster_bytes_, tables.extended_l2, tables.version, tables.external_data, tables.file_bytes};
  }

  Status run() {
    const std::uint64_t end = divide_up(window_.end, cluster_bytes_);
    if (const std::uint64_t needed = needed_tables(tables_, window_); tables_.l1_entries < needed) {
      return invalid_argument("tables.l1", text("\"", tables_.l1_entries, " entries\""),
                              text("at least ", needed, " for a window that ends at byte ", window_.end));
    }
    std::uint64_t cluster = window_.start / cluster_bytes_;
    bool more = window_.start < window_.end;
    while (more && cluster < end) {
      if (cancel_.requested()) return aborted();
      CBT_TRY(step(cluster, end, more));
    }
    if (more) static_cast<void>(runs_.set(window_.end, false));
    return builder_.finish();
  }

 private:
  // Handles the clusters from `cluster` on that one L1 entry without a table, or one read, covers.
  Status step(std::uint64_t& cluster, std::uint64_t end, bool& more) {
    std::uint64_t table = cluster / per_table_;
    std::uint64_t offset = 0;
    CBT_TRY(table_offset(table, offset));
    if (offset == 0) {
      more = runs_.set(cluster << tables_.cluster_bits, false);
      cluster = std::min((table + 1) * per_table_, end);
      return {};
    }
    const std::uint64_t first = cluster - table * per_table_;
    std::uint64_t entries = per_table_ - first;
    const std::uint64_t most = std::min(kReadBytes / entry_bytes_, end - cluster);
    while (entries < most) {
      std::uint64_t next = 0;
      // A bad entry ends the read; it is reported when it is reached.
      if (!table_offset(table + 1, next).is_ok() || next != offset + (first + entries) * entry_bytes_) break;
      ++table;
      entries += per_table_;
    }
    entries = std::min(entries, most);
    const std::uint64_t bytes = entries * entry_bytes_;
    const std::uint64_t at = offset + first * entry_bytes_;
    const ReadResult result = read_fully(tables_.fd, buffer_.get(), bytes, at);
    if (result.error != 0) return io_failure("reading an L2 table", at + result.bytes, result.error);
    if (result.bytes < bytes) {
      const std::uint64_t bad = (cluster + result.bytes / entry_bytes_) / per_table_;
      return Status(Code::corrupt_image,
                    text("L2 table ", bad, " reaches past the end of the file (", at + result.bytes, " bytes)"))
          .with("l1Index", bad)
          .with("fileBytes", at + result.bytes);
    }
    CBT_TRY(tables_.extended_l2 ? read_entries<true>(cluster, entries, more)
                                : read_entries<false>(cluster, entries, more));
    cluster += entries;
    return {};
  }

  // Offset of a table in the file, 0 for none. The table covers clusters of the window.
  Status table_offset(std::uint64_t table, std::uint64_t& offset) const {
    double value;
    __atomic_load(tables_.l1 + table, &value, __ATOMIC_RELAXED);
    offset = 0;
    if (value == 0) [[likely]]
      return {};
    if (!(value > 0 && value < static_cast<double>(kMaxBytes) && value == std::trunc(value))) {
      return check_byte_count(text("tables.l1[", table, "]"), value, offset);
    }
    offset = static_cast<std::uint64_t>(value);
    const bool unaligned = offset % cluster_bytes_ != 0;
    if (!unaligned && offset < tables_.file_bytes) [[likely]]
      return {};
    const std::string why = unaligned ? text("which is not a multiple of the cluster size ", cluster_bytes_)
                                      : text("past the end of the file (", tables_.file_bytes, " bytes)");
    return Status(Code::corrupt_image, text("L2 table ", table, " is at byte ", offset, ", ", why))
        .with("l1Index", table)
        .with("offsetBytes", offset);
  }

  template <bool Extended>
  Status read_entries(std::uint64_t cluster, std::uint64_t entries, bool& more) {
    const std::uint8_t* bytes = buffer_.get();
    for (std::uint64_t i = 0; i < entries; ++i, bytes += Extended ? 16 : 8) {
      const std::uint64_t entry = load_be64(bytes);
      const std::uint64_t subclusters = Extended ? load_be64(bytes + 8) : 0;
      const std::uint64_t at = (cluster + i) << tables_.cluster_bits;
      const L2Meaning meaning = read_l2_entry(rules_, entry, subclusters, at);
      if (meaning.fault != L2Fault::none) [[unlikely]] {
        return bad_entry(cluster + i, entry, subclusters, meaning.fault);
      }
      const std::uint32_t inside = wanted_ == ClusterClass::data ? meaning.data : meaning.allocated;
      if (!Extended || inside == 0 || inside == 0xffffffff) {
        more = runs_.set(at, inside != 0);
      } else {
        more = subcluster_runs(at, inside);
      }
      if (!more) return {};
    }
    return {};
  }

  bool subcluster_runs(std::uint64_t at, std::uint32_t inside) {
    const std::uint64_t subcluster_bytes = cluster_bytes_ / kSubclusters;
    for (std::uint32_t bit = 0; bit < kSubclusters;) {
      const bool set = (inside >> bit & 1) != 0;
      if (!runs_.set(at + bit * subcluster_bytes, set)) return false;
      const std::uint32_t rest = inside >> bit;
      bit += static_cast<std::uint32_t>(set ? std::countr_one(rest) : std::countr_zero(rest));
    }
    return true;
  }

  Status bad_entry(std::uint64_t cluster, std::uint64_t entry, std::uint64_t subclusters, L2Fault fault) const {
    const std::uint64_t table = cluster / per_table_;
    const std::uint64_t index = cluster % per_table_;
    std::string value = hex(entry);
    if (tables_.extended_l2) value.append(" ").append(hex(subclusters));
    return Status(Code::corrupt_image, text("entry ", index, " of L2 table ", table, " (guest byte ",
                                            cluster << tables_.cluster_bits, ") is ", value, ": ", explain(fault)))
        .with("l1Index", table)
        .with("l2Index", index)
        .with("value", value);
  }

  const ClusterTables& tables_;
  const ClusterClass wanted_;
  const ByteWindow window_;
  const CancelToken cancel_;
  PageBuilder builder_;
  Runs runs_;
  const std::unique_ptr<std::uint8_t[]> buffer_;
  const std::uint64_t entry_bytes_;
  const std::uint64_t cluster_bytes_;
  const std::uint64_t per_table_; // entries of an L2 table, which is one cluster long
  L2Rules rules_;
};

} // namespace

Status check_tables(double cluster_bits, double version, double file_bytes, ClusterTables& tables) {
  const std::uint32_t least = tables.extended_l2 ? kMinExtendedClusterBits : kMinClusterBits;
  std::uint64_t bits = 0;
  CBT_TRY(check_integer("tables.clusterBits", cluster_bits, least, kMaxClusterBits, bits));
  tables.cluster_bits = static_cast<std::uint32_t>(bits);
  if (version != 2 && version != 3) return invalid_argument("tables.version", version, "2 or 3");
  tables.version = static_cast<std::uint32_t>(version);
  if (version == 2 && (tables.extended_l2 || tables.external_data)) {
    return invalid_argument("tables.version", version, "3 with extended L2 entries or an external data file");
  }
  return check_byte_count("tables.fileBytes", file_bytes, tables.file_bytes);
}

std::uint64_t needed_tables(const ClusterTables& tables, const ByteWindow& window) {
  if (window.start == window.end) return 0;
  const std::uint64_t cluster_bytes = std::uint64_t{1} << tables.cluster_bits;
  const std::uint64_t per_table = cluster_bytes / (tables.extended_l2 ? 16 : 8);
  return divide_up(divide_up(window.end, cluster_bytes), per_table);
}

Status scan_clusters(const ClusterTables& tables, ClusterClass wanted, const ByteWindow& window,
                     const CancelToken& cancel, RangePage& page) {
  return ClusterScan(tables, wanted, window, cancel, page).run();
}

} // namespace cbt
