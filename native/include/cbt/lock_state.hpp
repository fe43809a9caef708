// Who holds an image open, told by the bytes QEMU locks in it: byte 100 + n while permission n is in use, 200
// + n while permission n is denied to others; 0 consistent read, 1 write, 2 write unchanged, 3 resize (QEMU
// block/file-posix.c).
#pragma once

#include "cbt/status.hpp"

namespace cbt {

struct LockState {
  bool writer = false;            // somebody may write or resize
  bool writers_forbidden = false; // somebody relies on nobody writing
};

// Asks without taking a lock (F_OFD_GETLK for a write lock; a descriptor open for reading will do). Locks
// taken through the very same open file description do not show.
Status lock_state(int fd, LockState& state);

// Takes the locks of a QEMU that writes the image and shares it with nobody: one that opens it meanwhile is refused, but to have a look
// whatever happens (--force-share). `held` is false, and nothing is locked, where somebody has it. The locks go with the open file
// description.
Status hold_image(int fd, bool& held);

} // namespace cbt
