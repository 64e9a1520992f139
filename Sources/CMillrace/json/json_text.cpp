#include "json_text.hpp"

#include <cstring>

namespace millrace {

namespace {

/// Value of the four hexadecimal digits at `at`, or -1.
int32_t hex4(const uint8_t *at, const uint8_t *end) {
  if (end - at < 4) return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = at[i];
    int32_t digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') digit = (c | 0x20) - 'a' + 10;
    else return -1;
    value = value << 4 | digit;
  }
  return value;
}

bool is_high(int32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low(int32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

const uint8_t *next_backslash(const uint8_t *at, const uint8_t *end) {
  return at < end ? static_cast<const uint8_t *>(memchr(at, '\\', static_cast<size_t>(end - at))) : nullptr;
}

uint8_t *put_utf8(uint8_t *out, uint32_t point) {
  if (point < 0x80) {
    *out++ = static_cast<uint8_t>(point);
  } else if (point < 0x800) {
    *out++ = static_cast<uint8_t>(0xC0 | point >> 6);
    *out++ = static_cast<uint8_t>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    *out++ = static_cast<uint8_t>(0xE0 | point >> 12);
    *out++ = static_cast<uint8_t>(0x80 | (point >> 6 & 0x3F));
    *out++ = static_cast<uint8_t>(0x80 | (point & 0x3F));
  } else {
    *out++ = static_cast<uint8_t>(0xF0 | point >> 18);
    *out++ = static_cast<uint8_t>(0x80 | (point >> 12 & 0x3F));
    *out++ = static_cast<uint8_t>(0x80 | (point >> 6 & 0x3F));
    *out++ = static_cast<uint8_t>(0x80 | (point & 0x3F));
  }
  return out;
}

}  // namespace

escapes check_escapes(const uint8_t *at, const uint8_t *end, const uint8_t **fault) {
  escapes found = escapes::valid;
  auto unsupported = [&](escapes kind, const uint8_t *where) {
    if (found != escapes::valid) return;
    found = kind;
    *fault = where;
  };
  while (const uint8_t *slash = next_backslash(at, end)) {
    at = slash + 2;
    uint8_t letter = at <= end ? slash[1] : 0;
    if (letter == 'u') {
      int32_t unit = hex4(slash + 2, end);
      if (unit < 0) {
        *fault = slash;
        return escapes::malformed;
      }
      at = slash + 6;
      if (unit == 0) {
        unsupported(escapes::nul, slash);
      } else if (is_high(unit)) {
        bool is_pair = end - at >= 6 && at[0] == '\\' && at[1] == 'u' && is_low(hex4(at + 2, end));
        if (is_pair) at += 6;
        else unsupported(escapes::lone_surrogate, slash);
      } else if (is_low(unit)) {
        unsupported(escapes::lone_surrogate, slash);
      }
    } else if (letter == 0 || strchr("\"\\/bfnrt", letter) == nullptr) {
      *fault = slash;
      return escapes::malformed;
    }
  }
  return found;
}

uint8_t *unescape(const uint8_t *at, const uint8_t *end, uint8_t *out) {
  while (const uint8_t *slash = next_backslash(at, end)) {
    size_t plain = static_cast<size_t>(slash - at);
    memcpy(out, at, plain);
    out += plain;
    at = slash + 2;
    switch (slash[1]) {
      case 'b': *out++ = '\b'; break;
      case 'f': *out++ = '\f'; break;
      case 'n': *out++ = '\n'; break;
      case 'r': *out++ = '\r'; break;
      case 't': *out++ = '\t'; break;
      case 'u': {
        int32_t unit = hex4(at, end);
        if (unit < 0) {
          *out++ = '?';
          break;
        }
        at += 4;
        int32_t low = is_high(unit) && end - at >= 6 ? hex4(at + 2, end) : -1;
        if (is_low(low)) {
          at += 6;
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
        out = put_utf8(out, static_cast<uint32_t>(unit));
        break;
      }
      default: *out++ = slash[1];
    }
  }
  // Beyond the end by one where a backslash was the last byte, in a text that was never checked.
  if (at >= end) return out;
  size_t plain = static_cast<size_t>(end - at);
  memcpy(out, at, plain);
  return out + plain;
}

size_t first_invalid_utf8(const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (at < length) {
    uint8_t lead = bytes[at];
    if (lead < 0x80) {
      at++;
      continue;
    }
    size_t count = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length - at < count) return at;
    // The second byte alone decides about overlong forms, surrogates and the end of Unicode.
    uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[at + 1] < lowest || bytes[at + 1] > highest) return at;
    for (size_t i = 2; i < count; i++) {
      if ((bytes[at + i] & 0xC0) != 0x80) return at;
    }
    at += count;
  }
  return length;
}

bool has_control_character(const uint8_t *bytes, size_t length) {
  size_t i = 0;
  // Eight bytes at a time while they are ASCII without controls: each borrow or carry reaches a byte's highest bit.
  for (; length - i >= 8; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    constexpr uint64_t ones = 0x0101010101010101;
    uint64_t below_space = word - ones * 0x20;
    uint64_t beyond_tilde = word + ones;
    if ((word | below_space | beyond_tilde) & ones * 0x80) break;
  }
  for (; i < length; i++) {
    if (bytes[i] < 0x20 || bytes[i] == 0x7F) return true;
    if (bytes[i] == 0xC2 && i + 1 < length && bytes[i + 1] < 0xA0) return true;
  }
  return false;
}

}  // namespace millrace
