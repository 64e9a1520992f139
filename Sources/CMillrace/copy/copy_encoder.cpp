#include "copy_encoder.h"

#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "grammar/accepted_line.hpp"
#include "growing_buffer.hpp"
#include "json/printed_bytes.hpp"
#include "grammar/refusal.hpp"
#include "row_blocks.hpp"
#include "time/timestamp.hpp"

using namespace millrace;

namespace {

/// PostgreSQL counts from 2000-01-01.
constexpr int64_t postgres_epoch_us = 946684800 * microseconds_per_second;
constexpr uint16_t event_columns = 8;
constexpr uint16_t conversation_columns = 11;
/// Of a row besides its texts: the count, the columns' lengths, two UUIDs, int4, three int8, jsonb's version byte.
constexpr size_t fixed_row_bytes_max = 2 + conversation_columns * 4 + 2 * 16 + 4 + 3 * 8 + 1;

/// A sort key: the lower bits say which row, the others when in its month, in microseconds. 31 days need 42 bits.
constexpr uint32_t row_bits = 20;
constexpr uint32_t time_bits = 44;
/// How many rows ahead a row is fetched into the cache, and how much of it; behind that the processor looks ahead itself.
constexpr size_t rows_ahead = 4;
constexpr size_t fetched_bytes_max = 512;
/// Four passes: an even number, so that the sorted keys end where they began.
constexpr uint32_t digit_bits = 11;
static_assert(time_bits % (2 * digit_bits) == 0 && row_bits + time_bits == 64);

/// Rows of one leaf, or a spare whose buffers wait for the next leaf.
struct leaf_rows {
  uint8_t kind;
  bool is_identified;
  civil_date date;
  /// The month, in microseconds since the Unix epoch: `start ..< end`.
  int64_t start_us;
  int64_t end_us;
  /// Where each row is, in the encoder's blocks.
  growing_buffer<mr_text> rows;
  growing_buffer<uint64_t> sequences;
  /// Of each row: created_at since the start of the month, and in the lower bits which row it is. Sorted by
  /// mr_encoder_sort.
  growing_buffer<uint64_t> keys;
  /// Whether the rows came in order of created_at, as live events mostly do.
  bool is_ordered;

  size_t capacity_bytes() const {
    return rows.capacity_bytes() + sequences.capacity_bytes() + keys.capacity_bytes();
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
void sort_by_time(uint64_t *keys, uint64_t *spare, size_t count) {
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

/// Appends the big-endian fields of a row to memory that has room for them.
struct row_writer {
  uint8_t *at;

  void put16(uint16_t value) { put(__builtin_bswap16(value)); }
  void put32(uint32_t value) { put(__builtin_bswap32(value)); }
  void put64(uint64_t value) { put(__builtin_bswap64(value)); }

  void int4(int32_t value) {
    put32(4);
    put32(static_cast<uint32_t>(value));
  }
  void int8(int64_t value) {
    put32(8);
    put64(static_cast<uint64_t>(value));
  }
  void timestamp(int64_t microseconds) { int8(microseconds - postgres_epoch_us); }
  void uuid(const uint8_t id[16]) {
    put32(16);
    copy(id, 16);
  }
  void null() { put32(0xFFFFFFFF); }
  void text(const mr_text &value) {
    put32(static_cast<uint32_t>(value.length));
    copy(value.bytes, value.length);
  }
  void jsonb(const mr_text &value) {
    put32(static_cast<uint32_t>(value.length + 1));
    *at++ = 1;
    copy(value.bytes, value.length);
  }

 private:
  template <typename Integer>
  void put(Integer value) {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are swapped to network order");
    memcpy(at, &value, sizeof value);
    at += sizeof value;
  }
  void copy(const uint8_t *bytes, size_t length) {
    memcpy(at, bytes, length);
    at += length;
  }
};

/// The finalizer of splitmix64: a bijection that spreads every input bit over all output bits.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

size_t count_lines(const uint8_t *bytes, size_t length) {
  size_t lines = 0;
  // Counted in bytes, at most 255 at a time, which the compiler does 16 or more at once.
  for (size_t i = 0; i < length;) {
    uint8_t found = 0;
    size_t end = length - i < 255 ? length : i + 255;
    for (; i < end; i++) found = static_cast<uint8_t>(found + (bytes[i] == '\n'));
    lines += found;
  }
  return lines + (length > 0 && bytes[length - 1] != '\n');
}

}  // namespace

struct mr_encoder {
  mr_parser *parser = nullptr;
  mr_conversation_id conversation_id;
  int64_t batch_id = 0;
  uint64_t spool_high = 0;
  uint64_t spool_low = 0;
  /// The first `leaves_used` hold rows.
  std::vector<leaf_rows> leaves;
  size_t leaves_used = 0;
  /// Where the row before went: the next one mostly goes there too.
  size_t latest = 0;
  growing_buffer<mr_rejection> rejections;
  /// The rows of all leaves, in the order in which they were added.
  row_blocks blocks;
  /// While sorting: keys. While rows are handed out in order: those rows.
  growing_buffer<uint64_t> spare_keys;
  growing_buffer<uint8_t> chunk;

  ~mr_encoder() { mr_parser_destroy(parser); }

  /// What each line of a record has in common.
  struct record {
    uint8_t kind;
    int32_t tenant;
    int64_t received_us;
  };

  bool add_line(const record &record, const uint8_t *line, size_t length, uint64_t sequence) {
    // Intake has judged by its own limits, which may be others today. What is left are the years of RFC 3339.
    mr_limits limits;
    limits.received_us = record.received_us;
    limits.oldest_us = -62135596800 * microseconds_per_second;        // 0001-01-01
    limits.newest_us = 253402300800 * microseconds_per_second - 1;  // the end of 9999
    limits.payload_bytes_max = SIZE_MAX;
    limits.payload_text_bytes_max = SIZE_MAX;
    limits.depth_max = MR_DEPTH_MAX;
    limits.kind_wanted = record.kind;
    limits.was_accepted = true;
    mr_event event;
    mr_rejection rejection;
    bool is_read = record.kind == MR_KIND_EVENT && read_accepted_event(line, length, limits, event);
    bool is_rejected =
        !is_read && mr_parse(parser, line, length, &limits, &event, &rejection.refusal) != MR_ACCEPTED;
    if (is_rejected || is_unreadable(event, &rejection.refusal)) {
      rejection.sequence = sequence;
      if (!rejections.reserve(1)) return false;
      rejections.append(rejection);
      return true;
    }
    leaf_rows *leaf = leaf_for(event);
    if (leaf == nullptr || !leaf->rows.reserve(1) || !leaf->sequences.reserve(1)) return false;
    uint8_t *start = blocks.reserve(row_bytes_max(event));
    if (start == nullptr || !leaf->add_key(event.created_us)) return false;
    row_writer row{start};
    if (event.kind == MR_KIND_EVENT) write_event(row, event, record, sequence);
    else write_conversation(row, event, record);
    blocks.set_end(row.at);
    leaf->rows.append({start, static_cast<size_t>(row.at - start)});
    leaf->sequences.append(sequence);
    return true;
  }

  /// Whether the row could be stored but hardly read again. Intake refuses such lines since it counts digits; a spool may
  /// hold those of a version that took them.
  static bool is_unreadable(const mr_event &event, mr_refusal *refusal) {
    const mr_text &document = event.kind == MR_KIND_EVENT ? event.payload : event.metadata;
    size_t printed;
    if (!prints_as_more(document.bytes, document.length, MR_PAYLOAD_TEXT_BYTES_MAX, printed)) return false;
    refuse(refusal, MR_PAYLOAD_TOO_LARGE,
           "%s has %zu bytes, and %zu once its numbers are printed without exponents (1e3 as 1000); more than %u can't be "
           "read back",
           event.kind == MR_KIND_EVENT ? "payload" : "metadata", document.length, printed, MR_PAYLOAD_TEXT_BYTES_MAX);
    return true;
  }

  static size_t row_bytes_max(const mr_event &event) {
    return fixed_row_bytes_max + event.event_type.length + event.payload.length + event.conversation_id.length +
           event.question.length + event.response.length + event.source.length + event.metadata.length;
  }

  void write_event(row_writer &row, const mr_event &event, const record &record, uint64_t sequence) {
    uint8_t id[16];
    if (event.has_id) memcpy(id, event.id, sizeof id);
    else mr_event_id(spool_high, spool_low, sequence, event.created_us, id);
    row.put16(event_columns);
    row.uuid(id);
    row.int4(record.tenant);
    row.text(event.event_type);
    if (event.has_user_id) row.uuid(event.user_id);
    else row.null();
    row.jsonb(event.payload);
    row.timestamp(event.created_us);
    row.timestamp(record.received_us);
    row.int8(batch_id);
  }

  void write_conversation(row_writer &row, const mr_event &event, const record &record) {
    uint8_t id[16];
    conversation_id(record.tenant, event.conversation_id.bytes, event.conversation_id.length, event.created_us,
                    event.question.bytes, event.question.length, id);
    row.put16(conversation_columns);
    row.uuid(id);
    row.int4(record.tenant);
    row.text(event.conversation_id);
    row.uuid(event.user_id);
    row.text(event.question);
    row.text(event.response);
    row.text(event.source);
    row.jsonb(event.metadata);
    row.timestamp(event.created_us);
    row.timestamp(record.received_us);
    row.int8(batch_id);
  }

  // MARK: leaves

  /// The leaf of `event`, made when it is the first of its month. Null when there is no memory.
  leaf_rows *leaf_for(const mr_event &event) {
    bool is_identified = event.kind == MR_KIND_EVENT && event.has_id && !event.has_created;
    auto holds = [&](const leaf_rows &leaf) {
      return leaf.kind == event.kind && leaf.is_identified == is_identified &&
             (is_identified || (event.created_us >= leaf.start_us && event.created_us < leaf.end_us));
    };
    if (latest < leaves_used && holds(leaves[latest])) return &leaves[latest];
    for (latest = 0; latest < leaves_used; latest++) {
      if (holds(leaves[latest])) return &leaves[latest];
    }
    return start_leaf(event, is_identified);
  }

  bool add_leaf() {
    try {
      leaves.emplace_back();
      return true;
    } catch (const std::bad_alloc &) {
      return false;
    }
  }

  leaf_rows *start_leaf(const mr_event &event, bool is_identified) {
    if (leaves_used == leaves.size() && !add_leaf()) return nullptr;
    leaf_rows &leaf = leaves[leaves_used];
    leaf.kind = event.kind;
    leaf.is_identified = is_identified;
    leaf.is_ordered = true;
    leaf.date = {0, 0, 0};
    if (!is_identified) {
      leaf.date = civil_from_microseconds(event.created_us);
      auto [year, month, day] = leaf.date;
      leaf.start_us = days_from_civil(year, month, 1) * microseconds_per_day;
      leaf.end_us = days_from_civil(year + (month == 12), month % 12 + 1, 1) * microseconds_per_day;
    }
    latest = leaves_used++;
    return &leaf;
  }

  /// False when there is no memory.
  bool sort() {
    for (size_t i = 0; i < leaves_used; i++) {
      leaf_rows &leaf = leaves[i];
      if (leaf.goes_as_it_came()) continue;
      size_t count = leaf.keys.count();
      spare_keys.clear();
      if (!spare_keys.reserve(count)) return false;
      sort_by_time(leaf.keys.first(), spare_keys.end(), count);
    }
    return true;
  }

  /// Rows in order of time lie anywhere in a batch that is larger than the processor's caches.
  static void fetch(const mr_text &row) {
    size_t length = row.length < fetched_bytes_max ? row.length : fetched_bytes_max;
    for (size_t offset = 0; offset < length; offset += 64) __builtin_prefetch(row.bytes + offset);
  }

  mr_text next_chunk(const leaf_rows &leaf, size_t *row) {
    const mr_text *rows = leaf.rows.values();
    size_t count = leaf.rows.count();
    size_t first = *row;
    bool as_it_came = leaf.goes_as_it_came();
    if (as_it_came && leaves_used == 1) {
      // They lie one behind the other, up to the end of a block, and go from where they are.
      const uint8_t *start = rows[first].bytes;
      const uint8_t *end = start;
      while (*row < count && rows[*row].bytes == end) {
        size_t length = static_cast<size_t>(end - start) + rows[*row].length;
        if (*row > first && length > MR_CHUNK_BYTES) break;
        end = start + length;
        ++*row;
      }
      return {start, static_cast<size_t>(end - start)};
    }
    auto row_at = [&](size_t place) -> const mr_text & {
      return rows[as_it_came ? place : leaf.keys.values()[place] & ((uint64_t{1} << row_bits) - 1)];
    };
    chunk.clear();
    for (; *row < count; ++*row) {
      if (*row + rows_ahead < count) fetch(row_at(*row + rows_ahead));
      const mr_text &from = row_at(*row);
      if (*row > first && chunk.count() + from.length > MR_CHUNK_BYTES) break;
      if (!chunk.reserve(from.length)) {
        // Without memory for a chunk, what there is goes, or else this row alone from where it is.
        if (*row > first) break;
        ++*row;
        return from;
      }
      memcpy(chunk.end(), from.bytes, from.length);
      chunk.set_end(chunk.end() + from.length);
    }
    return {chunk.values(), chunk.count()};
  }

  void reset() {
    blocks.clear(MR_ENCODER_KEPT_BYTES_MAX);
    size_t kept = blocks.capacity_bytes() + spare_keys.capacity_bytes();
    for (leaf_rows &leaf : leaves) {
      kept += leaf.capacity_bytes();
      leaf.rows.clear();
      leaf.sequences.clear();
      leaf.keys.clear();
      if (kept <= MR_ENCODER_KEPT_BYTES_MAX) continue;
      kept -= leaf.capacity_bytes();
      leaf.rows.release();
      leaf.sequences.release();
      leaf.keys.release();
    }
    rejections.release();
    leaves_used = latest = 0;
  }
};

mr_encoder *mr_encoder_create(mr_conversation_id conversation_id) {
  auto encoder = new (std::nothrow) mr_encoder;
  if (encoder == nullptr) return nullptr;
  encoder->conversation_id = conversation_id;
  encoder->parser = mr_parser_create();
  if (encoder->parser != nullptr) return encoder;
  delete encoder;
  return nullptr;
}

void mr_encoder_destroy(mr_encoder *encoder) { delete encoder; }

void mr_encoder_reset(mr_encoder *encoder, int64_t batch_id, uint64_t spool_high, uint64_t spool_low) {
  encoder->reset();
  encoder->batch_id = batch_id;
  encoder->spool_high = spool_high;
  encoder->spool_low = spool_low;
}

int32_t mr_encoder_add(mr_encoder *encoder, const uint8_t *payload, size_t length, uint8_t kind, int32_t tenant,
                       int64_t received_us, uint64_t first_sequence, uint32_t count) {
  if ((kind != MR_KIND_EVENT && kind != MR_KIND_CONVERSATION) || count_lines(payload, length) != count) {
    return MR_RECORD_MISMATCH;
  }
  const mr_encoder::record record = {kind, tenant, received_us};
  const uint8_t *end = payload + length;
  uint64_t sequence = first_sequence;
  for (const uint8_t *line = payload; line < end; sequence++) {
    auto newline = static_cast<const uint8_t *>(memchr(line, '\n', static_cast<size_t>(end - line)));
    const uint8_t *line_end = newline ? newline : end;
    if (!encoder->add_line(record, line, static_cast<size_t>(line_end - line), sequence)) return MR_OUT_OF_MEMORY;
    line = line_end + 1;
  }
  return MR_ENCODED;
}

size_t mr_encoder_leaf_count(const mr_encoder *encoder) { return encoder->leaves_used; }

mr_leaf mr_encoder_leaf(const mr_encoder *encoder, size_t index) {
  const leaf_rows &from = encoder->leaves[index];
  mr_leaf leaf;
  leaf.kind = from.kind;
  leaf.is_identified = from.is_identified;
  leaf.year = from.date.year;
  leaf.month = static_cast<uint8_t>(from.date.month);
  leaf.count = from.sequences.count();
  leaf.rows = from.rows.values();
  leaf.sequences = from.sequences.values();
  return leaf;
}

bool mr_encoder_sort(mr_encoder *encoder) { return encoder->sort(); }

mr_text mr_encoder_next_chunk(mr_encoder *encoder, size_t leaf, size_t *row) {
  return encoder->next_chunk(encoder->leaves[leaf], row);
}

size_t mr_encoder_rejection_count(const mr_encoder *encoder) { return encoder->rejections.count(); }

const mr_rejection *mr_encoder_rejections(const mr_encoder *encoder) { return encoder->rejections.values(); }

size_t mr_leaf_staged_bytes(const mr_leaf *leaf, size_t first, size_t end) {
  size_t bytes = (end - first) * 12;
  for (size_t i = first; i < end; i++) bytes += leaf->rows[i].length;
  return bytes;
}

void mr_leaf_stage(const mr_leaf *leaf, size_t first, size_t end, uint8_t *out) {
  uint16_t columns = leaf->kind == MR_KIND_EVENT ? event_columns : conversation_columns;
  row_writer row{out};
  for (size_t i = first; i < end; i++) {
    const uint8_t *behind_count = leaf->rows[i].bytes + 2;
    size_t rest = leaf->rows[i].length - 2;
    row.put16(static_cast<uint16_t>(columns + 1));
    row.int8(static_cast<int64_t>(leaf->sequences[i]));
    memcpy(row.at, behind_count, rest);
    row.at += rest;
  }
}

void mr_event_id(uint64_t spool_high, uint64_t spool_low, uint64_t sequence, int64_t created_us, uint8_t *id) {
  uint64_t spool = mix(spool_high + mix(spool_low));
  int64_t milliseconds = created_us / 1000 - (created_us % 1000 < 0);
  // 48 bits of time, version 7, the sequence's upper 12 bits; then variant 10, its lower bits, the spool in the rest.
  int lower_bits = sequence >> 44 == 0 ? 32 : 49;
  uint64_t lower = sequence & ((uint64_t{1} << lower_bits) - 1);
  row_writer out{id};
  out.put64(static_cast<uint64_t>(milliseconds) << 16 | 0x7000 | (sequence >> lower_bits & 0xFFF));
  out.put64(uint64_t{1} << 63 | lower << (62 - lower_bits) | spool >> (lower_bits + 2));
}
