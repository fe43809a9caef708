// The caller's way to stop a running job: one 32-bit cell in memory shared with JavaScript, polled once per
// window of work. Anything but zero means stop.
#pragma once

#include <cstdint>

namespace cbt {

class CancelToken {
 public:
  CancelToken() = default;
  explicit CancelToken(const std::int32_t* cell) : cell_(cell) {}

  [[nodiscard]] bool requested() const { return cell_ != nullptr && __atomic_load_n(cell_, __ATOMIC_RELAXED) != 0; }

 private:
  const std::int32_t* cell_ = nullptr;
};

} // namespace cbt
