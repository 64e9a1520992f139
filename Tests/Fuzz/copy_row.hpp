#ifndef MILLRACE_FUZZ_COPY_ROW_HPP
#define MILLRACE_FUZZ_COPY_ROW_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::fuzz {

/// A value of a row of PostgreSQL's binary COPY, as it is sent.
struct column {
  bool is_null = false;
  std::string value;

  bool operator==(const column &other) const { return is_null == other.is_null && value == other.value; }

  static column null() { return {true, ""}; }
  static column text(std::string_view value) { return {false, std::string(value)}; }
  static column bytes(const uint8_t *value, size_t length) {
    return {false, std::string(reinterpret_cast<const char *>(value), length)};
  }
  static column jsonb(std::string_view value) { return {false, std::string(1, '\1').append(value)}; }
  static column int4(int32_t value) { return number(static_cast<uint64_t>(value), 4); }
  static column int8(int64_t value) { return number(static_cast<uint64_t>(value), 8); }
  static column time(int64_t microseconds) { return int8(microseconds - postgres_epoch_us); }

  /// Microseconds since 1970; of eight bytes.
  int64_t as_time() const {
    uint64_t bits = 0;
    for (char c : value) bits = bits << 8 | static_cast<uint8_t>(c);
    return static_cast<int64_t>(bits) + postgres_epoch_us;
  }

 private:
  static constexpr int64_t postgres_epoch_us = 946684800000000;

  static column number(uint64_t value, int bytes) {
    column made;
    for (int i = bytes - 1; i >= 0; i--) made.value += static_cast<char>(value >> (8 * i));
    return made;
  }
};

/// The bytes of the row that `text` starts with; 0 when it is cut.
inline size_t row_length(std::string_view text) {
  auto number = [&](size_t at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | static_cast<uint8_t>(text[at + static_cast<size_t>(i)]);
    return value;
  };
  if (text.size() < 2) return 0;
  size_t at = 2;
  for (uint32_t left = number(0, 2); left > 0; left--) {
    if (text.size() - at < 4) return 0;
    uint32_t length = number(at, 4);
    at += 4;
    if (length == UINT32_MAX) continue;
    if (length > text.size() - at) return 0;
    at += length;
  }
  return at;
}

/// Takes a row apart; false when it is not exactly one.
inline bool read_row(std::string_view row, std::vector<column> &columns) {
  if (row_length(row) != row.size()) return false;
  for (size_t at = 2; at < row.size();) {
    uint32_t length = 0;
    for (int i = 0; i < 4; i++) length = length << 8 | static_cast<uint8_t>(row[at++]);
    if (length == UINT32_MAX) {
      columns.push_back(column::null());
      continue;
    }
    columns.push_back(column::text(row.substr(at, length)));
    at += length;
  }
  return true;
}

}  // namespace millrace::fuzz

#endif
