#include "connection_object.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "../../binding/results.hpp"
#include "arguments.hpp"
#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/nbd/read_job.hpp"
#include "cbt/nbd/stream_job.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd::binding {
namespace {

using cbt::binding::to_error;
using cbt::binding::to_value;

[[noreturn]] void refuse(Napi::Env env, const Status& status) {
  napi_value const error = to_error(env, status);
  throw error == nullptr ? Napi::Error::New(env, status.message()) : Napi::Error(env, error);
}

void require(Napi::Env env, const Status& status) {
  if (!status.is_ok()) refuse(env, status);
}

// ---- answers ----

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  if (object != nullptr && value != nullptr) napi_set_named_property(env, object, name, value);
}

napi_value to_boolean(napi_env env, bool flag) {
  napi_value value = nullptr;
  return napi_get_boolean(env, flag, &value) == napi_ok ? value : nullptr;
}

napi_value to_value(napi_env env, std::uint64_t number) {
  return to_value(env, static_cast<double>(number));
}

napi_value to_value(napi_env env, const ExportInfo& info) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  set(env, object, "sizeBytes", to_value(env, info.size));
  set(env, object, "minBlockBytes", to_value(env, info.min_block));
  set(env, object, "preferredBlockBytes", to_value(env, info.preferred_block));
  set(env, object, "maxPayloadBytes", to_value(env, info.max_payload));
  set(env, object, "readOnly", to_boolean(env, info.read_only));
  set(env, object, "canFlush", to_boolean(env, info.can_flush));
  set(env, object, "canForceUnitAccess", to_boolean(env, info.can_fua));
  set(env, object, "canTrim", to_boolean(env, info.can_trim));
  set(env, object, "canZero", to_boolean(env, info.can_zero));
  set(env, object, "canMultiConn", to_boolean(env, info.can_multi_conn));
  set(env, object, "structuredReplies", to_boolean(env, info.structured_replies));
  set(env, object, "extendedHeaders", to_boolean(env, info.extended_headers));
  set(env, object, "tls", to_boolean(env, info.tls));
  napi_value uri = nullptr;
  if (napi_create_string_utf8(env, info.uri.data(), info.uri.size(), &uri) == napi_ok) set(env, object, "uri", uri);
  return object;
}

// Memory of ours as a Buffer, without a copy. Environments that allow no memory from outside (Electron) get one.
napi_value to_buffer(napi_env env, std::uint8_t* data, std::size_t length, std::shared_ptr<void> owner) {
  napi_value buffer = nullptr;
  auto* const share = new std::shared_ptr<void>(std::move(owner));
  const auto forget = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<void>*>(hint); };
  if (length != 0 && napi_create_external_buffer(env, length, data, forget, share, &buffer) == napi_ok) return buffer;
  if (napi_create_buffer_copy(env, length, data, nullptr, &buffer) != napi_ok) buffer = nullptr;
  delete share;
  return buffer;
}

napi_value to_value(napi_env env, std::vector<StreamPiece>& pieces) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, 2 * pieces.size(), &array) != napi_ok) return nullptr;
  std::uint32_t index = 0;
  for (StreamPiece& piece : pieces) {
    std::shared_ptr<MemoryPool::Piece> memory = std::move(piece.memory);
    napi_value const buffer = to_buffer(env, memory->data, memory->bytes, memory);
    if (buffer == nullptr || napi_set_element(env, array, index++, to_value(env, piece.offset)) != napi_ok ||
        napi_set_element(env, array, index++, buffer) != napi_ok) {
      return nullptr;
    }
  }
  return array;
}

// ---- promises ----

using MakeResult = std::function<napi_value(napi_env)>;

// A promise that some thread settles, once.
class Promise {
 public:
  static std::pair<Napi::Value, Promise> create(Napi::Env env, std::shared_ptr<Mailbox> mailbox) {
    Promise promise;
    napi_value value = nullptr;
    if (napi_create_promise(env, &promise.deferred_, &value) != napi_ok) {
      refuse(env, {Code::internal, "no promise could be made"});
    }
    promise.mailbox_ = std::move(mailbox);
    promise.mailbox_->expect(env);
    return {Napi::Value(env, value), promise};
  }

  // From any thread; `result` runs on JavaScript's, and is null for undefined.
  void settle(Status status, MakeResult result) const {
    mailbox_->post([self = *this, status = std::move(status), result = std::move(result)](napi_env env) {
      self.mailbox_->received(env);
      self.settle_now(env, status, result);
    });
  }

 private:
  void settle_now(napi_env env, Status status, const MakeResult& result) const {
    napi_value value = nullptr;
    if (status.is_ok()) {
      if (result)
        value = result(env);
      else
        napi_get_undefined(env, &value);
      if (value != nullptr) {
        napi_resolve_deferred(env, deferred_, value);
        return;
      }
      napi_value exception = nullptr;
      napi_get_and_clear_last_exception(env, &exception);
      status = Status(Code::backend_unavailable, "no memory for the answer in JavaScript").with("errno", "ENOMEM");
    }
    if (napi_value const error = to_error(env, status); error != nullptr) napi_reject_deferred(env, deferred_, error);
  }

  napi_deferred deferred_ = nullptr;
  std::shared_ptr<Mailbox> mailbox_;
};

Environment& environment_of(Napi::Env env) {
  return *env.GetInstanceData<Environment>();
}

} // namespace

// ---- environment ----

Environment::Environment(napi_env env) : env_(env) {
  napi_add_env_cleanup_hook(env_, on_teardown, this);
}

Environment::~Environment() {
  if (is_down_) return;
  napi_remove_env_cleanup_hook(env_, on_teardown, this);
  go_down();
}

std::shared_ptr<Mailbox> Environment::mailbox(napi_env env) {
  if (mailbox_ == nullptr) mailbox_ = Mailbox::create(env);
  return mailbox_;
}

void Environment::add(std::shared_ptr<Connection> connection) {
  reap();
  connections_.push_back(std::move(connection));
}

void Environment::reap() {
  std::erase_if(connections_, [](const auto& connection) {
    if (!connection->has_ended()) return false;
    connection->join();
    return true;
  });
}

void Environment::go_down() {
  is_down_ = true;
  for (const auto& connection : connections_) connection->abandon();
  for (const auto& connection : connections_) connection->join();
  connections_.clear();
  if (mailbox_ != nullptr) mailbox_->close();
  mailbox_ = nullptr;
}

// ---- connection ----

Napi::Function ConnectionObject::define(Napi::Env env) {
  return DefineClass(env, "NbdConnection",
                     {
                         InstanceMethod<&ConnectionObject::open>("open"),
                         InstanceMethod<&ConnectionObject::close>("close"),
                         InstanceMethod<&ConnectionObject::map>("map"),
                         InstanceMethod<&ConnectionObject::read>("read"),
                         InstanceMethod<&ConnectionObject::change>("change"),
                         InstanceMethod<&ConnectionObject::start_stream>("startStream"),
                         InstanceMethod<&ConnectionObject::take>("take"),
                         InstanceMethod<&ConnectionObject::cancel>("cancel"),
                     });
}

ConnectionObject::ConnectionObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ConnectionObject>(info), environment_(environment_of(info.Env())),
      mailbox_(environment_.mailbox(info.Env())) {
  if (mailbox_ == nullptr) refuse(info.Env(), {Code::internal, "no way back from threads to JavaScript"});
  require(info.Env(), take_target(info[0], target_));
}

ConnectionObject::~ConnectionObject() {
  // The environment still holds the connection, and joins its thread later.
  if (connection_ != nullptr) connection_->abandon();
}

Connection& ConnectionObject::connection(Napi::Env env) const {
  if (connection_ == nullptr) refuse(env, closed());
  return *connection_;
}

std::uint64_t ConnectionObject::job_number(const Napi::CallbackInfo& info) const {
  std::uint64_t number = 0;
  require(info.Env(), take_integer("job", info[0], 0, cbt::kMaxBytes, number));
  return number;
}

void ConnectionObject::add_job(Napi::Env env, std::uint64_t number, const std::shared_ptr<Job>& job) {
  if (jobs_.size() >= sweep_at_) {
    std::erase_if(jobs_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * jobs_.size());
  }
  if (!jobs_.emplace(number, job).second) refuse(env, {Code::invalid_argument, "a job with this number is running"});
  connection_->submit(job);
}

// open(): Promise<info>
Napi::Value ConnectionObject::open(const Napi::CallbackInfo& info) {
  if (connection_ != nullptr) refuse(info.Env(), {Code::invalid_argument, "the connection was opened before"});
  const auto [value, promise] = Promise::create(info.Env(), mailbox_);
  const auto opened = [promise = promise](const Status& status, const ExportInfo& found) {
    promise.settle(status, [found](napi_env env) { return to_value(env, found); });
  };
  try {
    connection_ = Connection::open(target_, opened);
    environment_.add(connection_);
  } catch (const std::exception& error) {
    promise.settle(Status(Code::backend_unavailable, text("no thread for an NBD connection: ", error.what())), nullptr);
  }
  return value;
}

// close(): Promise<void>
Napi::Value ConnectionObject::close(const Napi::CallbackInfo& info) {
  const auto [value, promise] = Promise::create(info.Env(), mailbox_);
  if (connection_ == nullptr) {
    promise.settle({}, nullptr);
  } else {
    connection_->close([promise = promise](const Status& status) { promise.settle(status, nullptr); });
  }
  return value;
}

// map(job, context, wanted, startBytes, endBytes, maxRanges): Promise<{ranges, nextBytes}>
Napi::Value ConnectionObject::map(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::uint64_t number = job_number(info);
  connection(env);
  MapQuery query;
  double start = 0;
  double end = 0;
  double max_ranges = 0;
  require(env, take_text("context", info[1], query.context));
  require(env, take_wanted(info[2], query.wanted));
  require(env, take_number("startBytes", info[3], start));
  require(env, take_number("endBytes", info[4], end));
  require(env, take_number("maxRanges", info[5], max_ranges));
  require(env, check_window(start, end, max_ranges, query.window));
  const auto [value, promise] = Promise::create(env, mailbox_);
  const auto settled = [promise = promise](Job& job) {
    promise.settle(job.status(), [kept = job.shared_from_this()](napi_env letter_env) {
      return to_value(letter_env, static_cast<MapJob&>(*kept).page());
    });
  };
  add_job(env, number, std::make_shared<MapJob>(std::move(query), settled));
  return value;
}

// read(job, ranges, pieceBytes, into?): Promise<Buffer>, or of undefined when `into` was given
Napi::Value ConnectionObject::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::uint64_t number = job_number(info);
  connection(env);
  std::vector<Range> ranges;
  std::uint64_t piece_bytes = 0;
  require(env, take_range_list(info[1], ranges));
  require(env, take_integer("pieceBytes", info[2], 512, kMaxPayload, piece_bytes));
  const std::uint64_t total = total_bytes(ranges);
  if (total > kMaxBulk) {
    refuse(env,
           invalid_argument("ranges", text(total, " bytes"), text("at most ", kMaxBulk, " bytes; read as a stream")));
  }
  Bytes target;
  const bool ours = info[3].IsUndefined();
  if (ours) {
    std::shared_ptr<MemoryPool::Piece> memory = MemoryPool::take_single(total);
    if (memory == nullptr) {
      refuse(env, Status(Code::backend_unavailable, text("no memory for ", total, " bytes")).with("errno", "ENOMEM"));
    }
    target = {memory->data, total, memory};
  } else {
    require(env, take_shared(info[3], mailbox_, target));
    if (target.length != total) {
      refuse(env,
             invalid_argument("into", text(target.length, " bytes"), text(total, " bytes, as many as the ranges")));
    }
  }
  const auto [value, promise] = Promise::create(env, mailbox_);
  const auto settled = [promise = promise, ours](Job& job) {
    MakeResult result;
    if (ours) {
      result = [bytes = static_cast<ReadJob&>(job).target()](napi_env letter_env) {
        return to_buffer(letter_env, bytes.data, bytes.length, bytes.owner);
      };
    }
    promise.settle(job.status(), std::move(result));
  };
  add_job(env, number, std::make_shared<ReadJob>(std::move(ranges), piece_bytes, std::move(target), settled));
  return value;
}

// change(job, command, ranges, data, pieceBytes, forceUnitAccess, keepAllocated): Promise<void>
Napi::Value ConnectionObject::change(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::uint64_t number = job_number(info);
  connection(env);
  Change change;
  require(env, take_command(info[1], change.command));
  require(env, take_range_list(info[2], change.ranges));
  if (change.command == Command::write) {
    require(env, take_bytes(info[3], mailbox_, change.data));
    const std::uint64_t total = total_bytes(change.ranges);
    if (total != change.data.length) {
      refuse(env, invalid_argument("data", text(change.data.length, " bytes"),
                                   text(total, " bytes, as many as the ranges")));
    }
  }
  require(env, take_integer("pieceBytes", info[4], 512, kMaxPayload, change.piece_bytes));
  change.force_unit_access = info[5].ToBoolean().Value();
  change.keep_allocated = info[6].ToBoolean().Value();
  const auto [value, promise] = Promise::create(env, mailbox_);
  const auto settled = [promise = promise](Job& job) { promise.settle(job.status(), nullptr); };
  add_job(env, number, std::make_shared<ChangeJob>(std::move(change), settled));
  return value;
}

// startStream(job, ranges, pieceBytes, queueBytes)
void ConnectionObject::start_stream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::uint64_t number = job_number(info);
  connection(env);
  std::vector<Range> ranges;
  std::uint64_t piece_bytes = 0;
  std::uint64_t queue_bytes = 0;
  require(env, take_range_list(info[1], ranges));
  require(env, take_integer("pieceBytes", info[2], 512, kMaxPayload, piece_bytes));
  require(env, take_integer("queueBytes", info[3], 1, kMaxQueued, queue_bytes));
  const auto job = std::make_shared<StreamJob>(std::move(ranges), piece_bytes, queue_bytes, nullptr);
  add_job(env, number, job);
  streams_.emplace(number, job);
}

// take(job): Promise<[offset, Buffer, offset, Buffer, …]>, empty at the end
Napi::Value ConnectionObject::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto found = streams_.find(job_number(info));
  const auto job = found == streams_.end() ? nullptr : found->second;
  const auto [value, promise] = Promise::create(env, mailbox_);
  if (job == nullptr) {
    promise.settle(aborted(), nullptr);
    return value;
  }
  const auto taken = [promise = promise](const Status& status, std::vector<StreamPiece> pieces) {
    const auto kept = std::make_shared<std::vector<StreamPiece>>(std::move(pieces));
    promise.settle(status, [kept](napi_env letter_env) { return to_value(letter_env, *kept); });
  };
  if (!connection_->post([job, taken] { job->take(taken); })) job->take(taken);
  return value;
}

// cancel(job): the job's promise rejects as aborted, unless it is settled already
void ConnectionObject::cancel(const Napi::CallbackInfo& info) {
  const std::uint64_t number = job_number(info);
  const auto found = jobs_.find(number);
  streams_.erase(number);
  if (found == jobs_.end() || connection_ == nullptr) return;
  const auto job = found->second.lock();
  jobs_.erase(found);
  if (job != nullptr) connection_->post([job] { job->settle(aborted()); });
}

} // namespace cbt::nbd::binding
