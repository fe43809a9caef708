// See range_text.hpp.
#include "cbt/range_text.hpp"

#include <array>
#include <cstring>

#include "cbt/text.hpp"

namespace cbt {
namespace {

constexpr std::size_t kRangesPerPoll = 1 << 16;
constexpr std::size_t kMaxDigits = 16; // of 2^53 - 1

// "00" to "99", one after the other.
constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (unsigned n = 0; n < 100; ++n) {
    pairs[2 * n] = static_cast<char>('0' + n / 10);
    pairs[2 * n + 1] = static_cast<char>('0' + n % 10);
  }
  return pairs;
}();

void put_pair(char* target, std::uint32_t pair) {
  std::memcpy(target, kPairs.data() + 2 * pair, 2);
}

// Exactly eight digits.
void put_eight(char* target, std::uint32_t value) {
  const std::uint32_t high = value / 10000;
  const std::uint32_t low = value % 10000;
  put_pair(target, high / 100);
  put_pair(target + 2, high % 100);
  put_pair(target + 4, low / 100);
  put_pair(target + 6, low % 100);
}

// The digits of a value below 10^8, without leading zeros.
char* put_short(char* target, std::uint32_t value) {
  char digits[8];
  put_eight(digits, value);
  std::size_t skip = 0;
  while (skip < 7 && digits[skip] == '0') ++skip;
  std::memcpy(target, digits + skip, 8 - skip);
  return target + (8 - skip);
}

// A value of at most kMaxDigits digits.
char* put_number(char* target, std::uint64_t value) {
  constexpr std::uint64_t eight = 100'000'000;
  if (value < eight) return put_short(target, static_cast<std::uint32_t>(value));
  target = put_short(target, static_cast<std::uint32_t>(value / eight));
  put_eight(target, static_cast<std::uint32_t>(value % eight));
  return target + 8;
}

char* put_text(char* target, const std::string& part) {
  std::memcpy(target, part.data(), part.size());
  return target + part.size();
}

} // namespace

Status check_style_part(std::string_view argument, const std::string& part) {
  if (part.size() <= kMaxStyleBytes) return {};
  return invalid_argument(argument, text(part.size(), " bytes"), text("at most ", kMaxStyleBytes, " bytes"));
}

Status format_ranges(const RangeView& ranges, const RangeStyle& style, const CancelToken& cancel, Block& out) {
  const std::uint64_t most = style.before.size() + style.between.size() + style.after.size() + 2 * kMaxDigits;
  if (ranges.count > kMaxAnswerBytes / most) {
    return Status(Code::unsupported, text("the text of ", ranges.count, " ranges may need more than ", kMaxAnswerBytes,
                                          " bytes; ask for fewer at once"))
        .with("ranges", ranges.count)
        .with("limitBytes", kMaxAnswerBytes);
  }
  Block block = allocate_zeroed(ranges.count * most);
  if (block.data == nullptr) {
    return Status(Code::backend_unavailable, text("no memory for ", ranges.count * most, " bytes of text"))
        .with("errno", "ENOMEM")
        .with("bytes", ranges.count * most);
  }
  char* at = static_cast<char*>(block.data);
  for (std::size_t i = 0; i < ranges.count; ++i) {
    if (i % kRangesPerPoll == 0 && cancel.requested()) {
      free_block(block);
      return aborted();
    }
    // Memory that others write may hold anything by now: what is no exact offset any more is told as the largest.
    const auto number = [](double value) {
      return value >= 0 && value <= static_cast<double>(kMaxBytes) ? static_cast<std::uint64_t>(value) : kMaxBytes;
    };
    at = put_text(at, style.before);
    at = put_number(at, number(ranges.offset(i)));
    at = put_text(at, style.between);
    at = put_number(at, number(ranges.length(i)));
    at = put_text(at, style.after);
  }
  shrink_block(block, static_cast<std::size_t>(at - static_cast<char*>(block.data)));
  out = block;
  return {};
}

} // namespace cbt
