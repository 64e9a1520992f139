#include "canonical_json.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "field_extractor.h"
#include "json_number.hpp"
#include "json_text.hpp"
#include "printed_bytes.hpp"

namespace millrace {

uint32_t indexed_json::behind(uint32_t at) const {
  uint32_t depth = 0;
  do {
    switch (first(at)) {
      case '{':
      case '[': depth++; break;
      case '}':
      case ']': depth--; break;
      default: break;
    }
    at++;
  } while (depth > 0 && at < count);
  return at;
}

void indexed_json::string(uint32_t at, const uint8_t *&start, const uint8_t *&end) const {
  start = bytes + structurals[at] + 1;
  end = bytes + next_offset(at) - 1;
  while (end > start && is_space(*end)) end--;
}

void indexed_json::scalar(uint32_t at, const uint8_t *&start, const uint8_t *&end) const {
  start = bytes + structurals[at];
  end = bytes + next_offset(at);
  while (end > start && is_space(end[-1])) end--;
}

bool append_number(const uint8_t *start, const uint8_t *end, std::string &out) {
  auto append = [&out](const uint8_t *from, const uint8_t *to) {
    out.append(reinterpret_cast<const char *>(from), static_cast<size_t>(to - from));
    return true;
  };
  json_number number;
  if (!scan_number(start, end, number)) return append(start, end);
  bool may_be_long = number.exponent != nullptr || end - start > MR_NUMBER_TEXT_BYTES_MAX;
  if (may_be_long && printed_bytes(number, start) > MR_NUMBER_TEXT_BYTES_MAX) return false;
  bool is_zero = std::all_of(number.whole, number.fraction_end, [](uint8_t c) { return c == '0' || c == '.'; });
  if (number.exponent == nullptr) return append(number.is_negative && is_zero ? start + 1 : start, end);
  int64_t exponent = 0;
  // fits_numeric has refused what is longer.
  for (const uint8_t *at = number.exponent; at < number.end && exponent < 1000000; at++) {
    exponent = exponent * 10 + (*at - '0');
  }
  if (number.exponent_is_negative) exponent = -exponent;
  int64_t scale = std::max<int64_t>(0, number.fraction_end - number.fraction - exponent);
  if (is_zero) {
    out += '0';
    if (scale > 0) out.append(1, '.').append(static_cast<size_t>(scale), '0');
    return true;
  }
  std::string digits(reinterpret_cast<const char *>(number.whole), static_cast<size_t>(number.whole_end - number.whole));
  int64_t point = static_cast<int64_t>(digits.size()) + exponent;
  digits.append(reinterpret_cast<const char *>(number.fraction),
                static_cast<size_t>(number.fraction_end - number.fraction));
  if (point <= 0) {
    digits.insert(0, static_cast<size_t>(1 - point), '0');
    point = 1;
  } else if (point > static_cast<int64_t>(digits.size())) {
    digits.append(static_cast<size_t>(point) - digits.size(), '0');
  }
  size_t zeros = 0;
  while (static_cast<int64_t>(zeros) + 1 < point && digits[zeros] == '0') zeros++;
  if (number.is_negative) out += '-';
  out.append(digits, zeros, static_cast<size_t>(point) - zeros);
  if (scale > 0) out.append(1, '.').append(digits, static_cast<size_t>(point), static_cast<size_t>(scale));
  return true;
}

namespace {

std::string text_of(const uint8_t *start, const uint8_t *end) {
  std::string text(static_cast<size_t>(end - start), '\0');
  auto out = reinterpret_cast<uint8_t *>(text.data());
  text.resize(static_cast<size_t>(unescape(start, end, out) - out));
  return text;
}

void append_quoted(const std::string &text, std::string &out) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          constexpr const char *digits = "0123456789abcdef";
          out.append("\\u00").append(1, digits[c >> 4]).append(1, digits[c & 15]);
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

bool append_object(const indexed_json &json, uint32_t at, std::string &out) {
  struct member {
    std::string name;
    uint32_t value;
  };
  std::vector<member> members;
  for (at++; json.first(at) == '"';) {
    const uint8_t *start, *end;
    json.string(at, start, end);
    members.push_back({text_of(start, end), at + 2});
    at = json.behind(at + 2);
    if (json.first(at) == ',') at++;
  }
  std::sort(members.begin(), members.end(), [](const member &one, const member &two) {
    if (one.name.size() != two.name.size()) return one.name.size() < two.name.size();
    int order = one.name.compare(two.name);
    return order != 0 ? order < 0 : one.value < two.value;
  });
  out += '{';
  bool is_first = true;
  for (size_t i = 0; i < members.size(); i++) {
    if (i + 1 < members.size() && members[i].name == members[i + 1].name) continue;
    if (!is_first) out += ", ";
    is_first = false;
    append_quoted(members[i].name, out);
    out += ": ";
    if (!append_canonical(json, members[i].value, out)) return false;
  }
  out += '}';
  return true;
}

}  // namespace

bool append_canonical(const indexed_json &json, uint32_t at, std::string &out) {
  const uint8_t *start, *end;
  switch (json.first(at)) {
    case '{': return append_object(json, at, out);
    case '[':
      out += '[';
      for (at++; json.first(at) != ']' && json.first(at) != 0;) {
        if (!append_canonical(json, at, out)) return false;
        at = json.behind(at);
        if (json.first(at) != ',') break;
        out += ", ";
        at++;
      }
      out += ']';
      return true;
    case '"':
      json.string(at, start, end);
      append_quoted(text_of(start, end), out);
      return true;
    case '-':
    case '0' ... '9':
      json.scalar(at, start, end);
      return append_number(start, end, out);
    default:
      json.scalar(at, start, end);
      out.append(reinterpret_cast<const char *>(start), static_cast<size_t>(end - start));
      return true;
  }
}

}  // namespace millrace
