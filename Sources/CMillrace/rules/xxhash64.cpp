#include <cstring>

#include "rules.h"

namespace {

constexpr uint64_t prime1 = 0x9E3779B185EBCA87;
constexpr uint64_t prime2 = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t prime3 = 0x165667B19E3779F9;
constexpr uint64_t prime4 = 0x85EBCA77C2B2AE63;
constexpr uint64_t prime5 = 0x27D4EB2F165667C5;

uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

uint64_t round(uint64_t sum, uint64_t word) { return rotate(sum + word * prime2, 31) * prime1; }

template <typename Word>
uint64_t load(const uint8_t *at) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  Word word;
  memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

uint64_t mr_xxh64(const uint8_t *bytes, size_t length) {
  const uint8_t *at = bytes, *end = bytes + length;
  uint64_t hash = prime5;
  if (length >= 32) {
    uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; end - at >= 32; at += 32) {
      for (int i = 0; i < 4; i++) lanes[i] = round(lanes[i], load<uint64_t>(at + 8 * i));
    }
    hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * prime1 + prime4;
  }
  hash += length;
  for (; end - at >= 8; at += 8) hash = rotate(hash ^ round(0, load<uint64_t>(at)), 27) * prime1 + prime4;
  if (end - at >= 4) {
    hash = rotate(hash ^ load<uint32_t>(at) * prime1, 23) * prime2 + prime3;
    at += 4;
  }
  for (; at < end; at++) hash = rotate(hash ^ *at * prime5, 11) * prime1;
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}
