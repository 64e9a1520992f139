#ifndef MILLRACE_DECIMAL_HPP
#define MILLRACE_DECIMAL_HPP

#include <cstdint>
#include <string>

#include "json/json_number.hpp"

namespace millrace {

/// A number as JSON writes it, of any length: sign, significant digits, and the power of ten of the first one. Pointers into
/// the text.
class decimal {
 public:
  /// False where the bytes are no number.
  bool read(const uint8_t *start, const uint8_t *end);

  /// Less than 0, 0 or more than 0, as the number is less than, equal to or more than `other`.
  int compare(const decimal &other) const {
    if (is_small_ && other.is_small_) return small_ < other.small_ ? -1 : small_ > other.small_;
    return compare_digits(other);
  }

  /// No digit that isn't zero stands behind the point.
  bool is_integer() const { return count_ == 0 || last_power() >= 0; }

  /// This is a whole multiple of `divisor`, which must be above zero and have at most 18 significant digits.
  bool is_multiple_of(const decimal &divisor) const;

  /// A whole number of up to 18 digits, written as one.
  bool is_small() const { return is_small_; }
  int64_t small() const { return small_; }

  /// Reads such a number; false where it is none.
  static bool read_small(const uint8_t *start, const uint8_t *end, int64_t &value) {
    bool is_negative = *start == '-';
    start += is_negative;
    auto count = end - start;
    if (count < 1 || count > 18) return false;
    value = 0;
    for (; start < end; start++) {
      if (!is_digit(*start)) return false;
      value = value * 10 + (*start - '0');
    }
    if (is_negative) value = -value;
    return true;
  }

  /// Surely within `least` and `most`, by what stands before the point. `may_have_fraction`: else only a number without one is.
  static bool is_within(const uint8_t *start, const uint8_t *end, bool may_have_fraction, int64_t least, int64_t most) {
    auto point = start;
    while (point < end && *point != '.') point++;
    int64_t whole;
    if (!read_small(start, point, whole)) return false;
    if (point == end) return whole >= least && whole <= most;
    for (auto at = point + 1; at < end; at++) {
      if (!is_digit(*at)) return false;
    }
    if (!may_have_fraction) return false;
    return *start == '-' ? whole > least && whole <= most : whole >= least && whole < most;
  }

  /// Appends it so that equal numbers give equal bytes.
  void append_canonical(std::string &out) const;

 private:
  const uint8_t *whole_ = nullptr;
  int64_t whole_count_ = 0;
  const uint8_t *fraction_ = nullptr;
  /// Of the significant digits: the first one's index in whole and fraction together, and how many there are; 0 for zero.
  int64_t first_ = 0;
  int64_t count_ = 0;
  /// Of ten: what the first significant digit counts.
  int64_t first_power_ = 0;
  bool is_negative_ = false;
  bool is_small_ = false;
  int64_t small_ = 0;

  int compare_digits(const decimal &other) const;

  uint8_t digit(int64_t index) const {
    int64_t at = first_ + index;
    return static_cast<uint8_t>((at < whole_count_ ? whole_[at] : fraction_[at - whole_count_]) - '0');
  }
  int64_t last_power() const { return first_power_ - count_ + 1; }
};

}  // namespace millrace

#endif
