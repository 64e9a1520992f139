#ifndef MILLRACE_GROWING_BUFFER_HPP
#define MILLRACE_GROWING_BUFFER_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace millrace {

/// Plain values that are appended without being zeroed first, and without exceptions.
template <typename Value>
class growing_buffer {
  static_assert(std::is_trivially_copyable_v<Value>, "values are moved by realloc");

 public:
  growing_buffer() = default;
  growing_buffer(growing_buffer &&other) noexcept
      : values_(std::exchange(other.values_, nullptr)),
        count_(std::exchange(other.count_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  growing_buffer &operator=(growing_buffer &&) = delete;
  ~growing_buffer() { free(values_); }

  /// Makes room for `more` values; false when there is no memory.
  bool reserve(size_t more) {
    if (capacity_ - count_ >= more) return true;
    size_t capacity = capacity_ < 64 ? 64 : capacity_ * 2;
    while (capacity - count_ < more) capacity *= 2;
    void *moved = realloc(values_, capacity * sizeof(Value));
    if (moved == nullptr) return false;
    values_ = static_cast<Value *>(moved);
    capacity_ = capacity;
    return true;
  }

  /// Where the next value goes, after `reserve`.
  Value *end() { return values_ + count_; }
  /// Says where the values end now.
  void set_end(const Value *end) { count_ = static_cast<size_t>(end - values_); }
  /// Only after `reserve`.
  void append(const Value &value) { values_[count_++] = value; }

  void clear() { count_ = 0; }
  void release() {
    free(values_);
    values_ = nullptr;
    count_ = capacity_ = 0;
  }

  Value *first() { return values_; }
  const Value *values() const { return values_; }
  size_t count() const { return count_; }
  size_t capacity_bytes() const { return capacity_ * sizeof(Value); }

 private:
  Value *values_ = nullptr;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

}  // namespace millrace

#endif
