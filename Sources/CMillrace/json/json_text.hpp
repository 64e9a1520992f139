#ifndef MILLRACE_JSON_TEXT_HPP
#define MILLRACE_JSON_TEXT_HPP

#include <cstddef>
#include <cstdint>

namespace millrace {

inline bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

enum class escapes {
  valid,
  /// Not JSON: an unknown letter behind the backslash, or `\u` without four hexadecimal digits.
  malformed,
  /// JSON, but PostgreSQL can't hold it: U+0000.
  nul,
  /// JSON, but no text: half of a surrogate pair.
  lone_surrogate,
};

/// Checks every escape of the string content `at ..< end`; `*fault` is set to the backslash of the first bad one.
/// A malformed escape is told before one that is only unsupported.
escapes check_escapes(const uint8_t *at, const uint8_t *end, const uint8_t **fault);

/// Writes the string content `at ..< end` to `out` and returns its end: never longer than the input. Of escapes that are
/// not valid, it makes something, but reads and writes nothing beyond.
uint8_t *unescape(const uint8_t *at, const uint8_t *end, uint8_t *out);

/// Offset of the first byte that is not UTF-8 (RFC 3629: no surrogates, nothing overlong or beyond U+10FFFF); `length`
/// when there is none.
size_t first_invalid_utf8(const uint8_t *bytes, size_t length);

/// True when UTF-8 `bytes` hold a C0 or C1 control character or DEL.
bool has_control_character(const uint8_t *bytes, size_t length);

}  // namespace millrace

#endif
