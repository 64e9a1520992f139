#ifndef MILLRACE_LINE_PARSER_HPP
#define MILLRACE_LINE_PARSER_HPP

#include <simdjson.h>

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "event_fields.hpp"
#include "event_parser.h"
#include "field_finder.h"
#include "json/json_walker.hpp"

/// The buffers that one line at a time is parsed in. They grow to the longest line seen and stay.
struct mr_parser {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1;
  /// Unescaped texts; at least as large as the capacity of `stage1`.
  std::unique_ptr<uint8_t[]> texts;
  /// Of the last mr_find.
  std::vector<mr_found> found;
  /// Of rules, an unescaped text at a time.
  std::string scratch;
  /// Of the numbers that stand for ids which a line does not have; 0: not yet begun.
  uint64_t chance = 0;

  /// Makes room for a line of `length` bytes. False when there is no memory.
  bool grow(size_t length) {
    size_t capacity = capacity_min;
    while (capacity < length && capacity < simdjson::SIMDJSON_MAXSIZE_BYTES / 2) capacity *= 2;
    if (capacity < length) return false;
    texts.reset(new (std::nothrow) uint8_t[capacity]);
    return texts != nullptr && !stage1->set_capacity(capacity);
  }

  static constexpr size_t capacity_min = 16 * 1024;
};

namespace millrace {

/// Runs simdjson's first stage on a text that is to be walked. Returns MR_ACCEPTED, or the code and fills `refusal`.
int32_t index_text(mr_parser *parser, const uint8_t *bytes, size_t length, mr_refusal *refusal);

/// Says where and why a walk of that text failed.
int32_t refuse_text(const json_walker &walker, const uint8_t *bytes, size_t length, uint32_t depth_max,
                    mr_refusal *refusal);

/// One call of mr_parse: the grammar first, then what PostgreSQL can't hold, then the names, then each field.
class line_parser {
 public:
  line_parser(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits &limits, mr_event &event,
              mr_refusal *refusal)
      : parser_(parser), bytes_(bytes), length_(length), limits_(limits), event_(event), refusal_(refusal) {}

  int32_t parse();

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

  // The grammar: line_parser.cpp

  int32_t refuse_non_object(json_walker &walker);
  int32_t refuse_fault(const json_walker &walker);
  uint32_t depth_max() const { return limits_.depth_max < MR_DEPTH_MAX ? limits_.depth_max : MR_DEPTH_MAX; }
  /// Takes the whole top-level object; remembers the first value of each known field. False on a fault.
  bool take_fields(json_walker &walker);
  bool take_field(json_walker &walker);
  /// What JSON allows and PostgreSQL does not.
  int32_t check_values(const json_walker &walker);

  // The fields: line_parser_fields.cpp

  /// The unescaped text of a string without a fault. At most the line's length in all, since no string is taken twice
  /// and none grows.
  mr_text text_of(const json_value &value);
  bool has(field of) const { return seen_ & bit(of); }
  /// Which kind the line is, and whether its fields are that kind's.
  int32_t check_names();
  int32_t fill_event();
  int32_t fill_conversation();
  int32_t refuse_null(field of, int32_t code, const char *wanted);
  /// A required string.
  int32_t fill_string(field of, int32_t code, mr_text &out);
  /// A required string of 1 to 200 bytes without control characters.
  int32_t fill_name(field of, int32_t code, mr_text &out);
  int32_t fill_uuid(field of, int32_t code, uint8_t out[16]);
  /// An optional object, `{}` when absent, bounded in bytes as they came.
  int32_t fill_object(field of, int32_t code, mr_text &out);
  int32_t fill_source();
  /// Of `created_at` or `sent_at`.
  int32_t fill_created_at(field of, int64_t &out);
  /// Puts right what a sender's clock that is off by more than a minute made of the time. Not where it can't be: the clock
  /// is a year ahead, or the event is of after it was sent.
  void correct_created_at(int64_t sent_us);
  int32_t fill_timestamp();
  int32_t fill_rfc3339(field of, int32_t code, const char *wanted, int64_t &out);
  int32_t check_window(const char *what);
  static const char *kind_of(const json_value &value);
};

}  // namespace millrace

#endif
