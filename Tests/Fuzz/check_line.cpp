#include "bytes.hpp"
#include "checks.hpp"
#include "plain_json.hpp"
#include "timestamp.h"

namespace millrace::fuzz {

mr_limits wide_limits() {
  mr_limits limits = {};
  limits.received_us = received_us;
  limits.oldest_us = oldest_us;
  limits.newest_us = newest_us;
  limits.payload_bytes_max = 256 << 10;
  limits.payload_text_bytes_max = MR_PAYLOAD_TEXT_BYTES_MAX;
  limits.depth_max = 64;
  return limits;
}

mr_parser *shared_parser() {
  static mr_parser *parser = mr_parser_create();
  return parser;
}

verdict::verdict(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits &limits) {
  mr_refusal refusal;
  code = mr_parse(parser, bytes, length, &limits, &event, &refusal);
  if (code != MR_ACCEPTED) {
    message.assign(refusal.message, strnlen(refusal.message, sizeof refusal.message));
    return;
  }
  event_type = view(event.event_type);
  payload = view(event.payload);
  conversation_id = view(event.conversation_id);
  question = view(event.question);
  response = view(event.response);
  source = view(event.source);
  metadata = view(event.metadata);
}

bool verdict::is_same_event(const verdict &other) const {
  const mr_event &one = event;
  const mr_event &two = other.event;
  return one.kind == two.kind && one.has_id == two.has_id && one.has_user_id == two.has_user_id &&
         one.has_created == two.has_created && one.created_us == two.created_us &&
         (!one.has_id || memcmp(one.id, two.id, 16) == 0) &&
         (!one.has_user_id || memcmp(one.user_id, two.user_id, 16) == 0) && event_type == other.event_type &&
         payload == other.payload && conversation_id == other.conversation_id && question == other.question &&
         response == other.response && source == other.source && metadata == other.metadata;
}

namespace {

bool is_fault_of_grammar(int32_t code) {
  return code == MR_INVALID_JSON || code == MR_INVALID_UTF8 || code == MR_NESTING_TOO_DEEP;
}

bool is_object(std::string_view text) {
  plain_json json(text);
  return json.is_valid && json.first == '{';
}

bool is_text(std::string_view text) { return is_utf8(text) && text.find('\0') == std::string_view::npos; }

bool is_name(std::string_view text) {
  for (char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) return false;
  }
  return !text.empty() && text.size() <= 200 && is_text(text);
}

const char *check_accepted(const verdict &found, const mr_limits &limits) {
  if (found.event.created_us < limits.oldest_us || found.event.created_us > limits.newest_us) {
    return "an accepted time is out of the limits";
  }
  if (found.event.kind == MR_KIND_EVENT) {
    if (!is_name(found.event_type)) return "an accepted event_type is no name";
    if (!is_object(found.payload)) return "an accepted payload is no object";
    if (found.payload.size() > limits.payload_bytes_max) return "an accepted payload is beyond its limit";
    return nullptr;
  }
  if (found.event.kind != MR_KIND_CONVERSATION) return "what was accepted is of no kind";
  if (!is_name(found.conversation_id)) return "an accepted conversation_id is no name";
  if (!is_text(found.question) || !is_text(found.response) || !is_text(found.source)) return "a text is not UTF-8";
  if (found.question.empty() || !found.event.has_user_id) return "an accepted save lacks something";
  if (!is_object(found.metadata)) return "accepted metadata is no object";
  return nullptr;
}

const char *check_grammar(const plain_json &json, const verdict &found, const mr_limits &limits) {
  if (!json.is_valid) return is_fault_of_grammar(found.code) ? nullptr : "what is no JSON was let through";
  // A top-level object's fields count from 1 deep each.
  size_t depth = json.depth - (json.first == '{');
  bool is_too_deep = depth > limits.depth_max;
  if (is_too_deep != (found.code == MR_NESTING_TOO_DEEP)) return "the depth was counted wrongly";
  if (!is_too_deep && is_fault_of_grammar(found.code)) return "JSON was refused as none";
  if (json.first != '{' && !is_too_deep && found.code != MR_NOT_AN_OBJECT) return "no object was let through";
  return nullptr;
}

}  // namespace

const char *check_line(std::string_view line) {
  static mr_parser *other_parser = mr_parser_create();
  choices choose(line);
  plain_json json(line);
  padded_copy copy(line, 0, std::string_view("\0", 1));
  padded_copy moved(line, 1 + choose.below(63), "\"}]\\,\n:{[1e");
  for (int kind : {0, int{MR_KIND_EVENT}, int{MR_KIND_CONVERSATION}}) {
    mr_limits limits = wide_limits();
    limits.kind_wanted = static_cast<uint8_t>(kind);
    verdict found(shared_parser(), copy.start(), copy.length(), limits);
    if (const char *wrong = check_grammar(json, found, limits)) return wrong;

    verdict again(other_parser, moved.start(), moved.length(), limits);
    if (again.code != found.code || again.message != found.message) {
      return "what lies behind the line changes what is said of it";
    }
    if (found.code != MR_ACCEPTED) {
      if (found.message.empty() || !is_utf8(found.message)) return "a message is empty or not UTF-8";
      continue;
    }
    if (!found.is_same_event(again)) return "what lies behind the line changes the event";
    if (const char *wrong = check_accepted(found, limits)) return wrong;
    if (kind != 0 && found.event.kind != kind) return "another kind was accepted than was wanted";

    limits.was_accepted = true;
    verdict trusted(other_parser, copy.start(), copy.length(), limits);
    if (trusted.code != MR_ACCEPTED || !trusted.is_same_event(found)) return "a line reads differently the second time";

    // Narrower limits refuse, or change nothing.
    limits.was_accepted = false;
    limits.depth_max = static_cast<uint32_t>(choose.below(8));
    limits.payload_bytes_max = choose.below(200);
    limits.payload_text_bytes_max = limits.payload_bytes_max + choose.below(1000);
    limits.oldest_us = received_us - static_cast<int64_t>(choose.below(400)) * 86400000000;
    limits.newest_us = received_us + 86400000000;
    verdict narrow(other_parser, moved.start(), moved.length(), limits);
    if (narrow.code != MR_ACCEPTED) continue;
    if (!narrow.is_same_event(found)) return "narrower limits change the event";
    if (const char *wrong = check_accepted(narrow, limits)) return wrong;
  }
  return nullptr;
}

const char *check_time(std::string_view text) {
  padded_copy copy(text, 0, "0");
  int64_t microseconds = 0;
  if (!mr_parse_time(copy.start(), copy.length(), &microseconds)) return nullptr;
  char written[MR_TIME_BYTES];
  mr_format_time(microseconds, written);
  int64_t again = 0;
  // An offset may lead out of the four digits of a year.
  bool is_in_range = microseconds >= oldest_us && microseconds <= newest_us;
  if (!is_in_range) return nullptr;
  if (!mr_parse_time(reinterpret_cast<const uint8_t *>(written), strlen(written), &again)) return "a time is not read back";
  return again == microseconds ? nullptr : "a time reads back as another one";
}

}  // namespace millrace::fuzz
