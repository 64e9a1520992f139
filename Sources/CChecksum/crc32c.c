#include "crc32c.h"

#include <string.h>

static uint32_t table[256];

__attribute__((constructor)) static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0x82F63B78u & (0u - (value & 1)));
    table[i] = value;
  }
}

uint32_t crc32c_extend_portable(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  crc = ~crc;
  for (size_t i = 0; i < length; i++) crc = (crc >> 8) ^ table[(crc ^ at[i]) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

/// The instruction takes three cycles, of which the next one can't start before the end; three streams fill them.
/// Bytes of one stream in a round.
#define STREAM_BYTES 1024

/// What `STREAM_BYTES` and twice as many zero bytes behind a value make of it, for each byte of the value.
static uint32_t shift_one[4][256];
static uint32_t shift_two[4][256];

static uint32_t through_zeros(uint32_t value, size_t count) {
  for (size_t i = 0; i < count; i++) value = (value >> 8) ^ table[value & 0xff];
  return value;
}

static uint32_t shifted(uint32_t shift[4][256], uint32_t value) {
  return shift[0][value & 0xff] ^ shift[1][value >> 8 & 0xff] ^ shift[2][value >> 16 & 0xff] ^ shift[3][value >> 24];
}

/// The value is linear in its bits, so those of one byte add up.
__attribute__((constructor)) static void make_shifts(void) {
  for (int byte = 0; byte < 4; byte++) {
    for (int bit = 0; bit < 8; bit++) {
      uint32_t one = through_zeros(1u << (8 * byte + bit), STREAM_BYTES);
      uint32_t two = through_zeros(one, STREAM_BYTES);
      for (uint32_t i = 0; i < 256; i++) {
        if (!(i >> bit & 1)) continue;
        shift_one[byte][i] ^= one;
        shift_two[byte][i] ^= two;
      }
    }
  }
}

static uint64_t load(const uint8_t *at) {
  uint64_t word;
  memcpy(&word, at, 8);
  return word;
}

__attribute__((target("sse4.2"))) static uint32_t extend_sse42(uint32_t crc, const uint8_t *at, size_t length) {
  uint64_t value = ~crc;
  for (; length >= 3 * STREAM_BYTES; at += 3 * STREAM_BYTES, length -= 3 * STREAM_BYTES) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < STREAM_BYTES; i += 8) {
      value = _mm_crc32_u64(value, load(at + i));
      second = _mm_crc32_u64(second, load(at + STREAM_BYTES + i));
      third = _mm_crc32_u64(third, load(at + 2 * STREAM_BYTES + i));
    }
    value = shifted(shift_two, (uint32_t)value) ^ shifted(shift_one, (uint32_t)second) ^ (uint32_t)third;
  }
  for (; length >= 8; at += 8, length -= 8) value = _mm_crc32_u64(value, load(at));
  for (; length > 0; at++, length--) value = _mm_crc32_u8((uint32_t)value, *at);
  return ~(uint32_t)value;
}

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length) {
  return __builtin_cpu_supports("sse4.2") ? extend_sse42(crc, bytes, length)
                                          : crc32c_extend_portable(crc, bytes, length);
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  crc = ~crc;
  for (; length >= 8; at += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    crc = __crc32cd(crc, word);
  }
  for (; length > 0; at++, length--) crc = __crc32cb(crc, *at);
  return ~crc;
}
#else
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length) {
  return crc32c_extend_portable(crc, bytes, length);
}
#endif
