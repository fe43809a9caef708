// The addon's one class: an NBD connection as JavaScript sees it. Every job has a number of the caller's, to cancel it
// by. See lib/backend/nbd/nbdAddon.ts for the other side of the contract.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "cbt/nbd/connection.hpp"
#include "cbt/nbd/stream_job.hpp"
#include "mailbox.hpp"

namespace cbt::nbd::binding {

// What one environment (a thread of JavaScript) holds: its mailbox, and every connection whose thread may still run.
class Environment {
 public:
  explicit Environment(napi_env env);
  ~Environment();
  [[nodiscard]] std::shared_ptr<Mailbox> mailbox(napi_env env);
  void add(std::shared_ptr<Connection> connection);
  // Joins threads that have ended.
  void reap();

 private:
  void go_down();
  static void on_teardown(void* self) { static_cast<Environment*>(self)->go_down(); }

  napi_env env_;
  bool is_down_ = false;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<std::shared_ptr<Connection>> connections_;
};

class ConnectionObject : public Napi::ObjectWrap<ConnectionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ConnectionObject(const Napi::CallbackInfo& info);
  ~ConnectionObject() override;

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value map(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value change(const Napi::CallbackInfo& info);
  void start_stream(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);

  void add_job(Napi::Env env, std::uint64_t number, const std::shared_ptr<Job>& job);
  std::uint64_t job_number(const Napi::CallbackInfo& info) const;
  Connection& connection(Napi::Env env) const;

  Environment& environment_;
  std::shared_ptr<Mailbox> mailbox_;
  Target target_;
  std::shared_ptr<Connection> connection_;
  // Jobs that may still run; forgotten ones are swept out as new ones come.
  std::unordered_map<std::uint64_t, std::weak_ptr<Job>> jobs_;
  // Streams stay until they are cancelled, which is also how a reader lets go of one it has read to the end.
  std::unordered_map<std::uint64_t, std::shared_ptr<StreamJob>> streams_;
  std::size_t sweep_at_ = 64;
};

} // namespace cbt::nbd::binding
