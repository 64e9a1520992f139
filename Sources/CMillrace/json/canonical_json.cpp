#include "canonical_json.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "field_extractor.h"
#include "json_number.hpp"
#include "json_text.hpp"
#include "printed_bytes.hpp"

namespace millrace {

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

/// Where each object and array in the value at `at` ends, by the token that it starts with: the one behind it.
std::vector<uint32_t> ends_of(const indexed_json &json, uint32_t at) {
  std::vector<uint32_t> ends(json.count - at, json.count);
  std::vector<uint32_t> open;
  for (uint32_t i = at; i < json.count; i++) {
    uint8_t first = json.first(i);
    if (first == '{' || first == '[') {
      open.push_back(i);
    } else if (first == '}' || first == ']') {
      ends[open.back() - at] = i + 1;
      open.pop_back();
    }
    if (open.empty()) break;
  }
  return ends;
}

/// Prints one value. Without recursion: rows of other writers may be nested as deep as PostgreSQL lets them.
class canonical_printer {
 public:
  canonical_printer(const indexed_json &json, uint32_t at, std::string &out) : json_(json), at_(at), out_(out) {}

  bool print() {
    if (!append_value(at_)) return false;
    while (!open_.empty()) {
      if (!append_next()) return false;
    }
    return true;
  }

 private:
  struct member {
    std::string name;
    uint32_t value;
  };

  /// An object or array that is not closed yet.
  struct container {
    bool is_object;
    /// Of an object, in the order in which they are printed.
    std::vector<member> members;
    /// How many are printed.
    size_t count;
    /// Of an array: the next element, or its bracket.
    uint32_t element;
  };

  const indexed_json &json_;
  uint32_t at_;
  std::string &out_;
  std::vector<uint32_t> ends_;
  std::vector<container> open_;

  /// The token behind the value.
  uint32_t end_of(uint32_t value) {
    if (json_.first(value) != '{' && json_.first(value) != '[') return value + 1;
    if (ends_.empty()) ends_ = ends_of(json_, at_);
    return ends_[value - at_];
  }

  /// False when a number is too long.
  bool append_value(uint32_t value) {
    const uint8_t *start, *end;
    switch (uint8_t first = json_.first(value)) {
      case '{':
      case '[':
        out_ += static_cast<char>(first);
        if (first == '{') open_.push_back({true, members_of(value), 0, 0});
        else open_.push_back({false, {}, 0, value + 1});
        return true;
      case '"':
        json_.string(value, start, end);
        append_quoted(text_of(start, end), out_);
        return true;
      case '-':
      case '0' ... '9':
        json_.scalar(value, start, end);
        return append_number(start, end, out_);
      default:
        json_.scalar(value, start, end);
        out_.append(reinterpret_cast<const char *>(start), static_cast<size_t>(end - start));
        return true;
    }
  }

  /// Appends what comes next in the innermost container: a member, an element, or its bracket.
  bool append_next() {
    container &inner = open_.back();
    uint8_t first = json_.first(inner.element);
    if (inner.is_object ? inner.count == inner.members.size() : first == ']' || first == 0) {
      out_ += inner.is_object ? '}' : ']';
      open_.pop_back();
      return true;
    }
    if (inner.count > 0) out_ += ", ";
    uint32_t value = inner.element;
    if (inner.is_object) {
      const member &next = inner.members[inner.count];
      append_quoted(next.name, out_);
      out_ += ": ";
      value = next.value;
    } else {
      uint32_t behind = end_of(value);
      inner.element = json_.first(behind) == ',' ? behind + 1 : json_.count;
    }
    inner.count++;
    return append_value(value);
  }

  /// By length and bytes of their names; of a name that is there more than once, the last.
  std::vector<member> members_of(uint32_t object) {
    std::vector<member> members;
    for (uint32_t at = object + 1; json_.first(at) == '"' && json_.first(at + 1) == ':' && at + 2 < json_.count;) {
      const uint8_t *start, *end;
      json_.string(at, start, end);
      members.push_back({text_of(start, end), at + 2});
      at = end_of(at + 2);
      if (json_.first(at) == ',') at++;
    }
    std::sort(members.begin(), members.end(), [](const member &one, const member &two) {
      if (one.name.size() != two.name.size()) return one.name.size() < two.name.size();
      int order = one.name.compare(two.name);
      return order != 0 ? order < 0 : one.value > two.value;
    });
    auto is_same = [](const member &one, const member &two) { return one.name == two.name; };
    members.erase(std::unique(members.begin(), members.end(), is_same), members.end());
    return members;
  }
};

}  // namespace

bool append_canonical(const indexed_json &json, uint32_t at, std::string &out) {
  return canonical_printer(json, at, out).print();
}

}  // namespace millrace
