// flock(2) on an open file: a lock that is with the open file description, and so with whoever has a descriptor of it.
#pragma once

#include "cbt/status.hpp"

namespace cbt {

// A second descriptor of an open file for the time of some work, so that its first owner may close his own meanwhile.
class BorrowedFile {
 public:
  BorrowedFile() = default;
  BorrowedFile(const BorrowedFile&) = delete;
  BorrowedFile& operator=(const BorrowedFile&) = delete;
  BorrowedFile(BorrowedFile&& other) noexcept;
  BorrowedFile& operator=(BorrowedFile&& other) noexcept;
  ~BorrowedFile();

  Status borrow(int fd);
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// Takes the lock in place of that which the open file has; `taken` is false where another open file has one that excludes
// it, and then what was held may be given up (flock(2): a change is no atomic one). Does not wait for locks.
Status try_file_lock(int fd, bool exclusive, bool& taken);

} // namespace cbt
