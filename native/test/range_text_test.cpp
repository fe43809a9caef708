// Ranges as text, against std::to_string.
#include "cbt/range_text.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "check.hpp"

namespace {

std::string formatted(const std::vector<double>& values, const cbt::RangeStyle& style) {
  cbt::Block block;
  const cbt::RangeView view{values.data(), values.size() / 2};
  CHECK(cbt::format_ranges(view, style, {}, block).is_ok());
  std::string text(static_cast<const char*>(block.data), block.bytes);
  cbt::free_block(block);
  return text;
}

std::string expected(const std::vector<double>& values, const cbt::RangeStyle& style) {
  std::string text;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    text += style.before + std::to_string(static_cast<std::uint64_t>(values[i])) + style.between +
            std::to_string(static_cast<std::uint64_t>(values[i + 1])) + style.after;
  }
  return text;
}

} // namespace

TEST("ranges as text are what to_string says") {
  const cbt::RangeStyle style{"<", "+", ">"};
  std::uint64_t power = 1;
  for (int digits = 0; digits < 16; ++digits, power *= 10) {
    for (const std::uint64_t value : {power - 1, power, power + 1}) {
      const std::vector<double> one{static_cast<double>(value), 1};
      CHECK(formatted(one, style) == expected(one, style));
    }
  }
  const std::vector<double> last{0, static_cast<double>(cbt::kMaxBytes)};
  CHECK(formatted(last, style) == "<0+9007199254740991>");
  CHECK(formatted({}, style).empty());

  // Larger than the heap takes, and than a huge page.
  std::vector<double> many;
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    many.push_back(static_cast<double>(i * 7919));
    many.push_back(static_cast<double>(i % 7918 + 1));
  }
  CHECK(formatted(many, style) == expected(many, style));

  // Memory that changes under the reader may hold anything: never more digits than there is room for.
  CHECK(formatted({-1, 1e300}, style) == "<9007199254740991+9007199254740991>");
  CHECK(!cbt::check_style_part("before", std::string(cbt::kMaxStyleBytes + 1, 'x')).is_ok());
  CHECK(cbt::check_style_part("before", std::string(cbt::kMaxStyleBytes, 'x')).is_ok());

  std::int32_t stop = 1;
  cbt::Block block;
  CHECK(cbt::format_ranges({many.data(), many.size() / 2}, style, cbt::CancelToken(&stop), block).code() ==
        cbt::Code::aborted);
  CHECK(block.data == nullptr);
}

TEST_MAIN()
