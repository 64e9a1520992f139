#include "message_reader.h"

#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "grammar/line_parser.hpp"
#include "grammar/refusal.hpp"
#include "json_walker.hpp"

using namespace millrace;

struct mr_reader {
  mr_parser parser;
  std::vector<mr_member> members;
  std::vector<mr_message> messages;
};

namespace {

/// One call of mr_read_messages.
class message_walk {
 public:
  message_walk(mr_reader &reader, const uint8_t *bytes, size_t length, mr_text list)
      : reader_(reader),
        bytes_(bytes),
        list_(list),
        walker_(bytes, length, reader.parser.stage1->structural_indexes.get(),
                reader.parser.stage1->n_structural_indexes, MR_DEPTH_MAX, false) {}

  const json_walker &walker() const { return walker_; }

  /// False on a fault.
  bool take(mr_messages &out) {
    switch (walker_.peek()) {
      case '[':
        out.is_array = true;
        if (!take_list()) return false;
        break;
      case '{': {
        mr_message body = {};
        if (!take_object(body, &out.has_list)) return false;
        out.own_count = body.member_count;
        out.is_array = out.has_list;
        if (!out.has_list) reader_.messages.push_back(body);
        break;
      }
      default: {
        json_value value;
        if (!walker_.take_value(value)) return false;
        return walker_.at_end() ? walker_.fail("an object or an array", 0) : end();
      }
    }
    return end();
  }

 private:
  mr_reader &reader_;
  const uint8_t *bytes_;
  mr_text list_;
  json_walker walker_;
  size_t texts_length_ = 0;

  bool end() { return walker_.at_end() || walker_.fail("the end of the body", walker_.offset()); }

  /// Takes the object at the next token. `has_list`: nil inside of a list; else set where the member was there.
  bool take_object(mr_message &message, bool *has_list) {
    message.is_object = true;
    message.start = walker_.offset();
    message.first_member = static_cast<uint32_t>(reader_.members.size());
    // Of the body, while those of its messages come in between.
    std::vector<mr_member> own;
    auto &members = has_list ? own : reader_.members;
    walker_.skip_structural();
    bool is_empty = walker_.peek() == '}';
    while (!is_empty) {
      if (walker_.peek() != '"') return walker_.fail("a name in quotes", walker_.offset());
      json_value name;
      if (!walker_.take_string(name)) return false;
      if (walker_.peek() != ':') return walker_.fail("':' behind the name", walker_.offset());
      walker_.skip_structural();
      mr_member member = {};
      member.name = text_of(name);
      bool is_list = has_list && !*has_list && walker_.peek() == '[' && member.name.length == list_.length &&
                     memcmp(member.name.bytes, list_.bytes, list_.length) == 0;
      if (is_list) {
        *has_list = true;
        member.start = walker_.offset();
        if (!take_list(&member.end)) return false;
      } else {
        json_value value;
        if (!walker_.take_value(value)) return false;
        bool is_string = value.first == '"';
        member.start = value.start - is_string;
        member.end = value.end + is_string;
      }
      members.push_back(member);
      if (walker_.peek() == '}') break;
      if (walker_.peek() != ',') return walker_.fail("',' or '}'", walker_.offset());
      walker_.skip_structural();
    }
    message.end = walker_.offset() + 1;
    walker_.skip_structural();
    message.member_count = static_cast<uint32_t>(members.size()) - (has_list ? 0 : message.first_member);
    if (has_list) {
      // In front of the others, whose places move behind them.
      for (auto &other : reader_.messages) other.first_member += message.member_count;
      reader_.members.insert(reader_.members.begin(), own.begin(), own.end());
      message.first_member = 0;
    }
    return true;
  }

  /// Takes the array of messages at the next token.
  bool take_list(uint32_t *end = nullptr) {
    walker_.skip_structural();
    bool is_empty = walker_.peek() == ']';
    while (!is_empty) {
      mr_message message = {};
      if (walker_.peek() == '{') {
        if (!take_object(message, nullptr)) return false;
      } else {
        json_value value;
        if (!walker_.take_value(value)) return false;
        bool is_string = value.first == '"';
        message.start = value.start - is_string;
        message.end = value.end + is_string;
      }
      reader_.messages.push_back(message);
      if (walker_.peek() == ']') break;
      if (walker_.peek() != ',') return walker_.fail("',' or ']'", walker_.offset());
      walker_.skip_structural();
    }
    if (end) *end = walker_.offset() + 1;
    walker_.skip_structural();
    return true;
  }

  mr_text text_of(const json_value &value) {
    if (!value.has_escapes) return {bytes_ + value.start, value.length()};
    uint8_t *start = reader_.parser.texts.get() + texts_length_;
    uint8_t *end = unescape(bytes_ + value.start, bytes_ + value.end, start);
    texts_length_ += static_cast<size_t>(end - start);
    return {start, static_cast<size_t>(end - start)};
  }
};

}  // namespace

mr_reader *mr_reader_create(void) {
  std::unique_ptr<mr_reader> reader(new (std::nothrow) mr_reader);
  if (!reader) return nullptr;
  auto &implementation = simdjson::get_active_implementation();
  bool is_made = !implementation->create_dom_parser_implementation(0, 1, reader->parser.stage1);
  return is_made ? reader.release() : nullptr;
}

void mr_reader_destroy(mr_reader *reader) { delete reader; }

int32_t mr_read_messages(mr_reader *reader, const uint8_t *bytes, size_t length, mr_text list, mr_messages *messages,
                         mr_refusal *refusal) {
  *messages = {};
  reader->members.clear();
  reader->messages.clear();
  if (int32_t code = index_text(&reader->parser, bytes, length, refusal)) return code;
  try {
    message_walk walk(*reader, bytes, length, list);
    if (!walk.take(*messages)) return refuse_text(walk.walker(), bytes, length, MR_DEPTH_MAX, refusal);
  } catch (const std::bad_alloc &) {
    return refuse(refusal, MR_LINE_TOO_LONG, "there is no memory to read %zu bytes", length);
  }
  messages->all = reader->members.data();
  messages->messages = reader->messages.data();
  messages->message_count = reader->messages.size();
  return MR_ACCEPTED;
}
