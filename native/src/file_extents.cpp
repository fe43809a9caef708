// See file_extents.hpp.
#include "cbt/file_extents.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cbt/page_builder.hpp"

namespace cbt {
namespace {

// The position belongs to the caller's descriptor.
class KeepPosition {
 public:
  explicit KeepPosition(int fd) : fd_(fd), position_(lseek(fd, 0, SEEK_CUR)) {}
  ~KeepPosition() {
    if (position_ >= 0) lseek(fd_, position_, SEEK_SET);
  }
  KeepPosition(const KeepPosition&) = delete;
  KeepPosition& operator=(const KeepPosition&) = delete;

 private:
  const int fd_;
  const off_t position_;
};

// Where the data ends at the latest: the end of a regular file. A block device says 0 and may hold data
// anywhere.
Status data_end(int fd, const ByteWindow& window, std::uint64_t& end) {
  struct stat stat = {};
  if (fstat(fd, &stat) != 0) return io_failure("asking for the size of the file", 0, errno);
  end = window.end;
  if (S_ISREG(stat.st_mode)) end = std::min(end, static_cast<std::uint64_t>(stat.st_size));
  return {};
}

off_t seek(int fd, std::uint64_t offset, int whence) {
  off_t result;
  do {
    result = lseek(fd, static_cast<off_t>(offset), whence);
  } while (result < 0 && errno == EINTR);
  return result;
}

bool cannot_tell(int error) {
  return error == EINVAL || error == EOPNOTSUPP;
}

} // namespace

Status scan_file_data(int fd, const ByteWindow& window, const CancelToken& cancel, RangePage& page) {
  PageBuilder builder(window, page);
  std::uint64_t end = 0;
  CBT_TRY(data_end(fd, window, end));
  const KeepPosition keep(fd);
  std::uint64_t at = window.start;
  do {
    if (cancel.requested()) return aborted();
    if (at >= end) break;
    const off_t data = seek(fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break; // nothing but a hole, or the end of the file
    if (data < 0 && !cannot_tell(errno)) return io_failure("asking for data", at, errno);
    const std::uint64_t first = data < 0 ? at : static_cast<std::uint64_t>(data);
    const off_t hole = data < 0 ? data : seek(fd, first, SEEK_HOLE);
    if (data >= 0 && hole < 0 && errno != ENXIO && !cannot_tell(errno)) {
      return io_failure("asking for a hole", first, errno);
    }
    // No answer, an answer that makes no sense, or a file that shrinks meanwhile: the rest counts as data.
    const std::uint64_t last = hole > data ? std::min(static_cast<std::uint64_t>(hole), end) : end;
    if (first < last && !builder.push(first, last)) break;
    at = last;
  } while (true);
  return builder.finish();
}

} // namespace cbt
