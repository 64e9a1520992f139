#include "copy_encoder.h"

#include <cstring>
#include <new>
#include <vector>

#include "grammar/accepted_line.hpp"
#include "grammar/refusal.hpp"
#include "json/printed_bytes.hpp"
#include "leaf_rows.hpp"
#include "row_blocks.hpp"
#include "row_writer.hpp"

using namespace millrace;

namespace {

/// How many rows ahead a row is fetched into the cache, and how much of it; behind that the processor looks ahead itself.
constexpr size_t rows_ahead = 4;
constexpr size_t fetched_bytes_max = 512;

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
  growing_buffer<uint32_t> chunk_fields;
  /// Of a row alone.
  uint32_t row_fields[MR_CONVERSATION_COLUMNS + 1];

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
    if (leaf == nullptr || !leaf->reserve_row()) return false;
    uint8_t *start = blocks.reserve(row_bytes_max(event));
    if (start == nullptr || !leaf->add_key(event.created_us)) return false;
    row_writer row(start, leaf->fields.end());
    if (event.kind == MR_KIND_EVENT) write_event(row, event, record, sequence);
    else write_conversation(row, event, record);
    blocks.set_end(row.at);
    leaf->add_row({start, static_cast<size_t>(row.at - start)}, sequence);
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
    row.put16(MR_EVENT_COLUMNS);
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
    row.put16(MR_CONVERSATION_COLUMNS);
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
    leaf.columns = event.kind == MR_KIND_EVENT ? MR_EVENT_COLUMNS : MR_CONVERSATION_COLUMNS;
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
  static void fetch(const leaf_rows &leaf, size_t place) {
    const mr_text &row = leaf.rows.values()[place];
    size_t length = row.length < fetched_bytes_max ? row.length : fetched_bytes_max;
    for (size_t offset = 0; offset < length; offset += 64) __builtin_prefetch(row.bytes + offset);
    __builtin_prefetch(leaf.fields_of(place));
  }

  mr_rows next_chunk(const leaf_rows &leaf, size_t *row) {
    const mr_text *rows = leaf.rows.values();
    size_t count = leaf.rows.count();
    size_t first = *row;
    bool as_it_came = leaf.goes_as_it_came();
    if (as_it_came && leaves_used == 1) {
      // They lie one after the other, up to the end of a block, and go from where they are.
      const uint8_t *start = rows[first].bytes;
      const uint8_t *end = start + rows[first].length;
      chunk_fields.clear();
      if (!add_fields(leaf, (*row)++)) return {rows[first], 1, fields_of(leaf, first)};
      while (*row < count && rows[*row].bytes == end) {
        size_t length = static_cast<size_t>(end - start) + rows[*row].length;
        if (length > MR_CHUNK_BYTES || !add_fields(leaf, *row)) break;
        end = start + length;
        ++*row;
      }
      return {{start, static_cast<size_t>(end - start)}, *row - first, chunk_fields.values()};
    }
    auto place_of = [&](size_t nth) -> size_t {
      return as_it_came ? nth : leaf.keys.values()[nth] & ((uint64_t{1} << row_bits) - 1);
    };
    chunk.clear();
    chunk_fields.clear();
    for (; *row < count; ++*row) {
      if (*row + rows_ahead < count) fetch(leaf, place_of(*row + rows_ahead));
      size_t place = place_of(*row);
      const mr_text &from = rows[place];
      if (*row > first && chunk.count() + from.length > MR_CHUNK_BYTES) break;
      if (!chunk.reserve(from.length) || !add_fields(leaf, place)) {
        // Without memory for a chunk, what there is goes, or else this row alone from where it is.
        if (*row > first) break;
        ++*row;
        return {from, 1, fields_of(leaf, place)};
      }
      memcpy(chunk.end(), from.bytes, from.length);
      chunk.set_end(chunk.end() + from.length);
    }
    return {{chunk.values(), chunk.count()}, *row - first, chunk_fields.values()};
  }

  /// Adds the fields of a row to those of the chunk; false when there is no memory.
  bool add_fields(const leaf_rows &leaf, size_t row) {
    if (!chunk_fields.reserve(leaf.columns + 1)) return false;
    leaf.write_fields(row, chunk_fields.end());
    chunk_fields.set_end(chunk_fields.end() + leaf.columns + 1);
    return true;
  }

  /// Of one row; valid until the next call.
  const uint32_t *fields_of(const leaf_rows &leaf, size_t row) {
    leaf.write_fields(row, row_fields);
    return row_fields;
  }

  void reset() {
    blocks.clear(MR_ENCODER_KEPT_BYTES_MAX);
    size_t kept = blocks.capacity_bytes() + spare_keys.capacity_bytes();
    for (leaf_rows &leaf : leaves) {
      kept += leaf.capacity_bytes();
      leaf.clear();
      if (kept <= MR_ENCODER_KEPT_BYTES_MAX) continue;
      kept -= leaf.capacity_bytes();
      leaf.release();
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

const uint32_t *mr_encoder_fields(mr_encoder *encoder, size_t leaf, size_t row) {
  return encoder->fields_of(encoder->leaves[leaf], row);
}

bool mr_encoder_sort(mr_encoder *encoder) { return encoder->sort(); }

mr_rows mr_encoder_next_chunk(mr_encoder *encoder, size_t leaf, size_t *row) {
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
  uint16_t columns = leaf->kind == MR_KIND_EVENT ? MR_EVENT_COLUMNS : MR_CONVERSATION_COLUMNS;
  byte_writer row{out};
  for (size_t i = first; i < end; i++) {
    row.put16(static_cast<uint16_t>(columns + 1));
    row.put32(8);
    row.put64(leaf->sequences[i]);
    row.copy(leaf->rows[i].bytes + 2, leaf->rows[i].length - 2);
  }
}

void mr_event_id(uint64_t spool_high, uint64_t spool_low, uint64_t sequence, int64_t created_us, uint8_t *id) {
  uint64_t spool = mix(spool_high + mix(spool_low));
  int64_t milliseconds = created_us / 1000 - (created_us % 1000 < 0);
  // 48 bits of time, version 7, the sequence's upper 12 bits; then variant 10, its lower bits, the spool in the rest.
  int lower_bits = sequence >> 44 == 0 ? 32 : 49;
  uint64_t lower = sequence & ((uint64_t{1} << lower_bits) - 1);
  byte_writer out{id};
  out.put64(static_cast<uint64_t>(milliseconds) << 16 | 0x7000 | (sequence >> lower_bits & 0xFFF));
  out.put64(uint64_t{1} << 63 | lower << (62 - lower_bits) | spool >> (lower_bits + 2));
}
