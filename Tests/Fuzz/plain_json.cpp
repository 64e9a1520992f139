#include "plain_json.hpp"

#include <cstdint>
#include <vector>

namespace millrace::fuzz {

namespace {

struct reader {
  std::string_view text;
  size_t at = 0;

  bool is_at_end() const { return at == text.size(); }
  /// 0, which JSON has nowhere, at the end.
  char next() const { return is_at_end() ? '\0' : text[at]; }
  bool next_is_digit() const { return next() >= '0' && next() <= '9'; }

  void skip_space() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') at++;
  }

  bool take(std::string_view word) {
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }

  bool take_digits() {
    size_t start = at;
    while (next_is_digit()) at++;
    return at > start;
  }

  bool take_number() {
    take("-");
    if (!take("0") && !take_digits()) return false;
    if (take(".") && !take_digits()) return false;
    if (!take("e") && !take("E")) return true;
    if (!take("+")) take("-");
    return take_digits();
  }

  bool take_hex() {
    for (int i = 0; i < 4; i++, at++) {
      if (std::string_view("0123456789abcdefABCDEF").find(next()) == std::string_view::npos || is_at_end()) return false;
    }
    return true;
  }

  bool take_string() {
    if (!take("\"")) return false;
    while (!is_at_end()) {
      if (take("\"")) return true;
      if (take("\\")) {
        if (take("u")) {
          if (!take_hex()) return false;
        } else if (is_at_end() || std::string_view("\"\\/bfnrt").find(text[at++]) == std::string_view::npos) {
          return false;
        }
      } else if (static_cast<uint8_t>(text[at++]) < 0x20) {
        return false;
      }
    }
    return false;
  }

  bool take_scalar() {
    if (next() == '"') return take_string();
    if (next() == '-' || next_is_digit()) return take_number();
    return take("true") || take("false") || take("null");
  }

  bool take_name() {
    skip_space();
    if (!take_string()) return false;
    skip_space();
    return take(":");
  }

  /// The value at `at`, without recursion: `open` holds the closing brackets that are still wanted.
  bool take_value(plain_json &found) {
    std::vector<char> open;
    while (true) {
      skip_space();
      bool is_object = next() == '{';
      if (is_object || next() == '[') {
        at++;
        open.push_back(is_object ? '}' : ']');
        if (open.size() > found.depth) found.depth = open.size();
        skip_space();
        if (next() != open.back()) {
          if (is_object && !take_name()) return false;
          continue;
        }
      } else {
        if (!take_scalar()) return false;
        if (open.size() == 1) found.elements++;
        if (open.empty()) return true;
      }
      // Behind a value that is inside another, or in front of a bracket that closes at once.
      while (true) {
        skip_space();
        if (take(",")) {
          if (open.back() == '}' && !take_name()) return false;
          break;
        }
        if (next() != open.back() || is_at_end()) return false;
        at++;
        open.pop_back();
        if (open.size() == 1) found.elements++;
        if (open.empty()) return true;
      }
    }
  }
};

}  // namespace

plain_json::plain_json(std::string_view text) {
  reader in{text};
  in.skip_space();
  char start = in.next();
  is_valid = is_utf8(text) && in.take_value(*this);
  in.skip_space();
  is_valid = is_valid && in.is_at_end();
  if (is_valid) first = start;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    auto byte = [&](size_t place) { return static_cast<uint8_t>(text[place]); };
    size_t more = byte(at) < 0x80 ? 0 : byte(at) < 0xC0 ? 4 : byte(at) < 0xE0 ? 1 : byte(at) < 0xF0 ? 2 : 3;
    if (more == 4 || text.size() - at <= more) return false;
    uint32_t point = more == 0 ? byte(at) : byte(at) & (0x3F >> more);
    for (size_t i = 1; i <= more; i++) {
      if (byte(at + i) >> 6 != 2) return false;
      point = point << 6 | (byte(at + i) & 0x3F);
    }
    constexpr uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    if (point < lowest[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000) || byte(at) > 0xF4) return false;
    at += more + 1;
  }
  return true;
}

}  // namespace millrace::fuzz
