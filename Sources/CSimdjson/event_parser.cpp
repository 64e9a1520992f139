#include "event_parser.h"

#include <simdjson.h>

#include <memory>
#include <new>

#include "event_fields.hpp"
#include "json_walker.hpp"
#include "refusal.hpp"
#include "timestamp.hpp"
#include "uuid.hpp"

using namespace millrace;

/// The buffers that one line at a time is parsed in. They grow to the longest line seen and stay.
struct mr_parser {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1;
  /// Unescaped texts; as large as the capacity of `stage1`.
  std::unique_ptr<uint8_t[]> texts;

  /// Makes room for a line of `length` bytes. False when there is no memory.
  bool grow(size_t length) {
    size_t capacity = capacity_min;
    while (capacity < length && capacity < simdjson::SIMDJSON_MAXSIZE_BYTES / 2) capacity *= 2;
    if (capacity < length || stage1->set_capacity(capacity)) return false;
    texts.reset(new (std::nothrow) uint8_t[capacity]);
    return texts != nullptr;
  }

  static constexpr size_t capacity_min = 16 * 1024;
};

namespace {

constexpr size_t name_bytes_max = 200;
/// Beyond any accepted time, and safe to multiply.
constexpr size_t millisecond_digits_max = 15;

constexpr const char *event_fields_wanted = "event_type, id, user_id, payload and created_at";
constexpr const char *conversation_fields_wanted =
    "conversation_id, question, response, user_id, timestamp, source and metadata";

/// One call of mr_parse.
class line_parser {
 public:
  line_parser(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits &limits, mr_event &event,
              mr_refusal *refusal)
      : parser_(parser), bytes_(bytes), length_(length), limits_(limits), event_(event), refusal_(refusal) {}

  int32_t parse() {
    if (int32_t code = index()) return code;
    const auto &stage1 = *parser_->stage1;
    json_walker walker(bytes_, length_, stage1.structural_indexes.get(), stage1.n_structural_indexes,
                       limits_.depth_max < MR_DEPTH_MAX ? limits_.depth_max : MR_DEPTH_MAX);
    if (walker.peek() != '{') return refuse_non_object(walker);
    if (!take_fields(walker)) return refuse_fault(walker);
    if (int32_t code = check_values(walker)) return code;
    if (int32_t code = check_names()) return code;
    return is_conversation_ ? fill_conversation() : fill_event();
  }

 private:
  mr_parser *parser_;
  const uint8_t *bytes_;
  size_t length_;
  const mr_limits &limits_;
  mr_event &event_;
  mr_refusal *refusal_;

  json_value values_[field_count];
  uint32_t seen_ = 0;
  field duplicate_ = field_count;
  bool has_unknown_ = false;
  mr_text unknown_ = {nullptr, 0};
  bool is_conversation_ = false;
  size_t texts_length_ = 0;

  // MARK: the grammar

  /// Runs simdjson's first stage.
  int32_t index() {
    if (length_ > parser_->stage1->capacity()) {
      if (!parser_->grow(length_)) {
        return refuse(refusal_, MR_LINE_TOO_LONG, "there is no memory to parse %zu bytes", length_);
      }
    }
    switch (auto error = parser_->stage1->stage1(bytes_, length_, simdjson::stage1_mode::regular)) {
      case simdjson::SUCCESS: return MR_ACCEPTED;
      case simdjson::EMPTY: return refuse(refusal_, MR_INVALID_JSON, "there is nothing here; one JSON object is wanted");
      case simdjson::UTF8_ERROR: return refuse_utf8();
      case simdjson::UNCLOSED_STRING:
      case simdjson::UNESCAPED_CHARS: {
        if (first_invalid_utf8(bytes_, length_) < length_) return refuse_utf8();
        if (error == simdjson::UNCLOSED_STRING) {
          return refuse(refusal_, MR_INVALID_JSON, "invalid JSON: a string is not closed; a '\"' is wanted before the end");
        }
        return refuse(refusal_, MR_INVALID_JSON,
                      "invalid JSON: a control character stands in a string; it is wanted escaped, as \\n or \\u000a");
      }
      default: return refuse(refusal_, MR_INVALID_JSON, "invalid JSON: %s", simdjson::error_message(error));
    }
  }

  int32_t refuse_utf8() {
    size_t at = first_invalid_utf8(bytes_, length_);
    return refuse(refusal_, MR_INVALID_UTF8, "byte %zu (0x%02X) is not valid UTF-8; JSON is wanted in UTF-8", at + 1,
                  at < length_ ? bytes_[at] : 0);
  }

  int32_t refuse_non_object(json_walker &walker) {
    json_value value;
    if (!walker.take_value(value)) return refuse_fault(walker);
    if (!walker.at_end()) {
      walker.fail("the end of the line", walker.offset());
      return refuse_fault(walker);
    }
    const char *kind = value.first == '['   ? "an array"
                       : value.first == '"' ? "a string"
                       : value.first == 't' || value.first == 'f' ? "a boolean"
                       : value.first == 'n'                       ? "null"
                                                                  : "a number";
    return refuse(refusal_, MR_NOT_AN_OBJECT, "this is %s; one JSON object is wanted", kind);
  }

  int32_t refuse_fault(const json_walker &walker) {
    if (walker.fault_code == MR_NESTING_TOO_DEEP) {
      return refuse(refusal_, MR_NESTING_TOO_DEEP, "nested too deep at byte %u; at most %u objects and arrays inside each other",
                    walker.fault_offset + 1, limits_.depth_max < MR_DEPTH_MAX ? limits_.depth_max : MR_DEPTH_MAX);
    }
    if (walker.fault_offset >= length_) {
      return refuse(refusal_, MR_INVALID_JSON, "invalid JSON: it ends where %s is wanted", walker.fault_wanted);
    }
    return refuse(refusal_, MR_INVALID_JSON, "invalid JSON at byte %u: %s is wanted, not \"%s\"", walker.fault_offset + 1,
                  walker.fault_wanted, quotation(bytes_ + walker.fault_offset, length_ - walker.fault_offset).text);
  }

  /// Takes the whole top-level object; remembers the first value of each known field. False on a fault.
  bool take_fields(json_walker &walker) {
    walker.skip_structural();
    if (walker.peek() == '}') {
      walker.skip_structural();
    } else {
      while (true) {
        if (!take_field(walker)) return false;
        uint8_t next = walker.peek();
        if (next != ',' && next != '}') return walker.fail("',' or '}'", walker.offset());
        walker.skip_structural();
        if (next == '}') break;
      }
    }
    return walker.at_end() || walker.fail("the end of the line", walker.offset());
  }

  bool take_field(json_walker &walker) {
    if (walker.peek() != '"') return walker.fail("a name in quotes", walker.offset());
    json_value name;
    if (!walker.take_string(name)) return false;
    if (walker.peek() != ':') return walker.fail("':' behind the name", walker.offset());
    walker.skip_structural();
    json_value value;
    if (!walker.take_value(value)) return false;

    mr_text text = {bytes_ + name.start, name.length()};
    if (name.has_escapes) {
      if (walker.unsupported != escapes::valid) return true;  // the line is refused for that in any case
      text = text_of(name);
    }
    field known = find_field(text.bytes, text.length);
    if (known == field_count) {
      if (!has_unknown_) unknown_ = text;
      has_unknown_ = true;
    } else if (seen_ & bit(known)) {
      if (duplicate_ == field_count) duplicate_ = known;
    } else {
      seen_ |= bit(known);
      values_[known] = value;
    }
    return true;
  }

  /// What JSON allows and PostgreSQL does not.
  int32_t check_values(const json_walker &walker) {
    if (walker.unsupported == escapes::nul) {
      return refuse(refusal_, MR_UNSUPPORTED_TEXT, "\\u0000 at byte %u can't be stored by PostgreSQL; text without it is wanted",
                    walker.unsupported_offset + 1);
    }
    if (walker.unsupported == escapes::lone_surrogate) {
      return refuse(refusal_, MR_UNSUPPORTED_TEXT,
                    "the escape at byte %u is half of a surrogate pair; both halves, or plain UTF-8, are wanted",
                    walker.unsupported_offset + 1);
    }
    if (walker.has_number_out_of_range) {
      return refuse(refusal_, MR_NUMBER_OUT_OF_RANGE,
                    "the number \"%s\" is beyond PostgreSQL's numeric; at most 131072 digits before the point and 16383 "
                    "behind it are wanted",
                    quotation(bytes_ + walker.number_offset, walker.number_length).text);
    }
    return MR_ACCEPTED;
  }

  // MARK: the fields

  /// The unescaped text of a string without a fault. At most the line's length in all, since no string is taken twice
  /// and none grows.
  mr_text text_of(const json_value &value) {
    if (!value.has_escapes) return {bytes_ + value.start, value.length()};
    uint8_t *start = parser_->texts.get() + texts_length_;
    uint8_t *end = unescape(bytes_ + value.start, bytes_ + value.end, start);
    texts_length_ += static_cast<size_t>(end - start);
    return {start, static_cast<size_t>(end - start)};
  }

  bool has(field of) const { return seen_ & bit(of); }

  /// Which kind the line is, and whether its fields are that kind's.
  int32_t check_names() {
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
      return refuse(refusal_, MR_MISSING_FIELD, "event_type is missing; an event needs it, a conversation save conversation_id");
    }
    if (uint32_t foreign = seen_ & ~(is_conversation_ ? conversation_fields : event_fields)) {
      return refuse(refusal_, MR_UNKNOWN_FIELD, "unknown field \"%s\"; the fields of %s are %s",
                    field_names[__builtin_ctz(foreign)], kind, wanted);
    }
    return MR_ACCEPTED;
  }

  int32_t fill_event() {
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
    if (has(field_created_at)) return fill_created_at();
    if (event_.has_id && is_uuid_v7(event_.id)) {
      event_.created_us = uuid_v7_milliseconds(event_.id) * 1000;
      return check_window("the time in the UUIDv7 id");
    }
    event_.has_created = false;
    event_.created_us = limits_.received_us;
    return MR_ACCEPTED;
  }

  int32_t fill_conversation() {
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

  int32_t refuse_null(field of, int32_t code, const char *wanted) {
    return refuse(refusal_, code, "%s is null; %s is wanted, or leave the field out", field_names[of], wanted);
  }

  /// A required string.
  int32_t fill_string(field of, int32_t code, mr_text &out) {
    if (values_[of].first != '"') {
      return refuse(refusal_, code, "%s is %s; a string is wanted", field_names[of], kind_of(values_[of]));
    }
    out = text_of(values_[of]);
    return MR_ACCEPTED;
  }

  /// A required string of 1 to 200 bytes without control characters.
  int32_t fill_name(field of, int32_t code, mr_text &out) {
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

  int32_t fill_uuid(field of, int32_t code, uint8_t out[16]) {
    const json_value &value = values_[of];
    constexpr const char *wanted = "a UUID like 0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70";
    if (value.first == 'n' && of == field_id) return refuse_null(of, code, wanted);
    if (value.first != '"') return refuse(refusal_, code, "%s is %s; %s is wanted", field_names[of], kind_of(value), wanted);
    mr_text text = text_of(value);
    if (parse_uuid(text.bytes, text.length, out)) return MR_ACCEPTED;
    // Not quoted: messages go to logs, and an address is personal data.
    if (memchr(text.bytes, '@', text.length)) {
      return refuse(refusal_, code, "%s is an e-mail address; %s is wanted", field_names[of], wanted);
    }
    return refuse(refusal_, code, "%s \"%s\" is no UUID; %s is wanted", field_names[of],
                  quotation(text.bytes, text.length).text, wanted);
  }

  /// An optional object, `{}` when absent, bounded in bytes as they came.
  int32_t fill_object(field of, int32_t code, mr_text &out) {
    out = {reinterpret_cast<const uint8_t *>("{}"), 2};
    if (!has(of)) return MR_ACCEPTED;
    const json_value &value = values_[of];
    if (value.first == 'n') return refuse_null(of, code, "an object");
    if (value.first != '{') return refuse(refusal_, code, "%s is %s; an object is wanted", field_names[of], kind_of(value));
    out = {bytes_ + value.start, value.length()};
    if (out.length > limits_.payload_bytes_max) {
      return refuse(refusal_, MR_PAYLOAD_TOO_LARGE, "%s has %zu bytes; at most %zu are wanted", field_names[of], out.length,
                    limits_.payload_bytes_max);
    }
    return MR_ACCEPTED;
  }

  int32_t fill_source() {
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

  int32_t fill_created_at() {
    const json_value &value = values_[field_created_at];
    constexpr const char *wanted = "RFC 3339 with offset (2026-11-05T12:34:56.789Z) or whole milliseconds since 1970";
    if (value.first == '"') return fill_rfc3339(field_created_at, MR_INVALID_CREATED_AT, wanted);
    if (value.first == 'n') return refuse_null(field_created_at, MR_INVALID_CREATED_AT, wanted);
    bool is_negative = value.first == '-';
    if (!is_negative && !is_digit(value.first)) {
      return refuse(refusal_, MR_INVALID_CREATED_AT, "created_at is %s; %s is wanted", kind_of(value), wanted);
    }
    int64_t milliseconds = 0;
    size_t digits = 0;
    for (uint32_t at = value.start + is_negative; at < value.end; at++, digits++) {
      if (!is_digit(bytes_[at])) {
        return refuse(refusal_, MR_INVALID_CREATED_AT, "created_at %s is no whole number; %s is wanted",
                      quotation(bytes_ + value.start, value.length()).text, wanted);
      }
      if (digits < millisecond_digits_max) milliseconds = milliseconds * 10 + (bytes_[at] - '0');
    }
    if (digits > millisecond_digits_max) {
      return refuse(refusal_, MR_CREATED_AT_OUT_OF_RANGE, "created_at %s is out of range; %s is wanted",
                    quotation(bytes_ + value.start, value.length()).text, wanted);
    }
    event_.created_us = (is_negative ? -milliseconds : milliseconds) * 1000;
    return check_window("created_at");
  }

  int32_t fill_timestamp() {
    event_.has_created = has(field_timestamp);
    event_.created_us = limits_.received_us;
    if (!event_.has_created) return MR_ACCEPTED;
    constexpr const char *wanted = "RFC 3339 with offset (2026-11-05T12:34:56.789Z)";
    const json_value &value = values_[field_timestamp];
    if (value.first == 'n') return refuse_null(field_timestamp, MR_INVALID_TIMESTAMP, wanted);
    if (value.first != '"') {
      return refuse(refusal_, MR_INVALID_TIMESTAMP, "timestamp is %s; %s is wanted", kind_of(value), wanted);
    }
    return fill_rfc3339(field_timestamp, MR_INVALID_TIMESTAMP, wanted);
  }

  int32_t fill_rfc3339(field of, int32_t code, const char *wanted) {
    mr_text text = text_of(values_[of]);
    if (!parse_rfc3339(text.bytes, text.length, &event_.created_us)) {
      return refuse(refusal_, code, "%s \"%s\" is no such time; %s is wanted", field_names[of],
                    quotation(text.bytes, text.length).text, wanted);
    }
    return check_window(field_names[of]);
  }

  int32_t check_window(const char *what) {
    if (event_.created_us >= limits_.oldest_us && event_.created_us <= limits_.newest_us) return MR_ACCEPTED;
    char time[formatted_time_bytes], oldest[formatted_time_bytes], newest[formatted_time_bytes];
    format_time(event_.created_us, time);
    format_time(limits_.oldest_us, oldest);
    format_time(limits_.newest_us, newest);
    return refuse(refusal_, MR_CREATED_AT_OUT_OF_RANGE, "%s, %s, is out of range; a time from %s to %s is wanted", what, time,
                  oldest, newest);
  }

  static const char *kind_of(const json_value &value) {
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
};

}  // namespace

mr_parser *mr_parser_create(void) {
  std::unique_ptr<mr_parser> parser(new (std::nothrow) mr_parser);
  if (!parser) return nullptr;
  // Depth is the walker's business; stage 1 needs none.
  auto &implementation = simdjson::get_active_implementation();
  bool is_made = !implementation->create_dom_parser_implementation(0, 1, parser->stage1);
  return is_made && parser->grow(mr_parser::capacity_min) ? parser.release() : nullptr;
}

void mr_parser_destroy(mr_parser *parser) { delete parser; }

int32_t mr_parse(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits *limits, mr_event *event,
                 mr_refusal *refusal) {
  return line_parser(parser, bytes, length, *limits, *event, refusal).parse();
}
