#ifndef MILLRACE_JSON_NUMBER_HPP
#define MILLRACE_JSON_NUMBER_HPP

#include <cstdint>

namespace millrace {

/// The parts of a number as JSON writes it. Pointers into the line.
struct json_number {
  bool is_negative;
  const uint8_t *whole;
  const uint8_t *whole_end;
  /// Digits behind the point; empty when there is none.
  const uint8_t *fraction;
  const uint8_t *fraction_end;
  /// Digits of the exponent, its sign excluded; null when there is none.
  const uint8_t *exponent;
  bool exponent_is_negative;
  const uint8_t *end;
};

inline bool is_digit(uint8_t byte) { return static_cast<uint8_t>(byte - '0') < 10; }

/// Reads the number that starts at `at` and ends at or before `limit`. False when the grammar forbids it; the caller
/// looks at what follows `number.end`.
inline bool scan_number(const uint8_t *at, const uint8_t *limit, json_number &number) {
  number.is_negative = at < limit && *at == '-';
  if (number.is_negative) at++;
  number.whole = at;
  if (at == limit || !is_digit(*at)) return false;
  if (*at == '0') at++;
  else while (at < limit && is_digit(*at)) at++;
  number.whole_end = number.fraction = number.fraction_end = at;
  if (at < limit && *at == '.') {
    number.fraction = ++at;
    while (at < limit && is_digit(*at)) at++;
    number.fraction_end = at;
    if (number.fraction == at) return false;
  }
  number.exponent = nullptr;
  if (at < limit && (*at | 0x20) == 'e') {
    at++;
    number.exponent_is_negative = at < limit && *at == '-';
    if (at < limit && (*at == '-' || *at == '+')) at++;
    number.exponent = at;
    while (at < limit && is_digit(*at)) at++;
    if (number.exponent == at) return false;
  }
  number.end = at;
  return true;
}

/// True when PostgreSQL's numeric holds the number, all its digits kept. Follows set_var_from_str and make_result of
/// src/backend/utils/adt/numeric.c: at most 131072 digits before the point (the weight is an int16 in base 10000), at
/// most 16383 behind it (trailing zeros count, the exponent shifts), an exponent below INT_MAX / 2 even when the
/// value is zero.
///
/// `printed_bytes` is set to the length of what numeric_out writes for it: no exponent, no negative zero.
bool fits_numeric(const json_number &number, int64_t &printed_bytes);

}  // namespace millrace

#endif
