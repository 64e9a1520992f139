#include "accepted_line.hpp"

#include <cstring>

#include "event_fields.hpp"
#include "time/timestamp.hpp"
#include "uuid.hpp"

namespace millrace {

namespace {

constexpr size_t name_bytes_max = 10;  // event_type, created_at
constexpr size_t uuid_bytes = 36;
constexpr size_t type_bytes_max = 200;

/// A cursor over the tokens in front of the payload. The brackets that close the line end every search in it.
struct head_reader {
  const uint8_t *at;
  const uint8_t *end;

  void skip_blanks() {
    while (*at == ' ' && at < end) at++;
  }

  bool take(uint8_t byte) {
    if (*at != byte || at >= end) return false;
    at++;
    return true;
  }

  /// The name of a known field, its quotes and colon.
  field take_name() {
    if (!take('"')) return field_count;
    size_t length = 0;
    while (length <= name_bytes_max && at[length] != '"') length++;
    field name = find_field(at, length);
    at += length + 1;
    skip_blanks();
    if (!take(':')) return field_count;
    skip_blanks();
    return name;
  }

  /// A string without escapes.
  bool take_text(mr_text &out) {
    if (!take('"')) return false;
    auto close = static_cast<const uint8_t *>(memchr(at, '"', static_cast<size_t>(end - at)));
    if (close == nullptr) return false;
    out = {at, static_cast<size_t>(close - at)};
    at = close + 1;
    return memchr(out.bytes, '\\', out.length) == nullptr;
  }

  bool take_uuid(uint8_t out[16]) {
    if (end - at < static_cast<long>(uuid_bytes + 2) || at[0] != '"' || at[uuid_bytes + 1] != '"') return false;
    if (!parse_uuid(at + 1, uuid_bytes, out)) return false;
    at += uuid_bytes + 2;
    return true;
  }

  bool take_null() {
    if (end - at < 4 || memcmp(at, "null", 4) != 0) return false;
    at += 4;
    return true;
  }
};

}  // namespace

bool read_accepted_event(const uint8_t *line, size_t length, const mr_limits &limits, mr_event &event) {
  // No other field of an accepted event ends with a bracket.
  if (length < 4 || line[0] != '{' || line[length - 1] != '}' || line[length - 2] != '}') return false;
  head_reader in{line + 1, line + length - 1};
  event = {};
  event.kind = MR_KIND_EVENT;
  bool has_time = false;
  for (uint32_t seen = 0;;) {
    in.skip_blanks();
    field name = in.take_name();
    if (seen & bit(name)) return false;
    seen |= bit(name);
    switch (name) {
      case field_event_type:
        if (!in.take_text(event.event_type) || event.event_type.length - 1 >= type_bytes_max) return false;
        break;
      case field_id:
        if (!in.take_uuid(event.id)) return false;
        event.has_id = true;
        break;
      case field_user_id:
        event.has_user_id = in.take_uuid(event.user_id);
        if (!event.has_user_id && !in.take_null()) return false;
        break;
      case field_created_at: {
        mr_text time;
        if (!in.take_text(time) || !parse_rfc3339(time.bytes, time.length, &event.created_us)) return false;
        has_time = true;
        break;
      }
      case field_payload: {
        if (*in.at != '{' || !(seen & bit(field_event_type))) return false;
        event.payload = {in.at, static_cast<size_t>(in.end - in.at)};
        event.has_created = has_time || (event.has_id && is_uuid_v7(event.id));
        if (!event.has_created) event.created_us = limits.received_us;
        else if (!has_time) event.created_us = uuid_v7_milliseconds(event.id) * 1000;
        return event.created_us >= limits.oldest_us && event.created_us <= limits.newest_us;
      }
      default: return false;
    }
    in.skip_blanks();
    if (!in.take(',')) return false;
  }
}

}  // namespace millrace
