// See lock_state.hpp.
#include "cbt/lock_state.hpp"

#include <fcntl.h>

#include <cerrno>

namespace cbt {
namespace {

constexpr off_t kHeld = 100;
constexpr off_t kDenied = 200;
constexpr off_t kPermissions = 4;
constexpr off_t kWrite = 1;
constexpr off_t kResize = 3;

struct flock bytes(short type, off_t first, off_t length) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = length;
  return lock;
}

// What fcntl said, told as an error.
Status lock_failure(const char* doing, off_t byte, int error) {
  if (error == EINVAL || error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) {
    return Status(Code::unsupported, "the file system cannot tell who has locked the file: " + errno_name(error))
        .with("errno", errno_name(error));
  }
  return io_failure(doing, static_cast<std::uint64_t>(byte), error);
}

// Whether somebody has a lock on one of the bytes.
Status are_locked(int fd, off_t first, off_t length, bool& locked) {
  struct flock probe = bytes(F_WRLCK, first, length);
  while (fcntl(fd, F_OFD_GETLK, &probe) != 0) {
    if (errno != EINTR) return lock_failure("asking for a lock", first, errno);
  }
  locked = probe.l_type != F_UNLCK;
  return {};
}

// Takes a shared lock on the bytes; false where somebody has an exclusive one.
Status take(int fd, off_t first, off_t length, bool& taken) {
  struct flock lock = bytes(F_RDLCK, first, length);
  while (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno == EINTR) continue;
    taken = false;
    return errno == EAGAIN || errno == EACCES ? Status() : lock_failure("taking a lock", first, errno);
  }
  taken = true;
  return {};
}

// Takes all, then looks for others, so that of two that do it at once not both go on. Reading it for a look, whatever is
// written meanwhile (qemu-img info --force-share), is what everybody leaves to everybody.
Status take_all(int fd, bool& held) {
  CBT_TRY(take(fd, kHeld, kPermissions, held));
  if (held) CBT_TRY(take(fd, kDenied + kWrite, kPermissions - kWrite, held));
  if (!held) return {};
  bool used = false;
  bool denied = false;
  CBT_TRY(are_locked(fd, kHeld + kWrite, kPermissions - kWrite, used));
  CBT_TRY(are_locked(fd, kDenied, kPermissions, denied));
  held = !used && !denied;
  return {};
}

} // namespace

Status lock_state(int fd, LockState& state) {
  bool write = false;
  bool resize = false;
  CBT_TRY(are_locked(fd, kHeld + kWrite, 1, write));
  CBT_TRY(are_locked(fd, kHeld + kResize, 1, resize));
  CBT_TRY(are_locked(fd, kDenied + kWrite, 1, state.writers_forbidden));
  state.writer = write || resize;
  return {};
}

Status hold_image(int fd, bool& held) {
  held = false;
  const Status status = take_all(fd, held);
  if (!status.is_ok() || !held) {
    struct flock none = bytes(F_UNLCK, kHeld, kDenied + kPermissions - kHeld);
    fcntl(fd, F_OFD_SETLK, &none);
  }
  return status;
}

} // namespace cbt
