#include <ctime>
#include <map>
#include <vector>

#include "bytes.hpp"
#include "checks.hpp"
#include "copy_encoder.h"
#include "copy_row.hpp"

namespace millrace::fuzz {

namespace {

constexpr int32_t tenant = 7;
constexpr int64_t batch_id = 99;
constexpr uint64_t first_sequence = 1000;
constexpr uint64_t spool_high = 0x0192B1A47C3E7A51;
constexpr uint64_t spool_low = 0x9F0E2D6C1B8E4F70;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// The columns that `found` must become.
std::vector<column> columns_of(const verdict &found, uint64_t sequence) {
  const mr_event &event = found.event;
  uint8_t id[16];
  column user = event.has_user_id ? column::bytes(event.user_id, 16) : column::null();
  column created = column::time(event.created_us), received = column::time(received_us);
  if (event.kind == MR_KIND_EVENT) {
    if (event.has_id) memcpy(id, event.id, 16);
    else mr_event_id(spool_high, spool_low, sequence, event.created_us, id);
    return {column::bytes(id, 16), column::int4(tenant), column::text(found.event_type), user,
            column::jsonb(found.payload), created, received, column::int8(batch_id)};
  }
  derive_id(tenant, event.conversation_id.bytes, found.conversation_id.size(), event.created_us, nullptr,
            found.question.size(), id);
  return {column::bytes(id, 16), column::int4(tenant), column::text(found.conversation_id), user,
          column::text(found.question), column::text(found.response), column::text(found.source),
          column::jsonb(found.metadata), created, received, column::int8(batch_id)};
}

size_t column_count(const mr_leaf &leaf) {
  return leaf.kind == MR_KIND_EVENT ? MR_EVENT_COLUMNS : MR_CONVERSATION_COLUMNS;
}

/// Whether `fields` says where the columns of `row` are.
bool are_fields_of(const std::vector<column> &row, const uint32_t *fields) {
  size_t offset = 2;
  for (const column &each : row) {
    if (*fields++ != offset) return false;
    offset += 4 + each.value.size();
  }
  return *fields == offset;
}

struct encoded_row {
  std::string bytes;
  std::vector<column> columns;
  int64_t created_us;
};

const char *check_leaf(mr_encoder *encoder, size_t index, std::map<uint64_t, encoded_row> &rows) {
  const mr_leaf leaf = mr_encoder_leaf(encoder, index);
  size_t created_column = leaf.kind == MR_KIND_EVENT ? 5 : 8;
  size_t staged_bytes = 0;
  for (size_t i = 0; i < leaf.count; i++) {
    encoded_row row{std::string(view(leaf.rows[i])), {}, 0};
    if (!read_row(row.bytes, row.columns)) return "a row is not framed as COPY wants it";
    if (row.columns.size() != column_count(leaf)) return "a row lacks columns";
    if (!are_fields_of(row.columns, mr_encoder_fields(encoder, index, i))) return "a row's fields are elsewhere";
    row.created_us = row.columns[created_column].as_time();
    if (!leaf.is_identified) {
      auto seconds = static_cast<time_t>((row.created_us - (row.created_us < 0 ? 999999 : 0)) / 1000000);
      tm date = {};
      gmtime_r(&seconds, &date);
      if (date.tm_year + 1900 != leaf.year || date.tm_mon + 1 != leaf.month) return "a row is in another month";
    }
    staged_bytes += row.bytes.size() + 12;
    if (!rows.emplace(leaf.sequences[i], row).second) return "a line became two rows";
  }
  if (mr_leaf_staged_bytes(&leaf, 0, leaf.count) != staged_bytes) return "staged rows are counted wrongly";
  std::vector<uint8_t> staged(staged_bytes);
  mr_leaf_stage(&leaf, 0, leaf.count, staged.data());
  std::string_view rest(reinterpret_cast<const char *>(staged.data()), staged.size());
  for (size_t i = 0; i < leaf.count; i++) {
    std::vector<column> columns;
    std::string_view row = rest.substr(0, leaf.rows[i].length + 12);
    rest.remove_prefix(row.size());
    if (!read_row(row, columns)) return "a staged row is not framed as COPY wants it";
    if (!(columns[0] == column::int8(static_cast<int64_t>(leaf.sequences[i])))) return "a staged row has another sequence";
  }
  return nullptr;
}

/// Each row once, those of a month by time.
const char *check_chunks(const mr_encoder *encoder, size_t index, mr_encoder *changing) {
  mr_leaf leaf = mr_encoder_leaf(encoder, index);
  std::multimap<std::string, int> wanted;
  for (size_t i = 0; i < leaf.count; i++) wanted.emplace(view(leaf.rows[i]), 0);
  int64_t latest_us = INT64_MIN;
  for (size_t row = 0; row < leaf.count;) {
    size_t first = row;
    mr_rows chunk = mr_encoder_next_chunk(changing, index, &row);
    if (row <= first || row > leaf.count || chunk.count != row - first) return "a chunk holds no row, or too many";
    if (chunk.bytes.length > MR_CHUNK_BYTES && row > first + 1) return "a chunk is too long";
    std::string_view rest = view(chunk.bytes);
    for (size_t i = first; i < row; i++) {
      std::vector<column> columns;
      size_t length = row_length(rest);
      if (length == 0 || !read_row(rest.substr(0, length), columns)) return "a chunk is not framed as COPY wants it";
      if (!are_fields_of(columns, chunk.fields + (i - first) * (column_count(leaf) + 1))) {
        return "the fields of a chunk's row are elsewhere";
      }
      auto place = wanted.find(std::string(rest.substr(0, length)));
      if (place == wanted.end()) return "a chunk holds a row of nobody";
      wanted.erase(place);
      int64_t created_us = columns[leaf.kind == MR_KIND_EVENT ? 5 : 8].as_time();
      if (!leaf.is_identified && created_us < latest_us) return "rows are not in order of their time";
      latest_us = created_us;
      rest.remove_prefix(length);
    }
    if (!rest.empty()) return "a chunk holds more than its rows";
  }
  return wanted.empty() ? nullptr : "a row is in no chunk";
}

}  // namespace

void derive_id(int32_t tenant, const uint8_t *, size_t conversation_id_length, int64_t created_us, const uint8_t *,
               size_t question_length, uint8_t *id) {
  uint64_t halves[2] = {static_cast<uint64_t>(created_us) * 31 + static_cast<uint64_t>(tenant),
                        conversation_id_length << 32 | question_length};
  memcpy(id, halves, 16);
}

const char *check_encoder(std::string_view input) {
  static mr_encoder *encoder = mr_encoder_create(derive_id);
  std::vector<std::string_view> lines = lines_of(input);
  choices choose(input);
  padded_copy payload(input, choose.below(16), "}}\"\n");
  for (uint8_t kind : {MR_KIND_EVENT, MR_KIND_CONVERSATION}) {
    mr_encoder_reset(encoder, batch_id, spool_high, spool_low);
    auto count = static_cast<uint32_t>(lines.size());
    if (mr_encoder_add(encoder, payload.start(), payload.length(), kind, tenant, received_us, 1, count + 1) !=
        MR_RECORD_MISMATCH) {
      return "a record of another count was taken";
    }
    if (mr_encoder_add(encoder, payload.start(), payload.length(), kind, tenant, received_us, first_sequence, count) !=
        MR_ENCODED) {
      return "a record was not taken";
    }
    std::map<uint64_t, encoded_row> rows;
    for (size_t i = 0; i < mr_encoder_leaf_count(encoder); i++) {
      mr_leaf leaf = mr_encoder_leaf(encoder, i);
      if (leaf.kind != kind) return "a leaf is of another kind";
      if (const char *wrong = check_leaf(encoder, i, rows)) return wrong;
    }
    if (rows.size() + mr_encoder_rejection_count(encoder) != lines.size()) return "a line is neither row nor rejection";

    mr_limits limits = wide_limits();
    limits.kind_wanted = kind;
    limits.payload_bytes_max = SIZE_MAX;
    limits.payload_text_bytes_max = MR_PAYLOAD_TEXT_BYTES_MAX;
    limits.depth_max = MR_DEPTH_MAX;
    for (size_t i = 0; i < lines.size(); i++) {
      padded_copy line(lines[i], 0, "\n");
      verdict found(shared_parser(), line.start(), line.length(), limits);
      if (found.code != MR_ACCEPTED) continue;
      auto row = rows.find(first_sequence + i);
      if (row == rows.end()) return "an accepted line became no row";
      if (!(row->second.columns == columns_of(found, first_sequence + i))) return "a row differs from its line";
    }
    if (!mr_encoder_sort(encoder)) return "rows were not sorted";
    for (size_t i = 0; i < mr_encoder_leaf_count(encoder); i++) {
      if (const char *wrong = check_chunks(encoder, i, encoder)) return wrong;
    }
  }
  return nullptr;
}

}  // namespace millrace::fuzz
