#include "line_parser.hpp"
#include "refusal.hpp"
#include "time/timestamp.hpp"
#include "uuid.hpp"

namespace millrace {

namespace {

constexpr size_t name_bytes_max = 200;
/// Beyond any accepted time, and safe to multiply.
constexpr size_t millisecond_digits_max = 15;

// Of the clock of a sender that says when it sent an event. Bounds and no settings: lines in the spool are read by them
// again.
/// What a network may take, and what clocks may differ by without being wrong.
constexpr int64_t clock_difference_us = 60 * int64_t{1'000'000};
/// A sender's clock that is ahead by more is not believed to be one.
constexpr int64_t clock_ahead_max_us = 366 * 24 * 60 * clock_difference_us;

constexpr const char *event_fields_wanted = "event_type, id, user_id, payload, created_at and sent_at";
constexpr const char *conversation_fields_wanted =
    "conversation_id, question, response, user_id, timestamp, source and metadata";

}  // namespace

mr_text line_parser::text_of(const json_value &value) {
  if (!value.has_escapes) return {bytes_ + value.start, value.length()};
  uint8_t *start = parser_->texts.get() + texts_length_;
  uint8_t *end = unescape(bytes_ + value.start, bytes_ + value.end, start);
  texts_length_ += static_cast<size_t>(end - start);
  return {start, static_cast<size_t>(end - start)};
}

int32_t line_parser::check_names() {
  is_conversation_ = limits_.kind_wanted ? limits_.kind_wanted == MR_KIND_CONVERSATION
                                         : has(field_conversation_id) && !has(field_event_type);
  const char *kind = is_conversation_ ? "a conversation save" : "an event";
  const char *wanted = is_conversation_ ? conversation_fields_wanted : event_fields_wanted;
  if (has_unknown_) {
    return refuse(refusal_, MR_UNKNOWN_FIELD, "unknown field \"%s\"; the fields of %s are %s",
                  quotation(unknown_.bytes, unknown_.length).text, kind, wanted);
  }
  if (duplicate_ != field_count) {
    return refuse(refusal_, MR_DUPLICATE_FIELD, "%s is given twice; one value is wanted", field_names[duplicate_]);
  }
  if (!is_conversation_ && !has(field_event_type)) {
    return refuse(refusal_, MR_MISSING_FIELD,
                  "event_type is missing; an event needs it, a conversation save conversation_id");
  }
  if (uint32_t foreign = seen_ & ~(is_conversation_ ? conversation_fields : event_fields)) {
    return refuse(refusal_, MR_UNKNOWN_FIELD, "unknown field \"%s\"; the fields of %s are %s",
                  field_names[__builtin_ctz(foreign)], kind, wanted);
  }
  return MR_ACCEPTED;
}

int32_t line_parser::fill_event() {
  event_.kind = MR_KIND_EVENT;
  event_.has_id = has(field_id);
  event_.has_user_id = has(field_user_id) && values_[field_user_id].first != 'n';
  event_.conversation_id = event_.question = event_.response = event_.source = event_.metadata = {nullptr, 0};
  if (int32_t code = fill_name(field_event_type, MR_INVALID_EVENT_TYPE, event_.event_type)) return code;
  if (event_.has_id) {
    if (int32_t code = fill_uuid(field_id, MR_INVALID_ID, event_.id)) return code;
  }
  if (event_.has_user_id) {
    if (int32_t code = fill_uuid(field_user_id, MR_INVALID_USER_ID, event_.user_id)) return code;
  }
  if (int32_t code = fill_object(field_payload, MR_INVALID_PAYLOAD, event_.payload)) return code;

  event_.has_created = true;
  if (has(field_sent_at)) {
    if (!has(field_created_at)) {
      return refuse(refusal_, MR_MISSING_FIELD, "created_at is missing; sent_at says by which clock it is meant");
    }
    int64_t sent_us = 0;
    if (int32_t code = fill_created_at(field_sent_at, sent_us)) return code;
    if (int32_t code = fill_created_at(field_created_at, event_.created_us)) return code;
    correct_created_at(sent_us);
    return check_window("created_at");
  }
  if (has(field_created_at)) {
    if (int32_t code = fill_created_at(field_created_at, event_.created_us)) return code;
    return check_window("created_at");
  }
  if (event_.has_id && is_uuid_v7(event_.id)) {
    event_.created_us = uuid_v7_milliseconds(event_.id) * 1000;
    return check_window("the time in the UUIDv7 id");
  }
  event_.has_created = false;
  event_.created_us = limits_.received_us;
  return MR_ACCEPTED;
}

int32_t line_parser::fill_conversation() {
  event_.kind = MR_KIND_CONVERSATION;
  event_.has_id = false;
  event_.has_user_id = true;
  event_.event_type = event_.payload = {nullptr, 0};
  for (field wanted : {field_conversation_id, field_question, field_response, field_user_id}) {
    if (!has(wanted)) {
      return refuse(refusal_, MR_MISSING_FIELD, "%s is missing; a conversation save needs it", field_names[wanted]);
    }
  }
  if (int32_t code = fill_name(field_conversation_id, MR_INVALID_CONVERSATION_ID, event_.conversation_id)) return code;
  if (int32_t code = fill_string(field_question, MR_INVALID_QUESTION, event_.question)) return code;
  if (event_.question.length == 0) {
    return refuse(refusal_, MR_INVALID_QUESTION, "question is empty; a text of at least one character is wanted");
  }
  if (int32_t code = fill_string(field_response, MR_INVALID_RESPONSE, event_.response)) return code;
  if (int32_t code = fill_uuid(field_user_id, MR_INVALID_USER_ID, event_.user_id)) return code;
  if (int32_t code = fill_source()) return code;
  if (int32_t code = fill_object(field_metadata, MR_INVALID_METADATA, event_.metadata)) return code;
  return fill_timestamp();
}

int32_t line_parser::refuse_null(field of, int32_t code, const char *wanted) {
  return refuse(refusal_, code, "%s is null; %s is wanted, or leave the field out", field_names[of], wanted);
}

int32_t line_parser::fill_string(field of, int32_t code, mr_text &out) {
  if (values_[of].first != '"') {
    return refuse(refusal_, code, "%s is %s; a string is wanted", field_names[of], kind_of(values_[of]));
  }
  out = text_of(values_[of]);
  return MR_ACCEPTED;
}

int32_t line_parser::fill_name(field of, int32_t code, mr_text &out) {
  if (int32_t refused = fill_string(of, code, out)) return refused;
  if (out.length == 0 || out.length > name_bytes_max) {
    return refuse(refusal_, code, "%s has %zu bytes; 1 to %zu bytes of UTF-8 are wanted", field_names[of], out.length,
                  name_bytes_max);
  }
  if (has_control_character(out.bytes, out.length)) {
    return refuse(refusal_, code, "%s \"%s\" has a control character; 1 to %zu bytes of text without any are wanted",
                  field_names[of], quotation(out.bytes, out.length).text, name_bytes_max);
  }
  return MR_ACCEPTED;
}

int32_t line_parser::fill_uuid(field of, int32_t code, uint8_t out[16]) {
  const json_value &value = values_[of];
  constexpr const char *wanted = "a UUID like 0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70";
  if (value.first == 'n' && of == field_id) return refuse_null(of, code, wanted);
  if (value.first != '"') {
    return refuse(refusal_, code, "%s is %s; %s is wanted", field_names[of], kind_of(value), wanted);
  }
  mr_text text = text_of(value);
  if (parse_uuid(text.bytes, text.length, out)) {
    // What was accepted once stays so: a spool may hold lines of a version that took them.
    if (limits_.was_accepted || !is_uuid_of_nobody(out)) return MR_ACCEPTED;
    return refuse(refusal_, code, "%s is the UUID of %s alone, which names nobody; %s is wanted", field_names[of],
                  out[0] ? "ones (max)" : "zeros (nil)", wanted);
  }
  // Not quoted: messages go to logs, and an address is personal data.
  if (memchr(text.bytes, '@', text.length)) {
    return refuse(refusal_, code, "%s is an e-mail address; %s is wanted", field_names[of], wanted);
  }
  return refuse(refusal_, code, "%s \"%s\" is no UUID; %s is wanted", field_names[of],
                quotation(text.bytes, text.length).text, wanted);
}

int32_t line_parser::fill_object(field of, int32_t code, mr_text &out) {
  out = {reinterpret_cast<const uint8_t *>("{}"), 2};
  if (!has(of)) return MR_ACCEPTED;
  const json_value &value = values_[of];
  if (value.first == 'n') return refuse_null(of, code, "an object");
  if (value.first != '{') {
    return refuse(refusal_, code, "%s is %s; an object is wanted", field_names[of], kind_of(value));
  }
  out = {bytes_ + value.start, value.length()};
  if (out.length > limits_.payload_bytes_max) {
    return refuse(refusal_, MR_PAYLOAD_TOO_LARGE, "%s has %zu bytes; at most %zu are wanted", field_names[of],
                  out.length, limits_.payload_bytes_max);
  }
  auto printed = static_cast<size_t>(static_cast<int64_t>(out.length) + value.growth);
  if (printed > limits_.payload_text_bytes_max) {
    return refuse(refusal_, MR_PAYLOAD_TOO_LARGE,
                  "%s has %zu bytes, and %zu once its numbers are printed without exponents (1e3 as 1000); at most %zu "
                  "(limits.payload_text_bytes) are wanted",
                  field_names[of], out.length, printed, limits_.payload_text_bytes_max);
  }
  return MR_ACCEPTED;
}

int32_t line_parser::fill_source() {
  event_.source = {reinterpret_cast<const uint8_t *>("unknown"), 7};
  if (!has(field_source)) return MR_ACCEPTED;
  if (values_[field_source].first == 'n') return refuse_null(field_source, MR_INVALID_SOURCE, "a string");
  if (int32_t code = fill_string(field_source, MR_INVALID_SOURCE, event_.source)) return code;
  if (event_.source.length > name_bytes_max) {
    return refuse(refusal_, MR_INVALID_SOURCE, "source has %zu bytes; at most %zu are wanted", event_.source.length,
                  name_bytes_max);
  }
  return MR_ACCEPTED;
}

int32_t line_parser::fill_created_at(field of, int64_t &out) {
  const json_value &value = values_[of];
  constexpr const char *wanted = "RFC 3339 with offset (2026-11-05T12:34:56.789Z) or whole milliseconds since 1970";
  if (value.first == '"') return fill_rfc3339(of, MR_INVALID_CREATED_AT, wanted, out);
  if (value.first == 'n') return refuse_null(of, MR_INVALID_CREATED_AT, wanted);
  bool is_negative = value.first == '-';
  if (!is_negative && !is_digit(value.first)) {
    return refuse(refusal_, MR_INVALID_CREATED_AT, "%s is %s; %s is wanted", field_names[of], kind_of(value), wanted);
  }
  int64_t milliseconds = 0;
  size_t digits = 0;
  for (uint32_t at = value.start + is_negative; at < value.end; at++, digits++) {
    if (!is_digit(bytes_[at])) {
      return refuse(refusal_, MR_INVALID_CREATED_AT, "%s %s is no whole number; %s is wanted", field_names[of],
                    quotation(bytes_ + value.start, value.length()).text, wanted);
    }
    if (digits < millisecond_digits_max) milliseconds = milliseconds * 10 + (bytes_[at] - '0');
  }
  if (digits > millisecond_digits_max) {
    return refuse(refusal_, MR_CREATED_AT_OUT_OF_RANGE, "%s %s is out of range; %s is wanted", field_names[of],
                  quotation(bytes_ + value.start, value.length()).text, wanted);
  }
  out = (is_negative ? -milliseconds : milliseconds) * 1000;
  return MR_ACCEPTED;
}

void line_parser::correct_created_at(int64_t sent_us) {
  int64_t difference = limits_.received_us - sent_us;
  bool is_right = difference >= -clock_difference_us && difference <= clock_difference_us;
  // What was made after it was sent goes by another clock than that.
  if (is_right || difference < -clock_ahead_max_us || event_.created_us > sent_us + clock_difference_us) return;
  event_.created_us += difference;
  // Sent again, it comes out at another time: then it is known by its id alone.
  event_.has_created = false;
}

int32_t line_parser::fill_timestamp() {
  event_.has_created = has(field_timestamp);
  event_.created_us = limits_.received_us;
  if (!event_.has_created) return MR_ACCEPTED;
  constexpr const char *wanted = "RFC 3339 with offset (2026-11-05T12:34:56.789Z)";
  const json_value &value = values_[field_timestamp];
  if (value.first == 'n') return refuse_null(field_timestamp, MR_INVALID_TIMESTAMP, wanted);
  if (value.first != '"') {
    return refuse(refusal_, MR_INVALID_TIMESTAMP, "timestamp is %s; %s is wanted", kind_of(value), wanted);
  }
  if (int32_t code = fill_rfc3339(field_timestamp, MR_INVALID_TIMESTAMP, wanted, event_.created_us)) return code;
  return check_window("timestamp");
}

int32_t line_parser::fill_rfc3339(field of, int32_t code, const char *wanted, int64_t &out) {
  mr_text text = text_of(values_[of]);
  if (!parse_rfc3339(text.bytes, text.length, &out)) {
    return refuse(refusal_, code, "%s \"%s\" is no such time; %s is wanted", field_names[of],
                  quotation(text.bytes, text.length).text, wanted);
  }
  return MR_ACCEPTED;
}

int32_t line_parser::check_window(const char *what) {
  if (event_.created_us >= limits_.oldest_us && event_.created_us <= limits_.newest_us) return MR_ACCEPTED;
  char time[formatted_time_bytes], oldest[formatted_time_bytes], newest[formatted_time_bytes];
  format_time(event_.created_us, time);
  format_time(limits_.oldest_us, oldest);
  format_time(limits_.newest_us, newest);
  return refuse(refusal_, MR_CREATED_AT_OUT_OF_RANGE, "%s, %s, is out of range; a time from %s to %s is wanted", what,
                time, oldest, newest);
}

const char *line_parser::kind_of(const json_value &value) {
  switch (value.first) {
    case '"': return "a string";
    case '{': return "an object";
    case '[': return "an array";
    case 'n': return "null";
    case 't':
    case 'f': return "a boolean";
    default: return "a number";
  }
}

}  // namespace millrace
