#include "schema_set.hpp"

#include <algorithm>
#include <memory>

#include "grammar/line_parser.hpp"
#include "json_equality.hpp"

namespace millrace {

namespace {

struct parser_deleter {
  void operator()(mr_parser *parser) const { mr_parser_destroy(parser); }
};

/// Makes constants of JSON texts.
class constant_reader {
 public:
  constant_reader() : parser_(mr_parser_create()) {}

  bool read(const std::string &text, schema_constant &out) {
    if (parser_ == nullptr) return false;
    std::string padded = text;
    padded.append(MR_PADDING, '\0');
    auto bytes = reinterpret_cast<const uint8_t *>(padded.data());
    if (text.size() > parser_->stage1->capacity() && !parser_->grow(text.size())) return false;
    if (parser_->stage1->stage1(bytes, text.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS) return false;
    indexed_json json = {bytes, text.size(), parser_->stage1->structural_indexes.get(),
                         parser_->stage1->n_structural_indexes};
    out.is_string = json.first(0) == '"';
    std::string scratch;
    if (out.is_string) out.comparable = unescaped(json, 0, scratch);
    else append_comparable(json, 0, out.comparable);
    return true;
  }

 private:
  std::unique_ptr<mr_parser, parser_deleter> parser_;
};

bool has_any(mr_slice slice) { return slice.count > 0; }

}  // namespace

void schema_set::add(mr_schema_property property) {
  const std::string &name =
      names_.emplace_back(reinterpret_cast<const char *>(property.name.bytes), property.name.length);
  property.name = {reinterpret_cast<const uint8_t *>(name.data()), name.size()};
  properties_.push_back(property);
}

void schema_set::add(const mr_schema &schema) { static_cast<mr_schema &>(nodes_.emplace_back()) = schema; }

bool schema_set::finish() {
  constant_reader reader;
  for (const std::string &text : texts_) {
    if (!reader.read(text, constants_.emplace_back())) return false;
    auto bytes = reinterpret_cast<const uint8_t *>(text.data());
    numbers_.emplace_back().read(bytes, bytes + text.size());
  }
  for (node &node : nodes_) {
    for (uint32_t i = 0; i < node.properties.count; i++) {
      mr_text name = properties(node)[i].name;
      node.names.insert({reinterpret_cast<const char *>(name.bytes), name.length}, i);
    }
    for (uint32_t i = 0; i < node.constants.count; i++) {
      const schema_constant &constant = constants_[node.constants.first + i];
      if (constant.is_string) node.texts.insert(constant.comparable, i);
    }
    node.has_parts = has_any(node.all_of) || has_any(node.any_of) || has_any(node.one_of) ||
                     node.not_schema != MR_NONE || node.if_schema != MR_NONE;
    bool bounds_numbers = node.minimum != MR_NONE || node.maximum != MR_NONE || node.exclusive_minimum != MR_NONE ||
                          node.exclusive_maximum != MR_NONE || node.multiple_of != MR_NONE;
    bool tells_integers = ((node.types & MR_TYPE_NUMBER) != 0) != ((node.types & MR_TYPE_INTEGER) != 0);
    node.looks_at_numbers = bounds_numbers || tells_integers;
    node.looks_at_texts = node.min_length > 0 || node.max_length < UINT32_MAX || node.pattern != MR_NONE;
    bound_small_numbers(node);
    node.looks_at_objects = has_any(node.properties) || has_any(node.pattern_properties) ||
                            node.additional_properties != MR_NONE || node.property_names != MR_NONE ||
                            node.min_properties > 0 || node.max_properties < UINT32_MAX;
    node.looks_at_arrays = has_any(node.prefix_items) || node.items != MR_NONE || node.contains != MR_NONE ||
                           node.min_items > 0 || node.max_items < UINT32_MAX || node.wants_unique_items;
    look_once(node);
  }
  return true;
}

/// Without them where a bound is no such number itself, or where there is more to look at.
void schema_set::bound_small_numbers(node &node) const {
  int64_t least = INT64_MIN, most = INT64_MAX;
  if (node.multiple_of != MR_NONE) return;
  for (int32_t bound : {node.minimum, node.exclusive_minimum}) {
    if (bound == MR_NONE) continue;
    if (!number(bound).is_small()) return;
    least = std::max(least, number(bound).small() + (bound == node.exclusive_minimum));
  }
  for (int32_t bound : {node.maximum, node.exclusive_maximum}) {
    if (bound == MR_NONE) continue;
    if (!number(bound).is_small()) return;
    most = std::min(most, number(bound).small() - (bound == node.exclusive_maximum));
  }
  node.small_least = least;
  node.small_most = most;
}

void schema_set::look_once(node &node) const {
  if (node.has_parts || node.properties.count > 64) return;
  if (has_any(node.pattern_properties) || has_any(node.dependencies) || node.property_names != MR_NONE) return;
  if (node.min_properties > 0 || node.max_properties < UINT32_MAX) return;
  if (has_any(node.prefix_items) || node.contains != MR_NONE || node.wants_unique_items) return;
  node.is_closed = node.additional_properties != MR_NONE;
  if (node.is_closed && nodes_[static_cast<size_t>(node.additional_properties)].types != 0) return;
  for (uint32_t i = 0; i < node.properties.count; i++) {
    const mr_schema_property &property = properties(node)[i];
    if (node.is_closed && !property.is_declared) return;
    if (property.is_required) node.required |= uint64_t{1} << i;
  }
  node.is_plain = true;
}

}  // namespace millrace
