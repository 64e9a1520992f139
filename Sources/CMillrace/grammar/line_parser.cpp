#include "line_parser.hpp"

#include "refusal.hpp"

namespace millrace {

namespace {

int32_t refuse_utf8(const uint8_t *bytes, size_t length, mr_refusal *refusal) {
  size_t at = first_invalid_utf8(bytes, length);
  return refuse(refusal, MR_INVALID_UTF8, "byte %zu (0x%02X) is not valid UTF-8; JSON is wanted in UTF-8", at + 1,
                at < length ? bytes[at] : 0);
}

}  // namespace

int32_t index_text(mr_parser *parser, const uint8_t *bytes, size_t length, mr_refusal *refusal) {
  if (length > parser->stage1->capacity() && !parser->grow(length)) {
    return refuse(refusal, MR_LINE_TOO_LONG, "there is no memory to parse %zu bytes", length);
  }
  switch (auto error = parser->stage1->stage1(bytes, length, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS: return MR_ACCEPTED;
    case simdjson::EMPTY: return refuse(refusal, MR_INVALID_JSON, "there is nothing here; one JSON object is wanted");
    case simdjson::UTF8_ERROR: return refuse_utf8(bytes, length, refusal);
    case simdjson::UNCLOSED_STRING:
    case simdjson::UNESCAPED_CHARS: {
      if (first_invalid_utf8(bytes, length) < length) return refuse_utf8(bytes, length, refusal);
      if (error == simdjson::UNCLOSED_STRING) {
        return refuse(refusal, MR_INVALID_JSON,
                      "invalid JSON: a string is not closed; a '\"' is wanted before the end");
      }
      return refuse(refusal, MR_INVALID_JSON,
                    "invalid JSON: a control character stands in a string; it is wanted escaped, as \\n or \\u000a");
    }
    default: return refuse(refusal, MR_INVALID_JSON, "invalid JSON: %s", simdjson::error_message(error));
  }
}

int32_t refuse_text(const json_walker &walker, const uint8_t *bytes, size_t length, uint32_t depth_max,
                    mr_refusal *refusal) {
  if (walker.fault_code == MR_NESTING_TOO_DEEP) {
    return refuse(refusal, MR_NESTING_TOO_DEEP,
                  "nested too deep at byte %u; at most %u objects and arrays are wanted inside each other",
                  walker.fault_offset + 1, depth_max);
  }
  if (walker.fault_offset >= length) {
    return refuse(refusal, MR_INVALID_JSON, "invalid JSON: it ends where %s is wanted", walker.fault_wanted);
  }
  return refuse(refusal, MR_INVALID_JSON, "invalid JSON at byte %u: %s is wanted, not \"%s\"", walker.fault_offset + 1,
                walker.fault_wanted, quotation(bytes + walker.fault_offset, length - walker.fault_offset).text);
}

int32_t line_parser::parse() {
  if (int32_t code = index_text(parser_, bytes_, length_, refusal_)) return code;
  const auto &stage1 = *parser_->stage1;
  json_walker walker(bytes_, length_, stage1.structural_indexes.get(), stage1.n_structural_indexes,
                     depth_max(), limits_.was_accepted);
  if (walker.peek() != '{') return refuse_non_object(walker);
  if (!take_fields(walker)) return refuse_fault(walker);
  if (int32_t code = check_values(walker)) return code;
  if (int32_t code = check_names()) return code;
  return is_conversation_ ? fill_conversation() : fill_event();
}

int32_t line_parser::refuse_non_object(json_walker &walker) {
  json_value value;
  if (!walker.take_value(value)) return refuse_fault(walker);
  if (!walker.at_end()) {
    walker.fail("the end of the line", walker.offset());
    return refuse_fault(walker);
  }
  return refuse(refusal_, MR_NOT_AN_OBJECT, "this is %s; one JSON object is wanted", kind_of(value));
}

int32_t line_parser::refuse_fault(const json_walker &walker) {
  return refuse_text(walker, bytes_, length_, depth_max(), refusal_);
}

bool line_parser::take_fields(json_walker &walker) {
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

bool line_parser::take_field(json_walker &walker) {
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

int32_t line_parser::check_values(const json_walker &walker) {
  if (walker.unsupported == escapes::nul) {
    return refuse(refusal_, MR_UNSUPPORTED_TEXT,
                  "\\u0000 at byte %u can't be stored by PostgreSQL; text without it is wanted",
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

}  // namespace millrace
