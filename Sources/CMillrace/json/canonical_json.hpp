#ifndef MILLRACE_CANONICAL_JSON_HPP
#define MILLRACE_CANONICAL_JSON_HPP

#include <cstdint>
#include <string>

#include "json_text.hpp"

namespace millrace {

/// One JSON text by the structural indexes of simdjson's first stage. The grammar has been checked before.
struct indexed_json {
  const uint8_t *bytes;
  size_t length;
  const uint32_t *structurals;
  uint32_t count;

  /// 0 behind the last token.
  uint8_t first(uint32_t at) const { return at < count ? bytes[structurals[at]] : 0; }
  /// Where the token behind the one at `at` starts.
  uint32_t next_offset(uint32_t at) const {
    return at + 1 < count ? structurals[at + 1] : static_cast<uint32_t>(length);
  }
  /// The token behind the value that starts at `at`.
  uint32_t behind(uint32_t at) const {
    uint32_t depth = 0;
    do {
      switch (first(at)) {
        case '{':
        case '[': depth++; break;
        case '}':
        case ']': depth--; break;
        default: break;
      }
      at++;
    } while (depth > 0 && at < count);
    return at;
  }
  /// The content of the string at `at`, between its quotes.
  void string(uint32_t at, const uint8_t *&start, const uint8_t *&end) const {
    start = bytes + structurals[at] + 1;
    end = bytes + next_offset(at) - 1;
    while (end > start && is_space(*end)) end--;
  }
  /// The number or word at `at`, without white space.
  void scalar(uint32_t at, const uint8_t *&start, const uint8_t *&end) const {
    start = bytes + structurals[at];
    end = bytes + next_offset(at);
    while (end > start && is_space(end[-1])) end--;
  }
};

/// Appends a number as PostgreSQL's numeric prints it: no exponent, no negative zero, trailing zeros as they are. False
/// when that would be more than MR_NUMBER_TEXT_BYTES_MAX bytes.
bool append_number(const uint8_t *start, const uint8_t *end, std::string &out);

/// Appends the value at `at` as jsonb prints it: members by length and bytes of their names, the last of a name, a space
/// behind each colon and comma. False when a number in it is too long; `out` holds a part then.
bool append_canonical(const indexed_json &json, uint32_t at, std::string &out);

}  // namespace millrace

#endif
