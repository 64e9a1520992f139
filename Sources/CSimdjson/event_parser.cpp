#include "event_parser.h"

#include <cstdio>
#include <cstring>

#include "line_parser.hpp"
#include "timestamp.hpp"

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
  return millrace::line_parser(parser, bytes, length, *limits, *event, refusal).parse();
}

bool mr_parse_time(const uint8_t *bytes, size_t length, int64_t *microseconds) {
  return millrace::parse_rfc3339(bytes, length, microseconds);
}

void mr_format_time(int64_t microseconds, char out[MR_TIME_BYTES]) {
  // Its last character is the Z that the fraction goes in front of.
  millrace::format_time(microseconds, out);
  size_t end = strlen(out) - 1;
  int64_t fraction = microseconds % millrace::microseconds_per_second;
  if (fraction < 0) fraction += millrace::microseconds_per_second;
  snprintf(out + end, MR_TIME_BYTES - end, ".%06dZ", static_cast<int>(fraction));
}
