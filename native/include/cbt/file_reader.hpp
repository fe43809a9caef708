// Reading a file at an offset, to the last byte or with the reason. pread only: a file that shrinks while it
// is read is an error here, where a mapping would be a SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cbt {

struct ReadResult {
  std::size_t bytes = 0; // read before the end of the file or the error
  int error = 0;         // errno, 0 for none
};

// Reads until `bytes` are there, the file ends, or a read fails. A signal is no failure.
[[nodiscard]] ReadResult read_fully(int fd, std::uint8_t* target, std::size_t bytes, std::uint64_t offset);

} // namespace cbt
