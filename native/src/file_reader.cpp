// See file_reader.hpp.
#include "cbt/file_reader.hpp"

#include <unistd.h>

#include <cerrno>

namespace cbt {

ReadResult read_fully(int fd, std::uint8_t* target, std::size_t bytes, std::uint64_t offset) {
  ReadResult result;
  while (result.bytes < bytes) {
    const ssize_t got =
        pread(fd, target + result.bytes, bytes - result.bytes, static_cast<off_t>(offset + result.bytes));
    if (got > 0) {
      result.bytes += static_cast<std::size_t>(got);
    } else if (got == 0) {
      break;
    } else if (errno != EINTR) {
      result.error = errno;
      break;
    }
  }
  return result;
}

} // namespace cbt
