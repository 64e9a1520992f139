#include "json_number.hpp"

#include <climits>

namespace millrace {

bool fits_numeric(const json_number &number) {
  constexpr int64_t exponent_end = INT_MAX / 2;
  constexpr int64_t weight_max = 131071;
  constexpr int64_t scale_max = 16383;

  int64_t exponent = 0;
  if (number.exponent != nullptr) {
    for (const uint8_t *at = number.exponent; at < number.end && exponent < exponent_end; at++) {
      exponent = exponent * 10 + (*at - '0');
    }
    if (exponent >= exponent_end) return false;
    if (number.exponent_is_negative) exponent = -exponent;
  }
  if ((number.fraction_end - number.fraction) - exponent > scale_max) return false;

  // The power of ten of the first digit that isn't zero.
  int64_t weight;
  if (*number.whole != '0') {
    weight = number.whole_end - number.whole - 1;
  } else {
    const uint8_t *at = number.fraction;
    while (at < number.fraction_end && *at == '0') at++;
    if (at == number.fraction_end) return true;
    weight = number.fraction - at - 1;
  }
  return weight + exponent <= weight_max;
}

}  // namespace millrace
