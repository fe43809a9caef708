// See lock_state.hpp.
#include "cbt/lock_state.hpp"

#include <fcntl.h>

#include <cerrno>

namespace cbt {
namespace {

constexpr off_t kWriteHeld = 101;
constexpr off_t kResizeHeld = 103;
constexpr off_t kWriteDenied = 201;

Status byte_locked(int fd, off_t byte, bool& locked) {
  struct flock probe = {};
  probe.l_type = F_WRLCK;
  probe.l_whence = SEEK_SET;
  probe.l_start = byte;
  probe.l_len = 1;
  while (fcntl(fd, F_OFD_GETLK, &probe) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EINVAL || error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) {
      return Status(Code::unsupported, "the file system cannot tell who has locked the file: " + errno_name(error))
          .with("errno", errno_name(error));
    }
    return io_failure("asking for a lock", static_cast<std::uint64_t>(byte), error);
  }
  locked = probe.l_type != F_UNLCK;
  return {};
}

} // namespace

Status lock_state(int fd, LockState& state) {
  bool write = false;
  bool resize = false;
  CBT_TRY(byte_locked(fd, kWriteHeld, write));
  CBT_TRY(byte_locked(fd, kResizeHeld, resize));
  CBT_TRY(byte_locked(fd, kWriteDenied, state.writers_forbidden));
  state.writer = write || resize;
  return {};
}

} // namespace cbt
