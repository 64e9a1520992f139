#include <vector>

#include "bytes.hpp"
#include "checks.hpp"
#include "field_finder.h"

namespace millrace::fuzz {

namespace {

mr_text text(std::string_view of) { return {reinterpret_cast<const uint8_t *>(of.data()), of.size()}; }
constexpr mr_text any = {nullptr, 0};

mr_finder *make_finder() {
  mr_finder *finder = mr_finder_create();
  uint32_t events = mr_finder_scope(finder, MR_KIND_EVENT, any);
  uint32_t saves = mr_finder_scope(finder, MR_KIND_CONVERSATION, any);
  auto add = [finder](uint32_t scope, std::vector<mr_text> names, uint8_t action) {
    mr_finder_add(finder, scope, names.data(), names.size(), action, 0);
  };
  add(events, {text("payload"), text("a")}, MR_FIELD_DROP);
  add(events, {text("payload"), any, text("b")}, MR_FIELD_REPLACE);
  add(events, {text("payload"), text("items"), any, text("id")}, MR_FIELD_DROP);
  add(events, {text("payload"), text("items"), text("0")}, MR_FIELD_DROP);
  add(events, {text("payload"), text("")}, MR_FIELD_REPLACE);
  mr_finder_mark_end(finder, events, text("payload"));
  add(saves, {text("question")}, MR_FIELD_REPLACE);
  add(saves, {text("metadata"), any}, MR_FIELD_DROP);
  mr_finder_mark_end(finder, saves, text("metadata"));
  return finder;
}

}  // namespace

const char *check_finder(std::string_view line) {
  static mr_finder *finder = make_finder();
  padded_copy copy(line, 0, "x");
  verdict accepted(shared_parser(), copy.start(), copy.length(), wide_limits());
  if (accepted.code != MR_ACCEPTED) return nullptr;
  const mr_found *found;
  size_t count;
  if (!mr_find(finder, shared_parser(), copy.start(), copy.length(), &accepted.event, &found, &count)) {
    return "there is no memory to find anything";
  }
  std::string out;
  size_t end = 0;
  for (size_t i = 0; i < count; i++) {
    if (found[i].start < end || found[i].end < found[i].start || found[i].end > line.size()) {
      return "what is found is not in order, or not in the line";
    }
    out += line.substr(end, found[i].start - end);
    switch (found[i].what) {
      case MR_FOUND_VALUE: out += "\"replaced\""; break;
      case MR_FOUND_NULL: out += "null"; break;
      case MR_FOUND_END: out += found[i].first ? ",\"index\":1" : "\"index\":1"; break;
      default: break;
    }
    end = found[i].end;
  }
  out += line.substr(end);
  padded_copy replaced(out, 0, "x");
  verdict again(shared_parser(), replaced.start(), replaced.length(), wide_limits());
  // What takes a value's place may be longer than the largest payload.
  if (again.code == MR_PAYLOAD_TOO_LARGE || again.code == MR_NESTING_TOO_DEEP) return nullptr;
  if (again.code != MR_ACCEPTED) return "a line is none any more once its values are replaced";
  if (again.event.kind != accepted.event.kind || again.event_type != accepted.event_type) {
    return "a line is another one once its values are replaced";
  }
  return nullptr;
}

}  // namespace millrace::fuzz
