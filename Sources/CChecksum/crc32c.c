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

__attribute__((target("sse4.2"))) static uint32_t extend_sse42(uint32_t crc, const uint8_t *at, size_t length) {
  uint64_t value = ~crc;
  for (; length >= 8; at += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    value = _mm_crc32_u64(value, word);
  }
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
