// See arguments.hpp.
#include "arguments.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cbt/bits.hpp"
#include "cbt/range_text.hpp"
#include "cbt/text.hpp"

namespace cbt::binding {
namespace {

constexpr std::size_t kMaxShown = 80;

// A value in a message, as lib/core/errors.ts shows it.
std::string describe(const Napi::Value& value) {
  if (value.IsNumber()) return js_number(value.As<Napi::Number>().DoubleValue());
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    return "\"" + (text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "…") + "\"";
  }
  if (value.IsArray()) return "Array";
  if (value.IsFunction()) return "Function";
  if (value.IsTypedArray()) return "a typed array";
  return value.IsObject() ? "Object" : "another type";
}

Status wrong_type(const std::string& argument, const Napi::Value& value, const char* expected) {
  return invalid_argument(argument, describe(value), expected);
}

// A view that has lost its memory has length zero, which would read as "nothing". The methods of typed
// arrays, unlike their lengths, tell.
bool memory_is_gone(const Napi::Object& view) {
  const Napi::Value method = view.Get("at");
  if (!method.IsFunction()) return true;
  try {
    method.As<Napi::Function>().Call(view, {Napi::Number::New(view.Env(), 0)});
    return false;
  } catch (const Napi::Error&) {
    return true;
  }
}

// Bits of one segment: its own object, and the granularity read before.
Status take_bits(const std::string& name, const Napi::Value& value, const BitmapQuery& query, Inputs& inputs,
                 BitmapSegment& segment) {
  if (!value.IsObject()) return wrong_type(name, value, "bits in memory or in clusters");
  const auto object = value.As<Napi::Object>();
  const Napi::Value kind_value = object.Get("kind");
  const std::string kind = kind_value.IsString() ? kind_value.As<Napi::String>().Utf8Value() : std::string();
  const bool any = query.window.start < query.window.end;
  const ByteSpan needed = any ? needed_bytes(segment.granularity, query.granularity, query.window) : ByteSpan{0, 0};
  if (kind == "memory") {
    MemoryBits memory;
    memory.first_byte = needed.first;
    CBT_TRY(
        inputs.take_bytes(name + ".bytes", object.Get("bytes"), needed.first, needed.end, memory.data, memory.bytes));
    segment.bits = memory;
    return {};
  }
  if (kind != "stored") return wrong_type(name + ".kind", kind_value, "\"memory\" or \"stored\"");
  StoredBits stored;
  double cluster_bytes = 0;
  CBT_TRY(take_descriptor(name + ".fd", object.Get("fd"), stored.fd));
  CBT_TRY(take_number(name + ".clusterBytes", object.Get("clusterBytes"), cluster_bytes));
  CBT_TRY(check_cluster_bytes(name + ".clusterBytes", cluster_bytes, stored.cluster_bytes));
  stored.first_entry = needed.first / stored.cluster_bytes;
  CBT_TRY(inputs.take_numbers(name + ".table", object.Get("table"), stored.first_entry,
                              divide_up(needed.end, stored.cluster_bytes), stored.table, stored.table_entries));
  segment.bits = stored;
  return {};
}

} // namespace

struct Inputs::View {
  const void* data = nullptr;
  std::size_t length = 0; // elements
};

Status Inputs::take(const std::string& argument, const Napi::Value& value, napi_typedarray_type type,
                    const char* expected, std::uint64_t first, std::uint64_t end, View& view) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    return wrong_type(argument, value, expected);
  }
  void* data = nullptr;
  std::size_t length = 0;
  napi_value buffer = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, &buffer, nullptr) != napi_ok) {
    return {Code::internal, argument + " cannot be looked into"};
  }
  // Node-API calls only unshared memory an ArrayBuffer.
  bool unshared = true;
  if (napi_is_arraybuffer(value.Env(), buffer, &unshared) != napi_ok) {
    return {Code::internal, argument + " cannot be looked into"};
  }
  if (length == 0) {
    if (unshared && memory_is_gone(value.As<Napi::Object>())) {
      return invalid_argument(argument, "a view without memory",
                              "a view of memory that is still there (its buffer is detached or was resized)");
    }
    return {};
  }
  const std::size_t element = type == napi_float64_array ? sizeof(double) : type == napi_int32_array ? 4 : 1;
  first = std::min<std::uint64_t>(first, length);
  end = std::clamp<std::uint64_t>(end, first, length);
  const std::size_t bytes = (end - first) * element;
  const char* const from = static_cast<const char*>(data) + first * element;
  view.length = end - first;
  if (!unshared) {
    kept_.push_back(Napi::Persistent(value.As<Napi::Object>()));
    view.data = from;
    return {};
  }
  std::unique_ptr<void, Free> copy(std::malloc(std::max<std::size_t>(bytes, 1)));
  if (!copy) {
    return Status(Code::backend_unavailable, text("no memory for a copy of ", argument, " (", bytes, " bytes)"))
        .with("errno", "ENOMEM")
        .with("bytes", bytes);
  }
  if (bytes != 0) std::memcpy(copy.get(), from, bytes);
  view.data = copy.get();
  copies_.push_back(std::move(copy));
  return {};
}

Status Inputs::take_bytes(const std::string& argument, const Napi::Value& value, std::uint64_t first, std::uint64_t end,
                          const std::uint8_t*& data, std::size_t& length) {
  View view;
  CBT_TRY(take(argument, value, napi_uint8_array, "a Uint8Array", first, end, view));
  data = static_cast<const std::uint8_t*>(view.data);
  length = view.length;
  return {};
}

Status Inputs::take_numbers(const std::string& argument, const Napi::Value& value, std::uint64_t first,
                            std::uint64_t end, const double*& data, std::size_t& length) {
  View view;
  CBT_TRY(take(argument, value, napi_float64_array, "a Float64Array", first, end, view));
  data = static_cast<const double*>(view.data);
  length = view.length;
  return {};
}

Status Inputs::take_cancel(const Napi::Value& value, CancelToken& token) {
  if (value.IsUndefined()) return {};
  constexpr const char* expected = "undefined or an Int32Array of shared memory";
  const std::size_t kept = kept_.size();
  View view;
  CBT_TRY(take("cancel", value, napi_int32_array, expected, 0, 1, view));
  if (view.length == 0 || kept_.size() == kept) return wrong_type("cancel", value, expected);
  token = CancelToken(static_cast<const std::int32_t*>(view.data));
  return {};
}

Status take_number(const std::string& argument, const Napi::Value& value, double& out) {
  if (!value.IsNumber()) return wrong_type(argument, value, "a number");
  out = value.As<Napi::Number>().DoubleValue();
  return {};
}

Status take_window(const Napi::CallbackInfo& info, std::size_t first_index, ByteWindow& window) {
  double start = 0;
  double end = 0;
  double max_ranges = 0;
  CBT_TRY(take_number("startBytes", info[first_index], start));
  CBT_TRY(take_number("endBytes", info[first_index + 1], end));
  CBT_TRY(take_number("maxRanges", info[first_index + 2], max_ranges));
  return check_window(start, end, max_ranges, window);
}

Status take_granularity(const Napi::Value& value, std::uint64_t& granularity) {
  double number = 0;
  CBT_TRY(take_number("granularityBytes", value, number));
  return check_granularity("granularityBytes", number, granularity);
}

Status take_flag(const std::string& argument, const Napi::Value& value, bool& out) {
  if (!value.IsBoolean()) return wrong_type(argument, value, "true or false");
  out = value.As<Napi::Boolean>().Value();
  return {};
}

Status take_descriptor(const std::string& argument, const Napi::Value& value, int& fd) {
  double number = 0;
  CBT_TRY(take_number(argument, value, number));
  return check_file_descriptor(argument, number, fd);
}

Status take_ranges(const std::string& argument, const Napi::Value& value, Inputs& inputs, const double*& values,
                   std::size_t& length) {
  return inputs.take_numbers(argument, value, 0, ~std::uint64_t{0}, values, length);
}

Status take_segments(const Napi::Value& value, Inputs& inputs, std::vector<BitmapSegment>& segments,
                     BitmapQuery& query) {
  if (!value.IsArray()) return wrong_type("segments", value, "an array");
  const auto array = value.As<Napi::Array>();
  const std::uint32_t count = array.Length();
  CBT_TRY(check_segment_count(count));
  segments.resize(count);
  // All granularities first: the coarsest of them decides how much of each bitmap is needed.
  for (std::uint32_t i = 0; i < count; ++i) {
    const Napi::HandleScope scope(value.Env());
    const std::string name = text("segments[", i, "]");
    const Napi::Value segment = array.Get(i);
    if (!segment.IsObject()) return wrong_type(name, segment, "a segment");
    double granularity = 0;
    CBT_TRY(take_number(name + ".granularityBytes", segment.As<Napi::Object>().Get("granularityBytes"), granularity));
    CBT_TRY(check_granularity(name + ".granularityBytes", granularity, segments[i].granularity));
    query.granularity = std::max(query.granularity, segments[i].granularity);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const Napi::HandleScope scope(value.Env());
    const std::string name = text("segments[", i, "]");
    const Napi::Value segment = array.Get(i);
    if (!segment.IsObject()) return wrong_type(name, segment, "a segment");
    CBT_TRY(take_bits(name + ".bits", segment.As<Napi::Object>().Get("bits"), query, inputs, segments[i]));
  }
  query.segments = segments;
  return {};
}

Status take_tables(const Napi::Value& value, const ByteWindow& window, Inputs& inputs, ClusterTables& tables) {
  if (!value.IsObject()) return wrong_type("tables", value, "the tables of a layer");
  const auto object = value.As<Napi::Object>();
  double cluster_bits = 0;
  double version = 0;
  double file_bytes = 0;
  CBT_TRY(take_descriptor("tables.fd", object.Get("fd"), tables.fd));
  CBT_TRY(take_number("tables.clusterBits", object.Get("clusterBits"), cluster_bits));
  CBT_TRY(take_flag("tables.extendedL2", object.Get("extendedL2"), tables.extended_l2));
  CBT_TRY(take_number("tables.version", object.Get("version"), version));
  CBT_TRY(take_flag("tables.externalData", object.Get("externalData"), tables.external_data));
  CBT_TRY(take_number("tables.fileBytes", object.Get("fileBytes"), file_bytes));
  CBT_TRY(check_tables(cluster_bits, version, file_bytes, tables));
  return inputs.take_numbers("tables.l1", object.Get("l1"), 0, needed_tables(tables, window), tables.l1,
                             tables.l1_entries);
}

Status take_cluster_class(const Napi::Value& value, ClusterClass& wanted) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
  if (name != "data" && name != "allocated") return wrong_type("wanted", value, "\"data\" or \"allocated\"");
  wanted = name == "data" ? ClusterClass::data : ClusterClass::allocated;
  return {};
}

Status take_style_part(const std::string& argument, const Napi::Value& value, std::string& part) {
  if (!value.IsString()) return wrong_type(argument, value, "a string");
  part = value.As<Napi::String>().Utf8Value();
  return check_style_part(argument, part);
}

} // namespace cbt::binding
