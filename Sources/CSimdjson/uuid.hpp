#ifndef MILLRACE_UUID_HPP
#define MILLRACE_UUID_HPP

#include <cstddef>
#include <cstdint>

namespace millrace {

/// The value of each hexadecimal digit, either case; 0xFF for every other byte.
struct hex_values {
  uint8_t of[256] = {};

  constexpr hex_values() {
    for (int i = 0; i < 256; i++) of[i] = 0xFF;
    for (uint8_t i = 0; i < 10; i++) of['0' + i] = i;
    for (uint8_t i = 0; i < 6; i++) of['a' + i] = of['A' + i] = static_cast<uint8_t>(10 + i);
  }
};

/// Reads 8-4-4-4-12 hexadecimal digits, either case. False for anything else.
inline bool parse_uuid(const uint8_t *text, size_t length, uint8_t out[16]) {
  static constexpr hex_values hex;
  constexpr uint8_t places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  if (length != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  uint8_t bad = 0;
  for (int i = 0; i < 16; i++) {
    uint8_t high = hex.of[text[places[i]]];
    uint8_t low = hex.of[text[places[i] + 1]];
    bad |= high | low;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bad <= 0x0F;
}

/// True for a UUIDv7 of RFC 9562: version 7, variant 10.
inline bool is_uuid_v7(const uint8_t id[16]) { return id[6] >> 4 == 7 && id[8] >> 6 == 2; }

/// Milliseconds since the Unix epoch that a UUIDv7 begins with.
inline int64_t uuid_v7_milliseconds(const uint8_t id[16]) {
  int64_t value = 0;
  for (int i = 0; i < 6; i++) value = value << 8 | id[i];
  return value;
}

}  // namespace millrace

#endif
