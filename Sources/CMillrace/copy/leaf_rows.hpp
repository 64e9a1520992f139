#ifndef MILLRACE_LEAF_ROWS_HPP
#define MILLRACE_LEAF_ROWS_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

#include "copy_encoder.h"
#include "growing_buffer.hpp"
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
  /// Its columns and one more.
  size_t fields_a_row;
  bool is_identified;
  civil_date date;
  /// The month, in microseconds since the Unix epoch: `start ..< end`.
  int64_t start_us;
  int64_t end_us;
  /// Where each row is, in the encoder's blocks.
  growing_buffer<mr_text> rows;
  growing_buffer<uint64_t> sequences;
  /// `fields_a_row` of each row, as in mr_leaf.
  growing_buffer<uint32_t> fields;
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
  bool reserve_row() { return rows.reserve(1) && sequences.reserve(1) && fields.reserve(fields_a_row); }

  /// A row whose fields a row_writer has put to the end of `fields`.
  void add_row(const mr_text &row, uint64_t sequence) {
    rows.append(row);
    sequences.append(sequence);
    fields.end()[fields_a_row - 1] = static_cast<uint32_t>(row.length);
    fields.set_end(fields.end() + fields_a_row);
  }

  const uint32_t *fields_of(size_t row) const { return fields.values() + row * fields_a_row; }

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
