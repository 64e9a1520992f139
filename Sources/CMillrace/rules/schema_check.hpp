#ifndef MILLRACE_SCHEMA_CHECK_HPP
#define MILLRACE_SCHEMA_CHECK_HPP

#include <cstring>
#include <string>
#include <vector>

#include "json/canonical_json.hpp"
#include "json_equality.hpp"
#include "schema_set.hpp"

namespace millrace {

/// Checks values of one line against schemas. Recursion is as deep as the schema, whose references make no circle, and,
/// where values are compared, as the value, whose depth is bounded by the parser.
class schema_check {
 public:
  /// `scratch`: for unescaped texts.
  schema_check(const schema_set &schemas, const indexed_json &json, std::string &scratch)
      : schemas_(schemas), json_(json), scratch_(scratch) {
    auto first = static_cast<const uint8_t *>(memchr(json.bytes, '\\', json.length));
    first_backslash_ = first ? first : json.bytes + json.length;
    last_backslash_ = first ? static_cast<const uint8_t *>(memrchr(json.bytes, '\\', json.length)) : json.bytes;
  }

  /// The value at `at` fits. Else `misfit…` say what does not.
  bool accepts(int32_t schema, uint32_t at) { return end_of_fitting(schema, at) != 0 || fits(schema, at); }

  uint32_t misfit_schema = 0;
  int32_t misfit_keyword = 0;

  /// Writes a JSON pointer to the misfit, below `root`, and ends it by NUL.
  void write_path(const char *root, char *out, size_t size) const;

 private:
  /// Of a path: a member's name as the line or the schema has it, or an item's number.
  struct step {
    const uint8_t *start;
    const uint8_t *end;
    uint32_t item;
    bool is_of_line;
  };

  const schema_set &schemas_;
  const indexed_json &json_;
  std::string &scratch_;
  /// The line's end and its start where there is none.
  const uint8_t *first_backslash_;
  const uint8_t *last_backslash_;
  /// Misfits are explained; else nobody wants to know.
  bool explains_ = true;
  /// From the misfit to the root.
  std::vector<step> steps_;

  /// The content of the string at `at`, unescaped; in `scratch_` where it has escapes.
  std::string_view text(uint32_t at) {
    const uint8_t *start, *end;
    json_.string(at, start, end);
    if (end > first_backslash_ && start <= last_backslash_) return unescaped(json_, at, scratch_);
    return {reinterpret_cast<const char *>(start), static_cast<size_t>(end - start)};
  }
  uint32_t end_of_fitting(int32_t schema, uint32_t at);
  uint32_t end_of_fitting_object(const schema_set::node &node, uint32_t at);
  uint32_t end_of_fitting_array(const schema_set::node &node, uint32_t at);
  bool fits(int32_t schema, uint32_t at);
  bool fail(const schema_set::node &node, int32_t keyword);
  bool below_member(uint32_t key);
  bool below_property(const mr_schema_property &property);
  bool below_item(uint32_t item);
  bool fits_quietly(int32_t schema, uint32_t at);
  bool fits_constants(const schema_set::node &node, uint32_t at);
  bool fits_string(const schema_set::node &node, uint32_t at);
  bool fits_number(const schema_set::node &node, const decimal &number);
  bool fits_object(const schema_set::node &node, uint32_t at);
  bool fits_members(const schema_set::node &node, uint32_t at, uint32_t *values);
  bool fits_properties(const schema_set::node &node, uint32_t at, const uint32_t *values);
  bool fits_array(const schema_set::node &node, uint32_t at);
  bool fits_parts(const schema_set::node &node, uint32_t at);
  uint32_t distinct_members(uint32_t at) const;
};

}  // namespace millrace

#endif
