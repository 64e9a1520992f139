#ifndef MILLRACE_SCHEMA_SET_HPP
#define MILLRACE_SCHEMA_SET_HPP

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "decimal.hpp"
#include "rules.h"
#include "text_table.hpp"

namespace millrace {

/// A value that a schema names, with what is compared: of a string its text, of another one as `append_comparable` has it.
struct schema_constant {
  bool is_string;
  std::string comparable;
};

struct byte_pattern {
  uint8_t classes[256];
  size_t class_count;
  std::vector<uint16_t> next;
  std::vector<uint8_t> states;

  /// Looks at each byte once.
  bool matches(std::string_view text) const {
    size_t state = 0;
    if (states[0] & (MR_PATTERN_MATCHES | MR_PATTERN_FAILS)) return states[0] & MR_PATTERN_MATCHES;
    for (char c : text) {
      state = next[state * class_count + classes[static_cast<uint8_t>(c)]];
      if (states[state] & (MR_PATTERN_MATCHES | MR_PATTERN_FAILS)) return states[state] & MR_PATTERN_MATCHES;
    }
    return states[state] & MR_PATTERN_MATCHES_AT_END;
  }
};

/// The schemas of all rules, in memory of their own.
class schema_set {
 public:
  /// What is looked at most stands first.
  struct node_head {
    bool looks_at_numbers = false;
    bool looks_at_objects = false;
    bool looks_at_arrays = false;
    bool looks_at_texts = false;
    /// allOf and the like.
    bool has_parts = false;
    /// All that it says can be seen in one pass, of up to 64 members.
    bool is_plain = false;
    /// Members that it doesn't name don't fit.
    bool is_closed = false;
    /// Whole numbers of up to 18 digits that are surely within the bounds.
    int64_t small_least = 1;
    int64_t small_most = 0;
    /// Members that have to be there, by their places among the properties.
    uint64_t required = 0;
  };

  struct node : node_head, mr_schema {
    text_table names;
    /// Of the constants that are strings.
    text_table texts;
  };

  /// Each of these copies what it is given.
  void add(mr_schema_property property);
  void add(mr_schema_pattern_property property) { pattern_properties_.push_back(property); }
  void add(mr_schema_dependency dependency) { dependencies_.push_back(dependency); }
  void add(byte_pattern pattern) { patterns_.push_back(std::move(pattern)); }
  void add(const mr_schema &schema);
  void add_child(int32_t schema) { children_.push_back(schema); }
  void add_text(mr_text json) { texts_.emplace_back(reinterpret_cast<const char *>(json.bytes), json.length); }

  /// Makes ready what is looked at. False where a text is no JSON.
  bool finish();

  const node &operator[](int32_t schema) const { return nodes_[static_cast<size_t>(schema)]; }
  const mr_schema_property *properties(const node &of) const { return properties_.data() + of.properties.first; }
  const mr_schema_pattern_property &pattern_property(uint32_t index) const { return pattern_properties_[index]; }
  const mr_schema_dependency &dependency(uint32_t index) const { return dependencies_[index]; }
  int32_t child(uint32_t index) const { return children_[index]; }
  const byte_pattern &pattern(uint32_t index) const { return patterns_[index]; }
  /// Of a text that is one; others are not asked for.
  const schema_constant &constant(uint32_t index) const { return constants_[index]; }
  const decimal &number(int32_t index) const { return numbers_[static_cast<size_t>(index)]; }

 private:
  void bound_small_numbers(node &node) const;
  /// Finds whether one pass is enough, and what that goes by.
  void look_once(node &node) const;

  std::vector<node> nodes_;
  std::vector<mr_schema_property> properties_;
  std::vector<mr_schema_pattern_property> pattern_properties_;
  std::vector<mr_schema_dependency> dependencies_;
  std::vector<int32_t> children_;
  std::vector<byte_pattern> patterns_;
  std::vector<schema_constant> constants_;
  std::vector<decimal> numbers_;
  /// What the others point into: elements stay where they are.
  std::deque<std::string> texts_;
  std::deque<std::string> names_;
};

}  // namespace millrace

#endif
