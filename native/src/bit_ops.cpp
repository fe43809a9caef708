// Chooses the inner loops; see bit_ops.hpp.
#include "cbt/bit_ops.hpp"

#include "cbt/text.hpp"

namespace cbt {

EdgeScan::EdgeScan(double granularity_bytes) : granularity(granularity_bytes), word_bytes(64 * granularity_bytes) {
  for (int bit = 0; bit <= 64; ++bit) position[bit] = bit * granularity_bytes;
}

Status choose_bit_ops(std::string_view forced, const BitOps*& out) {
  const BitOps* avx2 = avx2_bit_ops();
  if (forced.empty()) {
    out = avx2 != nullptr ? avx2 : &portable_bit_ops();
    return {};
  }
  if (forced == "portable") {
    out = &portable_bit_ops();
    return {};
  }
  if (forced == "avx2" && avx2 != nullptr) {
    out = avx2;
    return {};
  }
  return invalid_argument("QEMU_CBT_SIMD", text("\"", forced, "\""),
                          avx2 != nullptr ? "portable or avx2" : "portable (this processor has no AVX2)");
}

} // namespace cbt
