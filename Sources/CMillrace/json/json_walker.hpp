#ifndef MILLRACE_JSON_WALKER_HPP
#define MILLRACE_JSON_WALKER_HPP

#include <cstdint>
#include <cstring>

#include "event_parser.h"
#include "json_number.hpp"
#include "json_text.hpp"

namespace millrace {

/// A value of the top level: offsets into the line. For strings, of the content between the quotes.
struct json_value {
  /// The first byte: `"`, `{`, `[`, `t`, `f`, `n`, `-` or a digit. 0 when there is no value.
  uint8_t first = 0;
  bool has_escapes = false;
  uint32_t start = 0;
  uint32_t end = 0;
  /// Of an object or array: how many bytes more its numbers with an exponent have when numeric prints them.
  int64_t growth = 0;

  uint32_t length() const { return end - start; }
};

/// Walks the structural indexes that simdjson's first stage found in one line, checking the whole grammar without
/// recursion. Stage 1 has made sure of three things: the bytes are UTF-8, every string is closed and holds no control
/// character, and between two structural indexes lies at most one token followed by white space.
///
/// The structural index behind the last one is the line's length.
class json_walker {
 public:
  json_walker(const uint8_t *bytes, size_t length, const uint32_t *structurals, uint32_t count, uint32_t depth_max,
              bool trusts_last_object)
      : bytes_(bytes),
        length_(length),
        structurals_(structurals),
        count_(count),
        depth_max_(depth_max),
        trusts_last_object_(trusts_last_object) {
    find_backslash(0);
  }

  /// The byte of the next token; 0, which starts none, at the end of the line.
  uint8_t peek() const { return at_ < count_ ? bytes_[structurals_[at_]] : 0; }
  /// Offset of the next token; the line's length at its end.
  uint32_t offset() const { return structurals_[at_]; }
  bool at_end() const { return at_ == count_; }
  void skip_structural() { at_++; }

  /// Takes the string at the next token, which must be a quote. False on a malformed escape.
  bool take_string(json_value &value) {
    uint32_t start = structurals_[at_] + 1;
    uint32_t end = structurals_[++at_] - 1;
    while (is_space(bytes_[end])) end--;
    value.first = '"';
    value.start = start;
    value.end = end;
    value.has_escapes = backslash_ < end;
    return !value.has_escapes || take_escapes(start, end);
  }

  /// Takes the value at the next token. False when the grammar forbids it or it is nested too deep.
  bool take_value(json_value &value) {
    value.has_escapes = false;
    switch (uint8_t first = peek()) {
      case '"': return take_string(value);
      case '{':
      case '[':
        value.first = first;
        value.start = offset();
        value.growth = -growth_;
        if (!take_last_object() && !take_container()) return false;
        value.growth += growth_;
        value.end = structurals_[at_ - 1] + 1;
        return true;
      default:
        value.first = first;
        value.start = offset();
        return take_scalar(value.end);
    }
  }

  /// What made a `take…` return false.
  int32_t fault_code = MR_INVALID_JSON;
  /// What is wanted at `fault_offset`.
  const char *fault_wanted = nullptr;
  uint32_t fault_offset = 0;

  /// The first string with an escape that PostgreSQL can't hold.
  escapes unsupported = escapes::valid;
  uint32_t unsupported_offset = 0;
  /// The first number beyond PostgreSQL's numeric.
  bool has_number_out_of_range = false;
  uint32_t number_offset = 0;
  uint32_t number_length = 0;

  bool fail(const char *wanted, uint32_t offset) {
    fault_wanted = wanted;
    fault_offset = offset;
    return false;
  }

 private:
  static constexpr size_t plain_number_bytes_max = 1000;

  const uint8_t *bytes_;
  size_t length_;
  const uint32_t *structurals_;
  uint32_t count_;
  uint32_t depth_max_;
  bool trusts_last_object_;
  uint32_t at_ = 0;
  /// Of all numbers taken so far, as `json_value::growth`.
  int64_t growth_ = 0;
  /// Of the first backslash behind all strings taken so far; the line's length when there is none. One search a line
  /// where there are no escapes.
  size_t backslash_ = 0;

  void find_backslash(size_t from) {
    auto found = from < length_ ? memchr(bytes_ + from, '\\', length_ - from) : nullptr;
    backslash_ = found ? static_cast<size_t>(static_cast<const uint8_t *>(found) - bytes_) : length_;
  }

  bool take_escapes(uint32_t start, uint32_t end) {
    const uint8_t *fault = nullptr;
    escapes found = check_escapes(bytes_ + start, bytes_ + end, &fault);
    find_backslash(end);
    if (found == escapes::valid) return true;
    auto offset = static_cast<uint32_t>(fault - bytes_);
    if (found == escapes::malformed) {
      return fail("one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX", offset);
    }
    if (unsupported == escapes::valid) {
      unsupported = found;
      unsupported_offset = offset;
    }
    return true;
  }

  /// Takes the object at the next token unseen, if it is the last value of the line's object and may be trusted: then
  /// two brackets close the line, and no other field of a line that was accepted ends with one.
  bool take_last_object() {
    if (!trusts_last_object_ || peek() != '{' || at_ + 3 > count_) return false;
    if (bytes_[structurals_[count_ - 1]] != '}' || bytes_[structurals_[count_ - 2]] != '}') return false;
    at_ = count_ - 1;
    return true;
  }

  /// Takes the string at the next token when nobody wants to know where it ends.
  bool skip_string() {
    if (backslash_ >= structurals_[at_ + 1]) {
      at_++;
      return true;
    }
    json_value ignored;
    return take_string(ignored);
  }

  /// Takes note of a number that is not as numeric prints it, or may be too long.
  __attribute__((noinline)) void measure(const json_number &number, const uint8_t *start) {
    if (has_number_out_of_range) return;
    int64_t printed_bytes;
    if (fits_numeric(number, printed_bytes)) {
      growth_ += printed_bytes - (number.end - start);
      return;
    }
    has_number_out_of_range = true;
    number_offset = offset();
    number_length = static_cast<uint32_t>(number.end - start);
  }

  /// Takes a number, true, false or null and sets `end`.
  inline __attribute__((always_inline)) bool take_scalar(uint32_t &end) {
    if (at_ == count_) return fail("a value", static_cast<uint32_t>(length_));
    const uint8_t *start = bytes_ + structurals_[at_];
    const uint8_t *limit = bytes_ + structurals_[at_ + 1];
    const uint8_t *token_end;
    auto is_word = [&](const char *word, long count) {
      token_end = start + count;
      return limit - start >= count && memcmp(start, word, static_cast<size_t>(count)) == 0;
    };
    switch (*start) {
      case 't':
        if (!is_word("true", 4)) return fail("true", offset());
        break;
      case 'f':
        if (!is_word("false", 5)) return fail("false", offset());
        break;
      case 'n':
        if (!is_word("null", 4)) return fail("null", offset());
        break;
      case '-':
      case '0' ... '9': {
        json_number number;
        if (!scan_number(start, limit, number)) return fail("a number as JSON writes it", offset());
        token_end = number.end;
        bool is_plain = number.exponent == nullptr && limit - start <= static_cast<long>(plain_number_bytes_max);
        if (!is_plain) measure(number, start);
        break;
      }
      default: return fail("a value", offset());
    }
    end = static_cast<uint32_t>(token_end - bytes_);
    if (token_end < limit && !is_space(*token_end)) return fail("white space, ',' or the closing bracket", end);
    at_++;
    return true;
  }

  /// Takes the object or array at the next token with all that is in it. Its own brackets count as depth 1. The kinds
  /// of the open containers are kept as bits: 1 = object.
  bool take_container() {
    uint64_t kinds[MR_DEPTH_MAX / 64];
    uint32_t depth = 0;
    bool in_object;
    uint32_t scalar_end;

  open:
    if (depth == depth_max_) {
      fault_code = MR_NESTING_TOO_DEEP;
      return fail(nullptr, offset());
    }
    in_object = peek() == '{';
    {
      uint64_t bit = uint64_t{1} << (depth % 64);
      if (depth % 64 == 0) kinds[depth / 64] = 0;
      kinds[depth / 64] = in_object ? kinds[depth / 64] | bit : kinds[depth / 64] & ~bit;
    }
    depth++;
    at_++;
    if (peek() == (in_object ? '}' : ']')) goto close;
    if (!in_object) goto element;

  key:
    if (peek() != '"') return fail("a name in quotes", offset());
    if (!skip_string()) return false;
    if (peek() != ':') return fail("':' behind the name", offset());
    at_++;

  element:
    switch (peek()) {
      case '"':
        if (!skip_string()) return false;
        break;
      case '{':
      case '[': goto open;
      default:
        if (!take_scalar(scalar_end)) return false;
    }

  next:
    if (peek() == ',') {
      at_++;
      if (in_object) goto key;
      goto element;
    }
    if (peek() != (in_object ? '}' : ']')) return fail(in_object ? "',' or '}'" : "',' or ']'", offset());

  close:
    at_++;
    if (--depth == 0) return true;
    in_object = kinds[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
    goto next;
  }
};

}  // namespace millrace

#endif
