#ifndef MILLRACE_FUZZ_CHECKS_HPP
#define MILLRACE_FUZZ_CHECKS_HPP

#include <string>
#include <string_view>

#include "event_parser.h"

namespace millrace::fuzz {

/// 2026-11-05T12:00:00Z, when each input comes in.
constexpr int64_t received_us = 1793880000000000;
/// The years of RFC 3339, as the encoder allows them.
constexpr int64_t oldest_us = -62135596800000000;
constexpr int64_t newest_us = 253402300799999999;

/// As a daemon's settings are by default, but for any time.
mr_limits wide_limits();

/// What the parser says of a line, with copies of all texts.
struct verdict {
  int32_t code = 0;
  mr_event event = {};
  std::string message;
  std::string event_type, payload, conversation_id, question, response, source, metadata;

  verdict(mr_parser *parser, const uint8_t *bytes, size_t length, const mr_limits &limits);
  bool is_same_event(const verdict &other) const;
};

/// Each gives NULL, or what does not agree.
const char *check_line(std::string_view line);
const char *check_time(std::string_view text);
const char *check_body(std::string_view body);
const char *check_encoder(std::string_view lines);
const char *check_extractor(std::string_view line);
const char *check_finder(std::string_view line);
const char *check_rules(std::string_view line);

mr_parser *shared_parser();

/// Any id; the same for the same save.
void derive_id(int32_t tenant, const uint8_t *conversation_id, size_t conversation_id_length, int64_t created_us,
               const uint8_t *question, size_t question_length, uint8_t *id);

}  // namespace millrace::fuzz

#endif
