#ifndef MILLRACE_FUZZ_PLAIN_JSON_HPP
#define MILLRACE_FUZZ_PLAIN_JSON_HPP

#include <cstddef>
#include <string_view>

namespace millrace::fuzz {

/// What a checker of RFC 8259 finds that shares no code with the one it judges: a byte at a time, as the RFC's pages read.
struct plain_json {
  explicit plain_json(std::string_view text);

  /// One value with white space around it, in UTF-8.
  bool is_valid = false;
  /// Containers inside each other, at most.
  size_t depth = 0;
  /// The first byte of the value; 0 when it is not valid.
  char first = 0;
  /// Of an array: its elements.
  size_t elements = 0;
};

bool is_utf8(std::string_view text);

}  // namespace millrace::fuzz

#endif
