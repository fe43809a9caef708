// The one piece of asynchronous plumbing: a job runs on a thread of libuv's pool and settles a promise. A job
// is a struct that was filled from the arguments at the call:
//
//   Status run();                       off-thread; sees no JavaScript
//   napi_value result(napi_env env);    back on the thread of the call
//   Inputs inputs;                      what it reads, kept until it is done
#pragma once

#include <node_api.h>

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "results.hpp"

namespace cbt::binding {

template <class Job>
class PromiseJob {
 public:
  // The promise of the job's result.
  static napi_value start(napi_env env, const char* name, Job job) {
    std::unique_ptr<PromiseJob> self(new PromiseJob(std::move(job)));
    napi_value promise = nullptr;
    napi_value resource = nullptr;
    if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource) != napi_ok ||
        napi_create_promise(env, &self->deferred_, &promise) != napi_ok ||
        napi_create_async_work(env, nullptr, resource, execute, complete, self.get(), &self->work_) != napi_ok) {
      return nullptr;
    }
    if (napi_queue_async_work(env, self->work_) != napi_ok) {
      napi_delete_async_work(env, self->work_);
      return nullptr;
    }
    static_cast<void>(self.release()); // complete owns it
    return promise;
  }

 private:
  explicit PromiseJob(Job&& job) : job_(std::move(job)) {}

  static void execute(napi_env, void* data) {
    auto* const self = static_cast<PromiseJob*>(data);
    try {
      self->status_ = self->job_.run();
    } catch (const std::bad_alloc&) {
      self->status_ = Status(Code::backend_unavailable, "no memory for the work").with("errno", "ENOMEM");
    } catch (const std::exception& error) {
      self->status_ = Status(Code::internal, error.what());
    }
    self->job_.inputs.free_copies();
  }

  static void complete(napi_env env, napi_status status, void* data) {
    const std::unique_ptr<PromiseJob> self(static_cast<PromiseJob*>(data));
    napi_delete_async_work(env, self->work_);
    if (status == napi_cancelled) self->status_ = aborted();
    napi_value result = nullptr;
    if (self->status_.is_ok()) {
      result = self->job_.result(env);
      if (result == nullptr) clear_exception(env);
      if (result == nullptr) {
        self->status_ =
            Status(Code::backend_unavailable, "no memory for the answer in JavaScript").with("errno", "ENOMEM");
      }
    }
    if (self->status_.is_ok()) {
      napi_resolve_deferred(env, self->deferred_, result);
    } else if (napi_value const error = to_error(env, self->status_); error != nullptr) {
      napi_reject_deferred(env, self->deferred_, error);
    }
    clear_exception(env);
  }

  // What an environment that is going down, or is out of memory, leaves behind; no one is there to catch it.
  static void clear_exception(napi_env env) {
    bool pending = false;
    napi_value exception = nullptr;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
      napi_get_and_clear_last_exception(env, &exception);
    }
  }

  Job job_;
  Status status_;
  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
};

} // namespace cbt::binding
