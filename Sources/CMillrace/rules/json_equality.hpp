#ifndef MILLRACE_JSON_EQUALITY_HPP
#define MILLRACE_JSON_EQUALITY_HPP

#include <cstdint>
#include <string>

#include "json/canonical_json.hpp"

namespace millrace {

/// Appends the value at `at` so that values which are equal give equal bytes, and others other ones: numbers by what they
/// are (1 and 1.0 are equal), objects whatever the order of their members, the last of a name. As deep as the value is.
void append_comparable(const indexed_json &json, uint32_t at, std::string &out);

/// The content of the string at `at`, unescaped; in `scratch` where it has escapes.
std::string_view unescaped(const indexed_json &json, uint32_t at, std::string &scratch);

/// The items of the array at `at` are all different.
bool has_unique_items(const indexed_json &json, uint32_t at);

}  // namespace millrace

#endif
