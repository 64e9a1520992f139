#ifndef MILLRACE_FUZZ_BYTES_HPP
#define MILLRACE_FUZZ_BYTES_HPP

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "event_parser.h"

namespace millrace::fuzz {

/// Choices that an input makes: the same ones whenever it is run.
class choices {
 public:
  explicit choices(std::string_view input) {
    for (char c : input) state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  }

  /// 0 ..< `end`.
  size_t below(size_t end) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t value = (state_ ^ state_ >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return static_cast<size_t>((value ^ value >> 31) % end);
  }

 private:
  uint64_t state_ = 0xCBF29CE484222325;
};

/// A copy of an input with exactly the bytes behind it that the parser may read, so that the sanitizer sees each further
/// one. `filling` is what stands there, over and over.
class padded_copy {
 public:
  padded_copy(std::string_view input, size_t offset, std::string_view filling) : length_(input.size()) {
    memory_ = static_cast<uint8_t *>(malloc(offset + length_ + MR_PADDING));
    if (memory_ == nullptr) throw std::bad_alloc();
    start_ = memory_ + offset;
    if (length_ > 0) memcpy(start_, input.data(), length_);
    for (size_t i = 0; i < MR_PADDING; i++) start_[length_ + i] = static_cast<uint8_t>(filling[i % filling.size()]);
  }
  padded_copy(const padded_copy &) = delete;
  padded_copy &operator=(const padded_copy &) = delete;
  ~padded_copy() { free(memory_); }

  const uint8_t *start() const { return start_; }
  size_t length() const { return length_; }

 private:
  uint8_t *memory_;
  uint8_t *start_;
  size_t length_;
};

inline std::string_view view(const mr_text &text) {
  return {reinterpret_cast<const char *>(text.bytes), text.length};
}

}  // namespace millrace::fuzz

#endif
