// JavaScript values to plain structs, all of it at the call: afterwards no job looks at a JavaScript value
// again. Numbers are checked by the core; what is checked here are types, and that memory is really there.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "cbt/arguments.hpp"
#include "cbt/bitmap_scan.hpp"
#include "cbt/cancel.hpp"
#include "cbt/cluster_scan.hpp"
#include "cbt/segments.hpp"

namespace cbt::binding {

// Arrays of the caller for the time of a job. A view of shared memory is used in place and kept alive; any
// other is copied, because JavaScript may detach, move or shrink its buffer while the job runs on another
// thread.
class Inputs {
 public:
  Inputs() = default;
  Inputs(Inputs&&) = default;
  Inputs& operator=(Inputs&&) = default;

  // Bytes [first, end) of the view, as far as it has any. `length` is how many there are.
  Status take_bytes(const std::string& argument, const Napi::Value& value, std::uint64_t first, std::uint64_t end,
                    const std::uint8_t*& data, std::size_t& length);

  // Elements [first, end) of a Float64Array.
  Status take_numbers(const std::string& argument, const Napi::Value& value, std::uint64_t first, std::uint64_t end,
                      const double*& data, std::size_t& length);

  // An Int32Array of at least one element on shared memory, or undefined.
  Status take_cancel(const Napi::Value& value, CancelToken& token);

  // The copies, which no one needs once the job is done.
  void free_copies() { copies_.clear(); }

 private:
  struct View;
  Status take(const std::string& argument, const Napi::Value& value, napi_typedarray_type type, const char* expected,
              std::uint64_t first, std::uint64_t end, View& view);

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::vector<std::unique_ptr<void, Free>> copies_;
  std::vector<Napi::ObjectReference> kept_;
};

Status take_number(const std::string& argument, const Napi::Value& value, double& out);
Status take_window(const Napi::CallbackInfo& info, std::size_t first_index, ByteWindow& window);
Status take_granularity(const Napi::Value& value, std::uint64_t& granularity);
Status take_flag(const std::string& argument, const Napi::Value& value, bool& out);
Status take_descriptor(const std::string& argument, const Napi::Value& value, int& fd);
Status take_ranges(const std::string& argument, const Napi::Value& value, Inputs& inputs, const double*& values,
                   std::size_t& length);

// Segments as the port's BitmapSegment objects; `query` has its window and granularity already.
Status take_segments(const Napi::Value& value, Inputs& inputs, std::vector<BitmapSegment>& segments,
                     BitmapQuery& query);

// The port's ClusterTables object.
Status take_tables(const Napi::Value& value, const ByteWindow& window, Inputs& inputs, ClusterTables& tables);
Status take_cluster_class(const Napi::Value& value, ClusterClass& wanted);

// A string of at most kMaxStyleBytes.
Status take_style_part(const std::string& argument, const Napi::Value& value, std::string& part);

} // namespace cbt::binding
