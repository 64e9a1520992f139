#include "event_parser.h"

#include <memory>
#include <new>

#include "line_parser.hpp"

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
