// The addon's exports: each unpacks its arguments into a job and starts it. The TypeScript side of this
// contract is lib/kernel/nativeAddon.ts. Positions are always (…, startBytes, endBytes, maxRanges, cancel).
//
// Exceptions of node-addon-api are on: arguments are objects of the caller, whose getters may throw, and
// unwinding to the callback's edge cannot be forgotten where a check after each call can. Nothing is thrown
// on a worker thread.
#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "cbt/bitmap_paint.hpp"
#include "cbt/file_extents.hpp"
#include "cbt/file_lock.hpp"
#include "cbt/range_algebra.hpp"
#include "cbt/range_text.hpp"
#include "promise_job.hpp"

namespace cbt::binding {
namespace {

// Raised when the meaning of an export changes, so that a loader never takes an addon of another build for
// its own.
constexpr int kInterface = 2;

// What one environment (a thread of JavaScript) holds; there is no other state.
struct Environment {
  const BitOps* ops = nullptr;
};

[[noreturn]] void refuse(Napi::Env env, const Status& status) {
  napi_value const error = to_error(env, status);
  throw error == nullptr ? Napi::Error::New(env, status.message()) : Napi::Error(env, error);
}

void require(Napi::Env env, const Status& status) {
  if (!status.is_ok()) refuse(env, status);
}

template <class Job>
Napi::Value start(Napi::Env env, const char* name, Job job) {
  napi_value const promise = PromiseJob<Job>::start(env, name, std::move(job));
  if (promise == nullptr) refuse(env, {Code::internal, std::string(name) + " could not be started"});
  return {env, promise};
}

// ---- bitmaps ----

struct BitmapJob {
  Inputs inputs;
  std::vector<BitmapSegment> segments;
  BitmapQuery query;
};

void take_bitmap_job(const Napi::CallbackInfo& info, BitmapJob& job) {
  const Napi::Env env = info.Env();
  job.query.ops = env.GetInstanceData<Environment>()->ops;
  require(env, take_window(info, 2, job.query.window));
  require(env, take_granularity(info[1], job.query.granularity));
  require(env, job.inputs.take_cancel(info[5], job.query.cancel));
  require(env, take_segments(info[0], job.inputs, job.segments, job.query));
}

struct ScanBitmaps : BitmapJob {
  std::unique_ptr<RangePage> page = std::make_unique<RangePage>();
  Status run() { return scan_bitmaps(query, *page); }
  napi_value result(napi_env env) { return to_value(env, *page); }
};

struct CountBitmaps : BitmapJob {
  std::uint64_t bytes = 0;
  Status run() { return count_bitmaps(query, bytes); }
  napi_value result(napi_env env) const { return to_value(env, static_cast<double>(bytes)); }
};

template <class Job>
Napi::Value start_bitmap_job(const Napi::CallbackInfo& info, const char* name) {
  Job job;
  take_bitmap_job(info, job);
  return start(info.Env(), name, std::move(job));
}

Napi::Value scan_bitmaps_call(const Napi::CallbackInfo& info) {
  return start_bitmap_job<ScanBitmaps>(info, "qemu-cbt:scanBitmaps");
}

Napi::Value count_bitmaps_call(const Napi::CallbackInfo& info) {
  return start_bitmap_job<CountBitmaps>(info, "qemu-cbt:countBitmaps");
}

// ---- files ----

struct ScanClusters {
  Inputs inputs;
  ClusterTables tables;
  ClusterClass wanted{};
  ByteWindow window;
  CancelToken cancel;
  std::unique_ptr<RangePage> page = std::make_unique<RangePage>();
  Status run() { return scan_clusters(tables, wanted, window, cancel, *page); }
  napi_value result(napi_env env) { return to_value(env, *page); }
};

Napi::Value scan_clusters_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ScanClusters job;
  require(env, take_window(info, 2, job.window));
  require(env, take_tables(info[0], job.window, job.inputs, job.tables));
  require(env, take_cluster_class(info[1], job.wanted));
  require(env, job.inputs.take_cancel(info[5], job.cancel));
  return start(env, "qemu-cbt:scanClusters", std::move(job));
}

struct ScanFileData {
  Inputs inputs;
  int fd = -1;
  ByteWindow window;
  CancelToken cancel;
  std::unique_ptr<RangePage> page = std::make_unique<RangePage>();
  Status run() { return scan_file_data(fd, window, cancel, *page); }
  napi_value result(napi_env env) { return to_value(env, *page); }
};

Napi::Value scan_file_data_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ScanFileData job;
  require(env, take_window(info, 1, job.window));
  require(env, take_descriptor("fd", info[0], job.fd));
  require(env, job.inputs.take_cancel(info[4], job.cancel));
  return start(env, "qemu-cbt:scanFileData", std::move(job));
}

struct AskLockState {
  Inputs inputs;
  int fd = -1;
  LockState state;
  Status run() { return lock_state(fd, state); }
  napi_value result(napi_env env) const { return to_value(env, state); }
};

Napi::Value lock_state_call(const Napi::CallbackInfo& info) {
  AskLockState job;
  require(info.Env(), take_descriptor("fd", info[0], job.fd));
  return start(info.Env(), "qemu-cbt:lockState", std::move(job));
}

struct LockFile {
  Inputs inputs;
  BorrowedFile file;
  bool exclusive = false;
  bool taken = false;
  Status run() {
    // Back at once, and not when the answer is taken: the lock must not outlive its owner by that.
    const BorrowedFile borrowed = std::move(file);
    return try_file_lock(borrowed.fd(), exclusive, taken);
  }
  napi_value result(napi_env env) const { return to_value(env, taken); }
};

Napi::Value lock_file_call(const Napi::CallbackInfo& info) {
  LockFile job;
  int fd = -1;
  require(info.Env(), take_descriptor("fd", info[0], fd));
  require(info.Env(), take_flag("exclusive", info[1], job.exclusive));
  require(info.Env(), job.file.borrow(fd));
  return start(info.Env(), "qemu-cbt:lockFile", std::move(job));
}

struct HoldImage {
  Inputs inputs;
  int fd = -1;
  bool held = false;
  Status run() { return hold_image(fd, held); }
  napi_value result(napi_env env) const { return to_value(env, held); }
};

Napi::Value hold_image_call(const Napi::CallbackInfo& info) {
  HoldImage job;
  require(info.Env(), take_descriptor("fd", info[0], job.fd));
  return start(info.Env(), "qemu-cbt:holdImage", std::move(job));
}

// ---- range lists ----

// A list as it was handed over; its promise is checked off-thread.
struct UncheckedRanges {
  const char* argument = "";
  const double* values = nullptr;
  std::size_t length = 0;

  Status take(const Napi::Value& value, Inputs& inputs) { return take_ranges(argument, value, inputs, values, length); }
  Status check(RangeView& view) const { return check_ranges(argument, values, length, view); }
};

struct PaintRanges {
  Inputs inputs;
  UncheckedRanges ranges{"ranges"};
  std::uint64_t granularity = 0;
  ByteWindow window;
  CancelToken cancel;
  Block bits;
  Status run() {
    RangeView view;
    CBT_TRY(ranges.check(view));
    return paint_ranges(view, granularity, window, cancel, bits);
  }
  napi_value result(napi_env env) { return to_value(env, bits); }
};

Napi::Value paint_ranges_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  PaintRanges job;
  require(env, take_window(info, 2, job.window));
  require(env, take_granularity(info[1], job.granularity));
  require(env, check_paint_start(job.granularity, job.window));
  require(env, job.ranges.take(info[0], job.inputs));
  require(env, job.inputs.take_cancel(info[5], job.cancel));
  return start(env, "qemu-cbt:paintRanges", std::move(job));
}

struct FormatRanges {
  Inputs inputs;
  UncheckedRanges ranges{"ranges"};
  RangeStyle style;
  CancelToken cancel;
  Block text;
  Status run() {
    RangeView view;
    CBT_TRY(ranges.check(view));
    return format_ranges(view, style, cancel, text);
  }
  napi_value result(napi_env env) { return to_value(env, text); }
};

// formatRanges(ranges, before, between, after, cancel): the one call without a window.
Napi::Value format_ranges_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  FormatRanges job;
  require(env, job.ranges.take(info[0], job.inputs));
  require(env, take_style_part("style.before", info[1], job.style.before));
  require(env, take_style_part("style.between", info[2], job.style.between));
  require(env, take_style_part("style.after", info[3], job.style.after));
  require(env, job.inputs.take_cancel(info[4], job.cancel));
  return start(env, "qemu-cbt:formatRanges", std::move(job));
}

using Combine = Status (*)(const RangeView&, const RangeView&, const ByteWindow&, const CancelToken&, RangePage&);

struct CombineRanges {
  Inputs inputs;
  UncheckedRanges a{"a"};
  UncheckedRanges b{"b"};
  Combine combine = nullptr;
  ByteWindow window;
  CancelToken cancel;
  std::unique_ptr<RangePage> page = std::make_unique<RangePage>();
  Status run() {
    RangeView left;
    RangeView right;
    CBT_TRY(a.check(left));
    CBT_TRY(b.check(right));
    return combine(left, right, window, cancel, *page);
  }
  napi_value result(napi_env env) { return to_value(env, *page); }
};

template <Combine Operation>
Napi::Value combine_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  CombineRanges job;
  job.combine = Operation;
  require(env, take_window(info, 2, job.window));
  require(env, job.a.take(info[0], job.inputs));
  require(env, job.b.take(info[1], job.inputs));
  require(env, job.inputs.take_cancel(info[5], job.cancel));
  return start(env, "qemu-cbt:combineRanges", std::move(job));
}

using Reshape = Status (*)(const RangeView&, std::uint64_t, const ByteWindow&, const CancelToken&, RangePage&);

struct ReshapeRanges {
  Inputs inputs;
  UncheckedRanges ranges{"ranges"};
  Reshape reshape = nullptr;
  std::uint64_t unit = 0;
  ByteWindow window;
  CancelToken cancel;
  std::unique_ptr<RangePage> page = std::make_unique<RangePage>();
  Status run() {
    RangeView view;
    CBT_TRY(ranges.check(view));
    return reshape(view, unit, window, cancel, *page);
  }
  napi_value result(napi_env env) { return to_value(env, *page); }
};

Napi::Value start_reshape(const Napi::CallbackInfo& info, Reshape reshape, std::uint64_t unit,
                          const ByteWindow& window) {
  const Napi::Env env = info.Env();
  ReshapeRanges job;
  job.reshape = reshape;
  job.unit = unit;
  job.window = window;
  require(env, job.ranges.take(info[0], job.inputs));
  require(env, job.inputs.take_cancel(info[5], job.cancel));
  return start(env, "qemu-cbt:reshapeRanges", std::move(job));
}

Napi::Value align_call(const Napi::CallbackInfo& info) {
  ByteWindow window;
  std::uint64_t granularity = 0;
  require(info.Env(), take_window(info, 2, window));
  require(info.Env(), take_granularity(info[1], granularity));
  return start_reshape(info, align_ranges, granularity, window);
}

Napi::Value split_call(const Napi::CallbackInfo& info) {
  ByteWindow window;
  double number = 0;
  std::uint64_t max_bytes = 0;
  require(info.Env(), take_window(info, 2, window));
  require(info.Env(), take_number("maxBytes", info[1], number));
  require(info.Env(), check_integer("maxBytes", number, 1, kMaxBytes, max_bytes));
  return start_reshape(info, split_ranges, max_bytes, window);
}

Status clip_reshape(const RangeView& ranges, std::uint64_t, const ByteWindow& window, const CancelToken& cancel,
                    RangePage& page) {
  return clip_ranges(ranges, window, cancel, page);
}

// clip(ranges, undefined, …): the place of the unit stays empty, so that all positions are alike.
Napi::Value clip_call(const Napi::CallbackInfo& info) {
  ByteWindow window;
  require(info.Env(), take_window(info, 2, window));
  return start_reshape(info, clip_reshape, 0, window);
}

// ---- module ----

// process.env as this thread of JavaScript sees it: a worker has an environment of its own.
std::string environment_variable(Napi::Env env, const char* name) {
  const Napi::Value process = env.Global().Get("process");
  if (!process.IsObject()) return {};
  const Napi::Value variables = process.As<Napi::Object>().Get("env");
  if (!variables.IsObject()) return {};
  const Napi::Value value = variables.As<Napi::Object>().Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto environment = std::make_unique<Environment>();
  require(env, choose_bit_ops(environment_variable(env, "QEMU_CBT_SIMD"), environment->ops));
  exports.Set("interface", kInterface);
  exports.Set("path", environment->ops->name);
  env.SetInstanceData(environment.release());
  const auto add = [&](const char* name, auto call) { exports.Set(name, Napi::Function::New(env, call, name)); };
  add("scanBitmaps", scan_bitmaps_call);
  add("countBitmaps", count_bitmaps_call);
  add("paintRanges", paint_ranges_call);
  add("formatRanges", format_ranges_call);
  add("scanClusters", scan_clusters_call);
  add("scanFileData", scan_file_data_call);
  add("lockState", lock_state_call);
  add("holdImage", hold_image_call);
  add("lockFile", lock_file_call);
  add("union", combine_call<union_ranges>);
  add("intersect", combine_call<intersect_ranges>);
  add("subtract", combine_call<subtract_ranges>);
  add("clip", clip_call);
  add("align", align_call);
  add("split", split_call);
  return exports;
}

} // namespace
} // namespace cbt::binding

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) {
  return cbt::binding::init(env, exports);
}

NODE_API_MODULE(bitmap, init_addon)
