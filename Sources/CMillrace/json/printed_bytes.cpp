#include "printed_bytes.hpp"

#include <algorithm>
#include <cstring>

namespace millrace {

namespace {

/// Behind the string that starts at `at`, its quotes included; `end` when it isn't closed.
const uint8_t *behind_string(const uint8_t *at, const uint8_t *end) {
  at++;
  while (at < end) {
    auto quote = static_cast<const uint8_t *>(memchr(at, '"', static_cast<size_t>(end - at)));
    if (quote == nullptr) return end;
    const uint8_t *behind = quote;
    while (behind > at && behind[-1] == '\\') behind--;
    at = quote + 1;
    if ((quote - behind) % 2 == 0) return at;
  }
  return end;
}

/// The most bytes that a byte of JSON may become: `1e131071,` are 131073.
constexpr size_t printed_bytes_a_byte_max = 131073 / 9 + 1;

/// Most digits of a number on both sides of its point.
constexpr size_t number_bytes_max = 131072 + 16383;

/// How often a digit is followed by an e: no fewer than there are exponents.
size_t exponents_max(const uint8_t *json, size_t length) {
  size_t count = 0;
  // Counted in bytes, at most 255 at a time, which the compiler does 16 or more at once.
  for (size_t i = 1; i < length;) {
    uint8_t found = 0;
    size_t end = length - i < 255 ? length : i + 255;
    for (; i < end; i++) {
      uint8_t is_e = static_cast<uint8_t>(json[i] | 0x20) == 'e';
      uint8_t is_behind_digit = static_cast<uint8_t>(json[i - 1] - '0') < 10;
      found = static_cast<uint8_t>(found + (is_e & is_behind_digit));
    }
    count += found;
  }
  return count;
}

}  // namespace

bool prints_as_more(const uint8_t *json, size_t length, size_t limit, size_t &printed) {
  printed = length;
  if (length * printed_bytes_a_byte_max <= limit) return false;
  if (length + exponents_max(json, length) * number_bytes_max <= limit) return false;
  printed = printed_bytes(json, length);
  return printed > limit;
}

int64_t printed_bytes(const json_number &number, const uint8_t *start) {
  int64_t own = number.end - start;
  if (number.exponent == nullptr) {
    if (!number.is_negative) return own;
    bool is_zero = std::all_of(number.whole, number.fraction_end, [](uint8_t c) { return c == '0' || c == '.'; });
    return own - is_zero;
  }
  int64_t printed;
  return fits_numeric(number, printed) ? printed : own;
}

size_t printed_bytes(const uint8_t *json, size_t length) {
  const uint8_t *end = json + length;
  int64_t growth = 0;
  for (const uint8_t *at = json; at < end;) {
    json_number number;
    if (*at == '"') {
      at = behind_string(at, end);
    } else if ((*at == '-' || is_digit(*at)) && scan_number(at, end, number)) {
      if (number.exponent != nullptr) growth += printed_bytes(number, at) - (number.end - at);
      at = number.end;
    } else {
      at++;
    }
  }
  return static_cast<size_t>(static_cast<int64_t>(length) + growth);
}

}  // namespace millrace
