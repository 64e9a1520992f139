#ifndef MILLRACE_UUID_HPP
#define MILLRACE_UUID_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace millrace {

/// Reads eight hexadecimal digits, the first one in the lowest byte; `bad` keeps a bit when one of them is none.
inline uint32_t parse_hex8(uint64_t digits, uint64_t &bad) {
  constexpr uint64_t ones = 0x0101010101010101;
  // A letter has bit 6; without its bit 5 it is upper case. What is left must be 0-9, or 1-6 for letters.
  uint64_t letters = digits >> 6 & ones;
  uint64_t low = digits & ones * 0x0F;
  uint64_t kind = digits & ones * 0xF0 & ~(letters * 0x20);
  bad |= kind ^ (letters * 0x40 | (ones - letters) * 0x30);
  // Digits: low <= 9. Letters: 1 <= low <= 6. Both as "no carry into bit 4".
  bad |= (low + letters * 9 + (ones - letters) * 6) & ones * 0xF0;
  bad |= (low - letters) & ones * 0xF0;
  uint64_t values = low + letters * 9;
  // Pairs to bytes, bytes to the word; the first digit is the highest.
  values = (values << 4 | values >> 8) & 0x00FF00FF00FF00FF;
  values = (values | values >> 8) & 0x0000FFFF0000FFFF;
  return static_cast<uint32_t>(values | values >> 16);
}

/// Reads 8-4-4-4-12 hexadecimal digits, either case. False for anything else.
inline bool parse_uuid(const uint8_t *text, size_t length, uint8_t out[16]) {
  if (length != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  auto load = [text](size_t first, size_t second) {
    uint32_t low, high;
    memcpy(&low, text + first, 4);
    memcpy(&high, text + second, 4);
    return low | static_cast<uint64_t>(high) << 32;
  };
  uint64_t bad = 0;
  const uint32_t words[4] = {
      parse_hex8(load(0, 4), bad),
      parse_hex8(load(9, 14), bad),
      parse_hex8(load(19, 24), bad),
      parse_hex8(load(28, 32), bad),
  };
  memcpy(out, words, 16);
  return bad == 0;
}

/// True for the nil UUID and the one of ones alone, which RFC 9562 gives to nothing and nobody.
inline bool is_uuid_of_nobody(const uint8_t id[16]) {
  uint64_t halves[2];
  memcpy(halves, id, 16);
  return halves[0] == halves[1] && (halves[0] == 0 || halves[0] == UINT64_MAX);
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
