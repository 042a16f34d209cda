#include "tensor_reader.h"

#include "elements.h"
#include "fast_fraction.h"
#include "text.h"

namespace headrace::json {
namespace {

// Reads elements of D one after the other.
template <Datatype D>
class NumberSink {
 public:
  NumberSink(const char* begin, std::byte* out) : begin_(begin), out_(out) {}

  const char* read(const char* p, const char* end) {
    std::byte* const out = out_;
    out_ += info_of(D).bytes;
#if HEADRACE_FAST_FRACTION
    if constexpr (is_float(D)) {
      double value = 0;
      if (end - p >= kFastAfter && p - begin_ >= kFastBefore) {
        const char* const after = fast_fraction(p, value);
        if (after != nullptr) {
          store_double<D>(value, out);  // no float overflows below 10
          return after;
        }
      }
    }
#endif
    return read_element<D>(p, end, out);
  }

 private:
  const char* const begin_;
  std::byte* out_;
};

// Reads strings, each with its length before it.
class StringSink {
 public:
  explicit StringSink(std::byte* out) : out_(out) {}

  const char* read(const char* p, const char* end) {
    if (p == end || *p != '"') return nullptr;
    const char* wrong = nullptr;
    const char* const after = skip_string(p, end, wrong);
    if (after == nullptr) return nullptr;
    char* const text = reinterpret_cast<char*>(out_) + sizeof(uint32_t);
    const char* const text_end = write_text(p, after, text);
    if (text_end == nullptr) return nullptr;
    store(out_, static_cast<uint32_t>(text_end - text));
    out_ += sizeof(uint32_t) + static_cast<size_t>(text_end - text);
    return after;
  }

  std::byte* out() const { return out_; }

 private:
  std::byte* out_;
};

bool is_array(const char* p, const char* end) { return p != end && *p == '['; }

// An array of exactly `count` elements.
template <typename Sink>
const char* read_row(Sink& sink, const char* p, const char* end, uint64_t count) {
  if (!is_array(p, end)) return nullptr;
  p = skip_space(p + 1, end);
  if (count == 0) return p != end && *p == ']' ? p + 1 : nullptr;
  for (uint64_t left = count;;) {
    p = sink.read(p, end);
    if (p == nullptr) return nullptr;
    p = skip_space(p, end);
    if (p == end) return nullptr;
    --left;
    if (*p == ']') return left == 0 ? p + 1 : nullptr;
    if (*p != ',' || left == 0) return nullptr;
    p = skip_space(p + 1, end);
  }
}

template <typename Sink>
const char* read_nested(Sink& sink, const char* p, const char* end, const TensorForm& form, size_t axis) {
  const auto& shape = form.shape;
  if (axis == shape.size()) return sink.read(p, end);
  if (axis + 1 == shape.size() || shape[axis] == 0) return read_row(sink, p, end, shape[axis]);
  if (!is_array(p, end)) return nullptr;
  p = skip_space(p + 1, end);
  for (uint64_t left = shape[axis];;) {
    p = read_nested(sink, p, end, form, axis + 1);
    if (p == nullptr) return nullptr;
    p = skip_space(p, end);
    if (p == end) return nullptr;
    --left;
    if (*p == ']') return left == 0 ? p + 1 : nullptr;
    if (*p != ',' || left == 0) return nullptr;
    p = skip_space(p + 1, end);
  }
}

// Flat data is one array of all elements; anything else must be nested exactly as the shape is.
template <typename Sink>
const char* read_all(Sink& sink, const char* p, const char* end, const TensorForm& form) {
  const bool is_flat = is_array(p, end) && !is_array(skip_space(p + 1, end), end);
  return is_flat ? read_row(sink, p, end, form.count) : read_nested(sink, p, end, form, 0);
}

}  // namespace

const char* read_tensor(const TensorForm& form, const char* begin, const char* p, const char* end, Scratch& scratch) {
  // Before anything is allocated for the shape: an element takes a byte of JSON at the very least.
  if (form.count > static_cast<uint64_t>(end - p)) return nullptr;
  const size_t before = scratch.size();
  if (form.datatype == Datatype::Bytes) {
    StringSink sink(scratch.grow(form.count * sizeof(uint32_t) + static_cast<size_t>(end - p)));
    const char* const after = read_all(sink, p, end, form);
    scratch.shrink(after == nullptr ? before : static_cast<size_t>(sink.out() - scratch.bytes().data()));
    return after;
  }
  std::byte* const out = scratch.grow(form.count * info_of(form.datatype).bytes);
  return with_datatype(form.datatype, [&]<Datatype D>() {
    NumberSink<D> sink(begin, out);
    return read_all(sink, p, end, form);
  });
}

}  // namespace headrace::json
