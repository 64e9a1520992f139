#include "json_number.hpp"

#include <climits>

namespace millrace {

bool fits_numeric(const json_number &number, int64_t &printed_bytes) {
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
  int64_t scale = (number.fraction_end - number.fraction) - exponent;
  if (scale > scale_max) return false;
  int64_t behind_point = scale > 0 ? 1 + scale : 0;

  // The power of ten of the first digit that isn't zero.
  int64_t weight;
  if (*number.whole != '0') {
    weight = number.whole_end - number.whole - 1;
  } else {
    const uint8_t *at = number.fraction;
    while (at < number.fraction_end && *at == '0') at++;
    if (at == number.fraction_end) {
      printed_bytes = 1 + behind_point;
      return true;
    }
    weight = number.fraction - at - 1;
  }
  weight += exponent;
  printed_bytes = number.is_negative + (weight > 0 ? 1 + weight : 1) + behind_point;
  return weight <= weight_max;
}

}  // namespace millrace
