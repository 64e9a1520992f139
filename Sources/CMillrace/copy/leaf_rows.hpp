#ifndef MILLRACE_LEAF_ROWS_HPP
#define MILLRACE_LEAF_ROWS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "copy_encoder.h"
#include "growing_buffer.hpp"
#include "row_writer.hpp"
#include "time/timestamp.hpp"

namespace millrace {

/// A sort key: the lower bits say which row, the others when in its month, in microseconds. 31 days need 42 bits.
constexpr uint32_t row_bits = 20;
constexpr uint32_t time_bits = 44;
/// Four passes: an even number, so that the sorted keys end where they began.
constexpr uint32_t digit_bits = 11;
static_assert(time_bits % (2 * digit_bits) == 0 && row_bits + time_bits == 64);

/// Rows of one leaf, or a spare whose buffers wait for the next leaf.
struct leaf_rows {
  uint8_t kind;
  size_t columns;
  bool is_identified;
  civil_date date;
  /// The month, in microseconds since the Unix epoch: `start ..< end`.
  int64_t start_us;
  int64_t end_us;
  /// Where each row is, in the encoder's blocks.
  growing_buffer<mr_text> rows;
  growing_buffer<uint64_t> sequences;
  /// Of each row, where its columns start, in 16 bits: what is kept of every row of a batch is to be small. Those of a
  /// row that is too long for them are looked for in the row.
  growing_buffer<uint16_t> fields;
  /// Of each row: created_at since the start of the month, and in the lower bits which row it is. Sorted by
  /// mr_encoder_sort.
  growing_buffer<uint64_t> keys;
  /// Whether the rows came in order of created_at, as live events mostly do.
  bool is_ordered;

  size_t capacity_bytes() const {
    return rows.capacity_bytes() + sequences.capacity_bytes() + fields.capacity_bytes() + keys.capacity_bytes();
  }

  void clear() {
    rows.clear();
    sequences.clear();
    fields.clear();
    keys.clear();
  }

  void release() {
    rows.release();
    sequences.release();
    fields.release();
    keys.release();
  }

  /// Room for what `add_row` adds; false when there is no memory.
  bool reserve_row() { return rows.reserve(1) && sequences.reserve(1) && fields.reserve(columns); }

  /// A row whose fields a row_writer has put to the end of `fields`.
  void add_row(const mr_text &row, uint64_t sequence) {
    rows.append(row);
    sequences.append(sequence);
    fields.set_end(fields.end() + columns);
  }

  const uint16_t *fields_of(size_t row) const { return fields.values() + row * columns; }

  /// Writes the fields of a row as mr_rows has them.
  void write_fields(size_t row, uint32_t *out) const {
    const mr_text &text = rows.values()[row];
    if (text.length <= UINT16_MAX) {
      const uint16_t *from = fields_of(row);
      for (size_t column = 0; column < columns; column++) out[column] = from[column];
    } else {
      size_t offset = 2;
      for (size_t column = 0; column < columns; column++) {
        out[column] = static_cast<uint32_t>(offset);
        uint32_t length;
        memcpy(&length, text.bytes + offset, sizeof length);
        length = __builtin_bswap32(length);
        offset += 4 + (length == null_length ? 0 : length);
      }
    }
    out[columns] = static_cast<uint32_t>(text.length);
  }

  /// Whether the rows go as they came: they are in order, or too many for a key to say which row it is.
  bool goes_as_it_came() const { return is_ordered || sequences.count() > size_t{1} << row_bits; }

  bool add_key(int64_t created_us) {
    if (is_identified) return true;
    if (!keys.reserve(1)) return false;
    size_t row = sequences.count();
    uint64_t key = static_cast<uint64_t>(created_us - start_us) << row_bits | row;
    is_ordered = is_ordered && (row == 0 || keys.values()[row - 1] < key);
    keys.append(key);
    return true;
  }
};

/// Sorts `keys` by their time, `digit_bits` at a time from the lowest up; `spare` has room for as many.
inline void sort_by_time(uint64_t *keys, uint64_t *spare, size_t count) {
  uint64_t *from = keys;
  uint64_t *to = spare;
  for (uint32_t shift = row_bits; shift < row_bits + time_bits; shift += digit_bits) {
    size_t starts[1 << digit_bits] = {};
    constexpr uint64_t mask = (1 << digit_bits) - 1;
    for (size_t i = 0; i < count; i++) starts[from[i] >> shift & mask]++;
    size_t start = 0;
    for (size_t &digit : starts) start += std::exchange(digit, start);
    for (size_t i = 0; i < count; i++) to[starts[from[i] >> shift & mask]++] = from[i];
    std::swap(from, to);
  }
}

}  // namespace millrace

#endif
