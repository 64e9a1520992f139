#include <algorithm>
#include <vector>

#include "bytes.hpp"
#include "checks.hpp"
#include "field_extractor.h"
#include "plain_json.hpp"

namespace millrace::fuzz {

namespace {

/// What would print longer is left out: it is slow, and nothing else.
constexpr size_t printed_bytes_max = 256 << 10;

mr_text text(std::string_view of) { return {reinterpret_cast<const uint8_t *>(of.data()), of.size()}; }

struct path {
  std::vector<std::string_view> names;
  bool wants_json;
};

/// Like those of the packs, and those that the packs don't have.
const std::vector<path> &paths() {
  static const std::vector<path> all = {
      {{}, false},
      {{}, true},
      {{"comment"}, false},
      {{"a"}, false},
      {{"a"}, true},
      {{"a", "b"}, false},
      {{"a", "0"}, false},
      {{"a", "0", "a"}, true},
      {{"items", "1", "id"}, false},
      {{"metadata", "é"}, false},
      {{""}, false},
  };
  return all;
}

mr_extractor *make_extractor() {
  mr_extractor *extractor = mr_extractor_create();
  uint32_t output = 0;
  for (const path &path : paths()) {
    std::vector<mr_text> names;
    for (std::string_view name : path.names) names.push_back(text(name));
    mr_extractor_add(extractor, names.data(), names.size(), path.wants_json, output++);
  }
  return extractor;
}

/// What an extraction gives; `is_missing` and `is_long` per path.
struct extraction {
  bool is_read = false;
  std::vector<std::string> values;
  std::vector<bool> is_missing;
  std::vector<bool> is_long;

  explicit extraction(std::string_view json) {
    static mr_extractor *extractor = make_extractor();
    std::vector<mr_text> outputs(paths().size());
    // No byte behind it may be read: the extractor copies.
    std::vector<char> alone(json.begin(), json.end());
    is_read = mr_extract(extractor, reinterpret_cast<const uint8_t *>(alone.data()), alone.size(), outputs.data());
    for (const mr_text &output : outputs) {
      is_missing.push_back(output.bytes == nullptr);
      is_long.push_back(output.length == MR_LONG_NUMBERS);
      bool is_text = !is_missing.back() && !is_long.back();
      values.push_back(is_text ? std::string(view(output)) : std::string());
    }
  }
};

/// At least the bytes that exponents add when numbers are printed.
size_t exponents_sum(std::string_view json) {
  size_t sum = 0;
  for (size_t at = json.find_first_of("eE"); at != std::string_view::npos; at = json.find_first_of("eE", at)) {
    at++;
    if (at < json.size() && (json[at] == '-' || json[at] == '+')) at++;
    size_t exponent = 0;
    for (; at < json.size() && json[at] >= '0' && json[at] <= '9'; at++) {
      exponent = std::min<size_t>(exponent * 10 + static_cast<size_t>(json[at] - '0'), 10000000);
    }
    sum += exponent;
  }
  return sum;
}

const char *check_object(std::string_view json) {
  extraction found(json);
  if (!found.is_read) return "an accepted object is not read";
  for (size_t i = 0; i < paths().size(); i++) {
    if (found.is_long[i] && !found.is_long[0]) return "a number is too long alone, but not in the whole";
  }
  if (found.is_long[0]) return nullptr;
  if (!plain_json(found.values[0]).is_valid) return "the printed object is no JSON";
  extraction again(found.values[0]);
  if (!again.is_read) return "the printed object is not read";
  for (size_t i = 0; i < paths().size(); i++) {
    if (found.is_missing[i] != again.is_missing[i]) return "a path leads elsewhere in the printed object";
    if (found.is_missing[i]) continue;
    if (!is_utf8(found.values[i])) return "an extracted text is not UTF-8";
    if (paths()[i].wants_json) {
      if (!plain_json(found.values[i]).is_valid) return "an extracted JSON is none";
    } else if (found.values[i] != again.values[i]) {
      return "a path gives another text in the printed object";
    }
  }
  return nullptr;
}

}  // namespace

const char *check_extractor(std::string_view line) {
  if (exponents_sum(line) > printed_bytes_max) return nullptr;
  // Whatever it is: nothing is read that isn't there.
  extraction anything(line);
  padded_copy copy(line, 0, "x");
  verdict found(shared_parser(), copy.start(), copy.length(), wide_limits());
  if (found.code != MR_ACCEPTED) return nullptr;
  return check_object(found.event.kind == MR_KIND_EVENT ? found.payload : found.metadata);
}

}  // namespace millrace::fuzz
