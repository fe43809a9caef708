// See file_lock.hpp.
#include "cbt/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cbt {

BorrowedFile::BorrowedFile(BorrowedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

BorrowedFile& BorrowedFile::operator=(BorrowedFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

BorrowedFile::~BorrowedFile() {
  if (fd_ != -1) close(fd_);
}

Status BorrowedFile::borrow(int fd) {
  BorrowedFile copy;
  copy.fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy.fd_ == -1) return io_failure("taking a descriptor", 0, errno);
  *this = std::move(copy);
  return {};
}

Status try_file_lock(int fd, bool exclusive, bool& taken) {
  taken = false;
  while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EWOULDBLOCK) return {};
    return Status(Code::unsupported, "the file system refuses a lock: " + errno_name(error))
        .with("errno", errno_name(error));
  }
  taken = true;
  return {};
}

} // namespace cbt
