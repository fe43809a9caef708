// What file systems and locks tell: data of sparse files, and who holds an image open.
#include <fcntl.h>
#include <sys/stat.h>

#include "cbt/file_extents.hpp"
#include "cbt/file_lock.hpp"
#include "cbt/lock_state.hpp"
#include "check.hpp"
#include "oracle.hpp"

using namespace cbt;
using oracle::MemoryFile;

namespace {

constexpr std::uint64_t kBlock = 1 << 16; // larger than any block of a file system

oracle::Page scan(int fd, const ByteWindow& window) {
  RangePage page;
  CHECK_EQ(scan_file_data(fd, window, {}, page).message(), "");
  return oracle::read(page);
}

// Takes a shared OFD lock on a byte through a descriptor of its own, as QEMU does.
class LockedByte {
 public:
  LockedByte(int fd, off_t byte) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock = {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    if (fd_ < 0 || fcntl(fd_, F_OFD_SETLK, &lock) != 0) std::abort();
  }
  ~LockedByte() { close(fd_); }
  LockedByte(const LockedByte&) = delete;
  LockedByte& operator=(const LockedByte&) = delete;

 private:
  int fd_ = -1;
};

} // namespace

TEST("data of a sparse file, page by page, and the descriptor's position stays") {
  MemoryFile file;
  const std::vector<std::uint8_t> block(kBlock, 1);
  for (const std::uint64_t at : {1, 2, 5, 9}) file.put(at * kBlock, block.data(), block.size());
  CHECK_EQ(ftruncate(file.fd(), 20 * kBlock), 0);
  CHECK_EQ(lseek(file.fd(), 12345, SEEK_SET), 12345);
  const oracle::Ranges all = {{kBlock, 2 * kBlock}, {5 * kBlock, kBlock}, {9 * kBlock, kBlock}};
  CHECK_EQ(scan(file.fd(), {0, 20 * kBlock, kAllRanges}), (oracle::Page{all, 20 * kBlock}));
  CHECK_EQ(scan(file.fd(), {0, 100 * kBlock, kAllRanges}), (oracle::Page{all, 100 * kBlock}));
  CHECK_EQ(scan(file.fd(), {0, 20 * kBlock, 1}), (oracle::Page{{all[0]}, 5 * kBlock}));
  CHECK_EQ(scan(file.fd(), {kBlock + 7, 5 * kBlock + 9, 5}),
           (oracle::Page{{{kBlock + 7, 2 * kBlock - 7}, {5 * kBlock, 9}}, 5 * kBlock + 9}));
  CHECK_EQ(scan(file.fd(), {30 * kBlock, 40 * kBlock, 5}), (oracle::Page{{}, 40 * kBlock}));
  CHECK_EQ(scan(file.fd(), {7, 7, 5}), (oracle::Page{{}, 7}));
  CHECK_EQ(lseek(file.fd(), 0, SEEK_CUR), 12345);
}

TEST("nothing lies at or past the end of a file") {
  MemoryFile file(std::vector<std::uint8_t>(1000, 1));
  const oracle::Page page = scan(file.fd(), {0, 5000, 5});
  CHECK_EQ(page, (oracle::Page{{{0, 1000}}, 5000}));
}

TEST("what cannot be asked counts as data up to the window's end, what fails is an error") {
  // A character device has no holes to tell of.
  const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  RangePage page;
  const Status status = scan_file_data(zero, {0, 5000, 5}, {}, page);
  CHECK(status.is_ok() || status.code() == Code::backend_unavailable);
  if (status.is_ok()) CHECK_EQ(oracle::read(page), (oracle::Page{{{0, 5000}}, 5000}));
  close(zero);
  int ends[2];
  CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
  CHECK(scan_file_data(ends[0], {0, 5000, 5}, {}, page).code() == Code::backend_unavailable);
  close(ends[0]);
  close(ends[1]);
  const Status bad = scan_file_data(1 << 20, {0, 5000, 5}, {}, page);
  CHECK(bad.code() == Code::backend_unavailable);
  CHECK(bad.message().find("EBADF") != std::string::npos);
}

TEST("a set cancel cell ends the search for data") {
  MemoryFile file(std::vector<std::uint8_t>(1000, 1));
  const std::int32_t stop = 1;
  RangePage page;
  CHECK(scan_file_data(file.fd(), {0, 5000, 5}, CancelToken(&stop), page).code() == Code::aborted);
}

TEST("locks tell a writer, a resizer, and one who forbids writers") {
  MemoryFile file(std::vector<std::uint8_t>(1000, 1));
  const auto state = [&] {
    LockState locks;
    CHECK_EQ(lock_state(file.fd(), locks).message(), "");
    return std::pair(locks.writer, locks.writers_forbidden);
  };
  CHECK(state() == std::pair(false, false));
  {
    const LockedByte reader(file.fd(), 100);
    const LockedByte unchanged(file.fd(), 102);
    CHECK(state() == std::pair(false, false));
  }
  {
    const LockedByte writer(file.fd(), 101);
    CHECK(state() == std::pair(true, false));
  }
  {
    const LockedByte resizer(file.fd(), 103);
    CHECK(state() == std::pair(true, false));
  }
  {
    const LockedByte reader(file.fd(), 201);
    CHECK(state() == std::pair(false, true));
    const LockedByte writer(file.fd(), 101);
    CHECK(state() == std::pair(true, true));
  }
  CHECK(state() == std::pair(false, false));
  const int read_only = open(("/proc/self/fd/" + std::to_string(file.fd())).c_str(), O_RDONLY | O_CLOEXEC);
  const LockedByte writer(file.fd(), 101);
  LockState locks;
  CHECK(lock_state(read_only, locks).is_ok());
  CHECK(locks.writer);
  close(read_only);
  CHECK(lock_state(1 << 20, locks).code() == Code::backend_unavailable);
}

TEST("a file's lock excludes as flock does, is with the open file, and goes with its last descriptor") {
  MemoryFile file(std::vector<std::uint8_t>(1, 1));
  const std::string path = "/proc/self/fd/" + std::to_string(file.fd());
  const int one = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int two = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto lock = [](int fd, bool exclusive) {
    bool taken = false;
    CHECK_EQ(try_file_lock(fd, exclusive, taken).message(), "");
    return taken;
  };
  CHECK(lock(one, false));
  CHECK(lock(two, false));
  CHECK(!lock(one, true));
  CHECK(lock(one, false)); // A change that fails gives up what was held.
  {
    BorrowedFile borrowed;
    CHECK(borrowed.borrow(one).is_ok());
    close(one);
    CHECK(!lock(two, true));
  }
  CHECK(lock(two, true));
  BorrowedFile none;
  CHECK(none.borrow(1 << 20).code() == Code::backend_unavailable);
  bool taken = true;
  CHECK(try_file_lock(1 << 20, true, taken).code() == Code::unsupported);
  CHECK(!taken);
  close(two);
}

TEST_MAIN()

TEST("who holds an image is seen as one who uses it for everything, and holds it alone") {
  MemoryFile file(std::vector<std::uint8_t>(1000, 1));
  const std::string path = "/proc/self/fd/" + std::to_string(file.fd());
  const int one = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int two = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto hold = [](int fd) {
    bool held = false;
    CHECK_EQ(hold_image(fd, held).message(), "");
    return held;
  };
  const auto is_free = [&] {
    LockState locks;
    CHECK_EQ(lock_state(file.fd(), locks).message(), "");
    return !locks.writer && !locks.writers_forbidden;
  };
  CHECK(hold(one));
  CHECK(hold(one)); // Its own locks are in nobody's way.
  CHECK(!is_free());
  CHECK(!hold(two));
  CHECK(!is_free()); // Who was refused has taken nothing away.
  close(one);
  CHECK(is_free());
  for (const off_t byte : {101, 103, 200, 203}) {
    const LockedByte other(file.fd(), byte);
    CHECK(!hold(two));
  }
  CHECK(is_free()); // Nor has he kept anything.
  const LockedByte looking(file.fd(), 100);
  CHECK(hold(two));
  close(two);
}
