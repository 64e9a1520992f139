#include "refusal.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace millrace {

int32_t refuse(mr_refusal *refusal, int32_t code, const char *format, ...) {
  refusal->code = code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(refusal->message, sizeof refusal->message, format, arguments);
  va_end(arguments);
  return code;
}

quotation::quotation(const uint8_t *bytes, size_t length) {
  size_t end = length;
  if (length > quoted_bytes_max) {
    end = quoted_bytes_max;
    while (end > 0 && (bytes[end] & 0xC0) == 0x80) end--;
  }
  char *out = text;
  for (size_t i = 0; i < end; i++) {
    bool is_c1 = bytes[i] == 0xC2 && i + 1 < end && bytes[i + 1] < 0xA0;
    if (is_c1) i++;
    *out++ = is_c1 || bytes[i] < 0x20 || bytes[i] == 0x7F ? '?' : static_cast<char>(bytes[i]);
  }
  if (end < length) {
    memcpy(out, "…", 3);
    out += 3;
  }
  *out = 0;
}

}  // namespace millrace
