#include "decimal.hpp"

#include <algorithm>

namespace millrace {

namespace {

/// Exponents beyond it are taken for it: no number of an accepted line has one, and sums stay far from overflow.
constexpr int64_t exponent_end = int64_t{1} << 40;

}  // namespace

bool decimal::read(const uint8_t *start, const uint8_t *end) {
  json_number number;
  if (!scan_number(start, end, number) || number.end != end) return false;
  is_small_ = read_small(start, end, small_);
  is_negative_ = number.is_negative;
  whole_ = number.whole;
  whole_count_ = number.whole_end - number.whole;
  fraction_ = number.fraction;
  int64_t exponent = 0;
  if (number.exponent != nullptr) {
    for (const uint8_t *at = number.exponent; at < number.end; at++) {
      exponent = std::min(exponent * 10 + (*at - '0'), exponent_end);
    }
    if (number.exponent_is_negative) exponent = -exponent;
  }
  int64_t total = whole_count_ + (number.fraction_end - number.fraction);
  first_ = 0;
  count_ = total;
  while (count_ > 0 && digit(0) == 0) {
    first_++;
    count_--;
  }
  while (count_ > 0 && digit(count_ - 1) == 0) count_--;
  first_power_ = count_ == 0 ? 0 : whole_count_ - first_ - 1 + exponent;
  return true;
}

int decimal::compare_digits(const decimal &other) const {
  int sign = count_ == 0 ? 0 : is_negative_ ? -1 : 1;
  int other_sign = other.count_ == 0 ? 0 : other.is_negative_ ? -1 : 1;
  if (sign != other_sign) return sign < other_sign ? -1 : 1;
  if (sign == 0) return 0;
  if (first_power_ != other.first_power_) return first_power_ < other.first_power_ ? -sign : sign;
  for (int64_t i = 0; i < std::min(count_, other.count_); i++) {
    if (digit(i) != other.digit(i)) return digit(i) < other.digit(i) ? -sign : sign;
  }
  // Both end with a digit that isn't zero.
  if (count_ == other.count_) return 0;
  return count_ < other.count_ ? -sign : sign;
}

bool decimal::is_multiple_of(const decimal &divisor) const {
  if (count_ == 0) return true;
  // This is a * 10^p, the divisor b * 10^q, neither a nor b with a zero at its end.
  int64_t power = last_power() - divisor.last_power();
  if (power < 0) return false;
  uint64_t modulus = 0;
  for (int64_t i = 0; i < divisor.count_; i++) modulus = modulus * 10 + divisor.digit(i);
  using wide = unsigned __int128;
  uint64_t rest = 0;
  for (int64_t i = 0; i < count_; i++) {
    rest = static_cast<uint64_t>((static_cast<wide>(rest) * 10 + digit(i)) % modulus);
  }
  // Times 10^power, by squaring.
  for (uint64_t base = 10 % modulus; power > 0; power >>= 1) {
    if (power & 1) rest = static_cast<uint64_t>(static_cast<wide>(rest) * base % modulus);
    base = static_cast<uint64_t>(static_cast<wide>(base) * base % modulus);
  }
  return rest == 0;
}

void decimal::append_canonical(std::string &out) const {
  if (count_ == 0) {
    out += "+0";
    return;
  }
  out += is_negative_ ? '-' : '+';
  for (int64_t i = 0; i < count_; i++) out += static_cast<char>('0' + digit(i));
  out += 'e';
  out += std::to_string(first_power_);
}

}  // namespace millrace
