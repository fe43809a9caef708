// Connections to real servers: one that libnbd starts (qemu-nbd), and one that
// is killed under the work (nbdkit). Made to be run under the address and
// thread sanitizers.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "cbt/nbd/change_job.hpp"
#include "cbt/nbd/connection.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/nbd/map_job.hpp"
#include "cbt/nbd/read_job.hpp"
#include "cbt/nbd/stream_job.hpp"
#include "check.hpp"

using namespace cbt;
using namespace cbt::nbd;

namespace {

constexpr std::uint64_t kSize = std::uint64_t{8} << 20;

struct Image {
  std::string folder;
  std::string path;
  Image() {
    char name[] = "/tmp/cbt-nbd-XXXXXX";
    folder = mkdtemp(name);
    path = folder + "/a.raw";
    if (truncate_new() != 0)
      std::abort();
  }
  ~Image() {
    unlink(path.c_str());
    rmdir(folder.c_str());
  }
  [[nodiscard]] int truncate_new() const {
    std::FILE *file = std::fopen(path.c_str(), "w");
    const int result = ftruncate(fileno(file), kSize);
    std::fclose(file);
    return result;
  }
};

Target serve(const Image &image, std::vector<std::string> contexts = {}) {
  Target target;
  target.address = CommandTarget{{"qemu-nbd", "-f", "raw", image.path}, {}};
  target.contexts = std::move(contexts);
  return target;
}

std::shared_ptr<Connection> open(const Target &target, Status &status,
                                 ExportInfo &info) {
  std::promise<void> opened;
  auto connection = Connection::open(
      target, [&](const Status &result, const ExportInfo &found) {
        status = result;
        info = found;
        opened.set_value();
      });
  opened.get_future().wait();
  return connection;
}

Status close(Connection &connection) {
  std::promise<Status> closed;
  connection.close([&](const Status &status) { closed.set_value(status); });
  Status status = closed.get_future().get();
  connection.join();
  return status;
}

template <class Make> Status run(Connection &connection, Make make) {
  std::promise<Status> done;
  connection.submit(make([&](Job &job) { done.set_value(job.status()); }));
  return done.get_future().get();
}

Bytes memory(std::uint64_t length, std::uint8_t fill) {
  std::shared_ptr<MemoryPool::Piece> piece = MemoryPool::take_single(length);
  std::fill_n(piece->data, length, fill);
  return {piece->data, length, piece};
}

std::shared_ptr<ReadJob> read(Bytes target, Job::Settled settled) {
  const std::uint64_t length = target.length;
  return std::make_shared<ReadJob>(std::vector<Range>{{0, length}}, 65536,
                                   std::move(target), std::move(settled));
}

} // namespace

TEST("write, read back, map and stream through a qemu-nbd of our own") {
  const Image image;
  Status status;
  ExportInfo info;
  const auto connection = open(serve(image, {"base:allocation"}), status, info);
  CHECK(status.is_ok());
  CHECK(info.size == kSize);
  CHECK(run(*connection, [](Job::Settled settled) {
          Change change{Command::write,   {{4096, 65536}}, 4096,
                        memory(65536, 7), false,           false};
          return std::make_shared<ChangeJob>(std::move(change),
                                             std::move(settled));
        }).is_ok());
  const Bytes target = memory(1 << 20, 1);
  CHECK(run(*connection, [&](Job::Settled settled) {
          return read(target, std::move(settled));
        }).is_ok());
  CHECK(target.data[4095] == 0 && target.data[4096] == 7 &&
        target.data[69631] == 7 && target.data[69632] == 0);
  std::shared_ptr<MapJob> map;
  CHECK(run(*connection, [&](Job::Settled settled) {
          return map =
                     std::make_shared<MapJob>(MapQuery{"base:allocation",
                                                       Wanted::data,
                                                       {0, kSize, kAllRanges}},
                                              std::move(settled));
        }).is_ok());
  CHECK(map->page().next_bytes == kSize);
  CHECK(map->page().ranges.size() >= 2);
  const auto stream = std::make_shared<StreamJob>(
      std::vector<Range>{{0, kSize}}, 65536, std::uint64_t{1} << 20, nullptr);
  connection->submit(stream);
  std::uint64_t seen = 0;
  for (bool more = true; more;) {
    std::promise<std::uint64_t> taken;
    CHECK(connection->post([&] {
      stream->take([&](const Status &result, std::vector<StreamPiece> pieces) {
        std::uint64_t bytes = 0;
        for (const StreamPiece &piece : pieces)
          bytes += piece.memory->bytes;
        taken.set_value(result.is_ok() ? bytes : 0);
      });
    }));
    const std::uint64_t bytes = taken.get_future().get();
    seen += bytes;
    more = bytes != 0;
  }
  CHECK(seen == kSize);
  CHECK(close(*connection).is_ok());
  CHECK(run(*connection, [&](Job::Settled settled) {
          return read(target, std::move(settled));
        }).code() == Code::closed);
}

TEST("jobs that are cancelled, and connections that are abandoned, leave no "
     "memory in use") {
  const Image image;
  for (int round = 0; round < 20; ++round) {
    Status status;
    ExportInfo info;
    const auto connection = open(serve(image), status, info);
    CHECK(status.is_ok());
    std::vector<std::future<Status>> ends;
    for (int i = 0; i < 8; ++i) {
      auto end = std::make_shared<std::promise<Status>>();
      ends.push_back(end->get_future());
      const auto job = read(memory(kSize, 0), [end](Job &ended) {
        end->set_value(ended.status());
      });
      connection->submit(job);
      if (i % 2 == 0)
        connection->post([job] { job->settle(aborted()); });
    }
    if (round % 2 == 0) {
      CHECK(close(*connection).is_ok());
    } else {
      connection->abandon();
      connection->join();
    }
    for (auto &end : ends) {
      const Code code = end.get().code();
      CHECK(code == Code::ok || code == Code::aborted || code == Code::closed);
    }
  }
}

namespace {

Status write(Connection &connection) {
  return run(connection, [](Job::Settled settled) {
    Change change{Command::write,   {{4096, 65536}}, 4096,
                  memory(65536, 7), false,           false};
    return std::make_shared<ChangeJob>(std::move(change), std::move(settled));
  });
}

enum class Writer { ours, another };

void end_what_was_written_to(Writer writer) {
  const Image image;
  const std::string pid_file = image.folder + "/p";
  const auto shell = [](const std::string &line) {
    return std::system(line.c_str());
  };
  CHECK(shell("qemu-img create -q -f qcow2 " + image.path +
              " 8M && qemu-img bitmap --add " + image.path + " kept") == 0);
  Target target;
  target.address = CommandTarget{
      {"qemu-nbd", "--shared=0", "-f", "qcow2", "--pid-file", pid_file,
       image.path},
      {}};
  Status status;
  ExportInfo info;
  const auto connection = open(target, status, info);
  CHECK(status.is_ok());
  if (writer == Writer::ours) {
    CHECK(write(*connection).is_ok());
  } else {
    Target other;
    other.address = UriTarget{info.uri};
    ExportInfo found;
    const auto another = open(other, status, found);
    CHECK(status.is_ok());
    CHECK(write(*another).is_ok());
    CHECK(close(*another).is_ok());
  }
  std::FILE *file = std::fopen(pid_file.c_str(), "r");
  int server = 0;
  CHECK(file != nullptr && std::fscanf(file, "%d", &server) == 1);
  std::fclose(file);
  // It cannot end for longer than one that only read is waited for.
  CHECK(kill(server, SIGSTOP) == 0);
  connection->abandon();
  std::this_thread::sleep_for(2 * kReaderExit);
  kill(server, SIGCONT);
  connection->join();
  CHECK(shell("qemu-img info " + image.path + " | grep -q kept") == 0);
  CHECK(shell("qemu-img info " + image.path + " | grep -q in-use") != 0);
  unlink(pid_file.c_str());
}

} // namespace

TEST("a server that was written to is not killed before that is safe, also "
     "where nobody waits for it") {
  end_what_was_written_to(Writer::ours);
}

TEST("nor is one that another client wrote to") {
  end_what_was_written_to(Writer::another);
}

TEST("a server that is killed fails what waits for it") {
  const Image image;
  const std::string socket = image.folder + "/s";
  const std::string pid_file = image.folder + "/p";
  const pid_t server = fork();
  if (server == 0) {
    execlp("nbdkit", "nbdkit", "-f", "-U", socket.c_str(), "-P",
           pid_file.c_str(), "--filter=delay", "memory", "1M", "rdelay=30",
           static_cast<char *>(nullptr));
    _exit(127);
  }
  while (access(pid_file.c_str(), R_OK) != 0 &&
         waitpid(server, nullptr, WNOHANG) == 0)
    usleep(1000);
  Target target;
  target.address = UnixTarget{socket};
  Status status;
  ExportInfo info;
  const auto connection = open(target, status, info);
  CHECK(status.is_ok());
  std::promise<Status> done;
  connection->submit(
      read(memory(4096, 0), [&](Job &job) { done.set_value(job.status()); }));
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  CHECK(done.get_future().get().code() == Code::backend_unavailable);
  CHECK(close(*connection).is_ok());
  unlink(socket.c_str());
  unlink(pid_file.c_str());
}

int main(int argc, char **argv) { return check::run_all(argc, argv); }
