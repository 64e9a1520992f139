#ifndef MILLRACE_REFUSAL_HPP
#define MILLRACE_REFUSAL_HPP

#include <cstddef>
#include <cstdint>

#include "event_parser.h"

namespace millrace {

/// Most bytes of the input that a message quotes.
constexpr size_t quoted_bytes_max = 60;

/// Fills `refusal`; returns its code. The text of `format` must stay below 200 bytes.
__attribute__((format(printf, 3, 4))) int32_t refuse(mr_refusal *refusal, int32_t code, const char *format, ...);

/// Input made fit for a message: valid UTF-8 of at most `quoted_bytes_max` bytes, control characters as `?`.
struct quotation {
  /// `bytes` must be valid UTF-8.
  quotation(const uint8_t *bytes, size_t length);
  char text[quoted_bytes_max + 4];
};

}  // namespace millrace

#endif
