#ifndef MILLRACE_ROW_WRITER_HPP
#define MILLRACE_ROW_WRITER_HPP

#include <cstdint>
#include <cstring>

#include "copy_encoder.h"
#include "time/timestamp.hpp"

namespace millrace {

/// PostgreSQL counts from 2000-01-01.
constexpr int64_t postgres_epoch_us = 946684800 * microseconds_per_second;
/// Of a row besides its texts: the count, the columns' lengths, two UUIDs, int4, three int8, jsonb's version byte.
constexpr size_t fixed_row_bytes_max = 2 + MR_CONVERSATION_COLUMNS * 4 + 2 * 16 + 4 + 3 * 8 + 1;

/// Appends big-endian integers and bytes to memory that has room for them.
struct byte_writer {
  uint8_t *at;

  void put16(uint16_t value) { put(__builtin_bswap16(value)); }
  void put32(uint32_t value) { put(__builtin_bswap32(value)); }
  void put64(uint64_t value) { put(__builtin_bswap64(value)); }
  void copy(const uint8_t *bytes, size_t length) {
    memcpy(at, bytes, length);
    at += length;
  }

 private:
  template <typename Integer>
  void put(Integer value) {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are swapped to network order");
    memcpy(at, &value, sizeof value);
    at += sizeof value;
  }
};

/// The length of a field that is NULL.
constexpr uint32_t null_length = 0xFFFFFFFF;

/// Appends the fields of one row, and writes down where each of them starts, as far as 16 bits can say it.
class row_writer : public byte_writer {
 public:
  row_writer(uint8_t *row, uint16_t *fields) : byte_writer{row}, row_(row), fields_(fields) {}

  void int4(int32_t value) {
    start_field(4);
    put32(static_cast<uint32_t>(value));
  }
  void int8(int64_t value) {
    start_field(8);
    put64(static_cast<uint64_t>(value));
  }
  void timestamp(int64_t microseconds) { int8(microseconds - postgres_epoch_us); }
  void uuid(const uint8_t id[16]) {
    start_field(16);
    copy(id, 16);
  }
  void null() { start_field(null_length); }
  void text(const mr_text &value) {
    start_field(static_cast<uint32_t>(value.length));
    copy(value.bytes, value.length);
  }
  void jsonb(const mr_text &value) {
    start_field(static_cast<uint32_t>(value.length + 1));
    *at++ = 1;
    copy(value.bytes, value.length);
  }

 private:
  void start_field(uint32_t length) {
    *fields_++ = static_cast<uint16_t>(at - row_);
    put32(length);
  }

  const uint8_t *row_;
  uint16_t *fields_;
};

}  // namespace millrace

#endif
