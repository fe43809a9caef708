// Draws numbers from a fuzzer's bytes; past their end it draws zeros.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  std::uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  // An integer of so many bytes.
  std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  std::uint64_t below(std::uint64_t limit) { return number(limit > 0xffff ? 4 : 2) % limit; }
  bool flag() { return (byte() & 1) != 0; }
  // Any double at all, NaNs and infinities included.
  double any_double() {
    const std::uint64_t bits = number(8);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> result(count < left_ ? count : left_);
    if (!result.empty()) std::memcpy(result.data(), data_, result.size());
    data_ += result.size();
    left_ -= result.size();
    return result;
  }
  std::vector<std::uint8_t> rest() { return bytes(left_); }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

} // namespace fuzz

// Unlike assert it stays in every build.
#define MUST(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                               \
      std::abort();                                                                                                    \
    }                                                                                                                  \
  } while (false)
