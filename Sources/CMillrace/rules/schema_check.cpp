#include "schema_check.hpp"

#include <algorithm>
#include <cstring>

#include "grammar/refusal.hpp"
#include "json/json_text.hpp"

namespace millrace {

namespace {

/// Values of properties that are looked up without memory of their own.
constexpr uint32_t properties_inline_max = 48;

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += (c & 0xC0) != 0x80;
  return count;
}

}  // namespace

/// Most values fit plain schemas: one pass over such a value finds the token behind it. Else, or where that takes a closer
/// look, it returns 0.
uint32_t schema_check::end_of_fitting(int32_t schema, uint32_t at) {
  const schema_set::node &node = schemas_[schema];
  if (!node.is_plain) return 0;
  switch (json_.first(at)) {
    case '"':
      if (!(node.types & MR_TYPE_STRING)) return 0;
      if (node.looks_at_texts && !fits_string(node, at)) return 0;
      return node.has_constants && node.texts.find(text(at)) == text_table::none ? 0 : at + 1;
    case '{':
      if (!(node.types & MR_TYPE_OBJECT) || node.has_constants) return 0;
      return node.looks_at_objects ? end_of_fitting_object(node, at) : json_.behind(at);
    case '[':
      if (!(node.types & MR_TYPE_ARRAY) || node.has_constants) return 0;
      return node.looks_at_arrays ? end_of_fitting_array(node, at) : json_.behind(at);
    case 't':
    case 'f': return node.types & MR_TYPE_BOOLEAN && !node.has_constants ? at + 1 : 0;
    case 'n': return node.types & MR_TYPE_NULL && !node.has_constants ? at + 1 : 0;
    default:
      if (!(node.types & (MR_TYPE_NUMBER | MR_TYPE_INTEGER)) || node.has_constants) return 0;
      if (!node.looks_at_numbers) return at + 1;
      const uint8_t *start, *end;
      json_.scalar(at, start, end);
      return decimal::is_within(start, end, node.types & MR_TYPE_NUMBER, node.small_least, node.small_most) ? at + 1 : 0;
  }
}

uint32_t schema_check::end_of_fitting_object(const schema_set::node &node, uint32_t at) {
  uint64_t seen = 0;
  // Most senders write their members in one order.
  uint32_t guess = 0, key = at + 1;
  while (json_.first(key) == '"') {
    uint32_t value = key + 2, property = node.names.find(json_.bytes + json_.structurals[key], guess);
    if (property == text_table::none) property = node.names.find(text(key));
    int32_t schema = MR_NONE;
    if (property != text_table::none) {
      uint64_t bit = uint64_t{1} << property;
      // Of a name that is there twice, the last one counts.
      if (seen & bit) return 0;
      seen |= bit;
      guess = property + 1;
      schema = schemas_.properties(node)[property].schema;
    } else if (node.is_closed) {
      return 0;
    }
    key = schema == MR_NONE ? json_.behind(value) : end_of_fitting(schema, value);
    if (key == 0) return 0;
    if (json_.first(key) == ',') key++;
  }
  return (node.required & ~seen) == 0 ? key + 1 : 0;
}

uint32_t schema_check::end_of_fitting_array(const schema_set::node &node, uint32_t at) {
  uint32_t count = 0, item = at + 1;
  for (; json_.first(item) != ']'; count++) {
    item = node.items == MR_NONE ? json_.behind(item) : end_of_fitting(node.items, item);
    if (item == 0) return 0;
    if (json_.first(item) == ',') item++;
  }
  return count >= node.min_items && count <= node.max_items ? item + 1 : 0;
}

bool schema_check::fits(int32_t schema, uint32_t at) {
  const schema_set::node &node = schemas_[schema];
  switch (json_.first(at)) {
    case '"':
      if (!(node.types & MR_TYPE_STRING)) return fail(node, MR_KEYWORD_TYPE);
      if (node.looks_at_texts && !fits_string(node, at)) return false;
      break;
    case '{':
      if (!(node.types & MR_TYPE_OBJECT)) return fail(node, MR_KEYWORD_TYPE);
      if (node.looks_at_objects && !fits_object(node, at)) return false;
      break;
    case '[':
      if (!(node.types & MR_TYPE_ARRAY)) return fail(node, MR_KEYWORD_TYPE);
      if (node.looks_at_arrays && !fits_array(node, at)) return false;
      break;
    case 't':
    case 'f':
      if (!(node.types & MR_TYPE_BOOLEAN)) return fail(node, MR_KEYWORD_TYPE);
      break;
    case 'n':
      if (!(node.types & MR_TYPE_NULL)) return fail(node, MR_KEYWORD_TYPE);
      break;
    default:
      if (!(node.types & (MR_TYPE_NUMBER | MR_TYPE_INTEGER))) return fail(node, MR_KEYWORD_TYPE);
      if (!node.looks_at_numbers) break;
      const uint8_t *start, *end;
      json_.scalar(at, start, end);
      int64_t small;
      if (decimal::read_small(start, end, small) && small >= node.small_least && small <= node.small_most) break;
      decimal number;
      if (!number.read(start, end) || !fits_number(node, number)) return false;
  }
  if (node.has_constants && !fits_constants(node, at)) return fail(node, MR_KEYWORD_ENUM);
  return !node.has_parts || fits_parts(node, at);
}

bool schema_check::fail(const schema_set::node &node, int32_t keyword) {
  if (explains_) {
    misfit_schema = static_cast<uint32_t>(&node - &schemas_[0]);
    misfit_keyword = keyword == MR_KEYWORD_TYPE && node.types == 0 ? MR_KEYWORD_FALSE : keyword;
  }
  return false;
}

bool schema_check::below_member(uint32_t key) {
  if (!explains_) return false;
  step below = {nullptr, nullptr, 0, true};
  json_.string(key, below.start, below.end);
  steps_.push_back(below);
  return false;
}

bool schema_check::below_property(const mr_schema_property &property) {
  if (explains_) steps_.push_back({property.name.bytes, property.name.bytes + property.name.length, 0, false});
  return false;
}

bool schema_check::below_item(uint32_t item) {
  if (explains_) steps_.push_back({nullptr, nullptr, item, false});
  return false;
}

bool schema_check::fits_quietly(int32_t schema, uint32_t at) {
  bool explained = explains_;
  explains_ = false;
  bool result = fits(schema, at);
  explains_ = explained;
  return result;
}

bool schema_check::fits_constants(const schema_set::node &node, uint32_t at) {
  if (json_.first(at) == '"') return node.texts.find(text(at)) != text_table::none;
  std::string comparable;
  append_comparable(json_, at, comparable);
  for (uint32_t i = 0; i < node.constants.count; i++) {
    const schema_constant &constant = schemas_.constant(node.constants.first + i);
    if (!constant.is_string && constant.comparable == comparable) return true;
  }
  return false;
}

bool schema_check::fits_string(const schema_set::node &node, uint32_t at) {
  std::string_view text = this->text(at);
  // A character has one to four bytes.
  if (text.size() > node.max_length || text.size() < size_t{node.min_length} * 4) {
    size_t length = count_code_points(text);
    if (length < node.min_length) return fail(node, MR_KEYWORD_MIN_LENGTH);
    if (length > node.max_length) return fail(node, MR_KEYWORD_MAX_LENGTH);
  }
  if (node.pattern == MR_NONE || schemas_.pattern(static_cast<uint32_t>(node.pattern)).matches(text)) return true;
  return fail(node, MR_KEYWORD_PATTERN);
}

bool schema_check::fits_number(const schema_set::node &node, const decimal &number) {
  if (!(node.types & MR_TYPE_NUMBER) && !number.is_integer()) return fail(node, MR_KEYWORD_TYPE);
  auto compared = [&](int32_t bound) { return number.compare(schemas_.number(bound)); };
  if (node.minimum != MR_NONE && compared(node.minimum) < 0) return fail(node, MR_KEYWORD_MINIMUM);
  if (node.maximum != MR_NONE && compared(node.maximum) > 0) return fail(node, MR_KEYWORD_MAXIMUM);
  if (node.exclusive_minimum != MR_NONE && compared(node.exclusive_minimum) <= 0) {
    return fail(node, MR_KEYWORD_EXCLUSIVE_MINIMUM);
  }
  if (node.exclusive_maximum != MR_NONE && compared(node.exclusive_maximum) >= 0) {
    return fail(node, MR_KEYWORD_EXCLUSIVE_MAXIMUM);
  }
  if (node.multiple_of == MR_NONE || number.is_multiple_of(schemas_.number(node.multiple_of))) return true;
  return fail(node, MR_KEYWORD_MULTIPLE_OF);
}

bool schema_check::fits_object(const schema_set::node &node, uint32_t at) {
  if (node.properties.count <= properties_inline_max) {
    uint32_t values[properties_inline_max];
    std::fill_n(values, node.properties.count, 0);
    return fits_members(node, at, values) && fits_properties(node, at, values);
  }
  std::vector<uint32_t> values(node.properties.count, 0);
  return fits_members(node, at, values.data()) && fits_properties(node, at, values.data());
}

/// Looks at the members one by one, and notes in `values` where the schema's properties have theirs: of a name that is there
/// twice, the last one, as jsonb does.
bool schema_check::fits_members(const schema_set::node &node, uint32_t at, uint32_t *values) {
  uint32_t count = 0;
  for (uint32_t key = at + 1; json_.first(key) == '"'; count++) {
    std::string_view name = text(key);
    uint32_t value = key + 2;
    uint32_t property = node.names.find(name);
    bool is_declared = false;
    if (property != text_table::none) {
      values[property] = value;
      is_declared = schemas_.properties(node)[property].is_declared;
    }
    for (uint32_t i = 0; i < node.pattern_properties.count; i++) {
      const auto &wanted = schemas_.pattern_property(node.pattern_properties.first + i);
      if (i > 0) name = text(key);
      if (!schemas_.pattern(wanted.pattern).matches(name)) continue;
      is_declared = true;
      if (wanted.schema != MR_NONE && !fits(wanted.schema, value)) return below_member(key);
    }
    if (!is_declared && node.additional_properties != MR_NONE) {
      if (schemas_[node.additional_properties].types == 0) {
        fail(node, MR_KEYWORD_ADDITIONAL_PROPERTIES);
        return below_member(key);
      }
      if (!fits(node.additional_properties, value)) return below_member(key);
    }
    if (node.property_names != MR_NONE && !fits_quietly(node.property_names, key)) {
      fail(node, MR_KEYWORD_PROPERTY_NAMES);
      return below_member(key);
    }
    uint8_t first = json_.first(value);
    key = first == '{' || first == '[' ? json_.behind(value) : value + 1;
    if (json_.first(key) == ',') key++;
  }
  // A name that is there twice is one member; there are no more of those than were counted.
  bool may_fit = count >= node.min_properties;
  if (may_fit && (node.min_properties > 0 || count > node.max_properties)) count = distinct_members(at);
  if (count < node.min_properties) return fail(node, MR_KEYWORD_MIN_PROPERTIES);
  if (count > node.max_properties) return fail(node, MR_KEYWORD_MAX_PROPERTIES);
  return true;
}

bool schema_check::fits_properties(const schema_set::node &node, uint32_t at, const uint32_t *values) {
  const mr_schema_property *properties = schemas_.properties(node);
  for (uint32_t i = 0; i < node.properties.count; i++) {
    const mr_schema_property &property = properties[i];
    if (values[i] == 0) {
      if (!property.is_required) continue;
      fail(node, MR_KEYWORD_REQUIRED);
      return below_property(property);
    }
    if (property.schema != MR_NONE && !fits(property.schema, values[i])) return below_property(property);
  }
  for (uint32_t i = 0; i < node.dependencies.count; i++) {
    const mr_schema_dependency &wanted = schemas_.dependency(node.dependencies.first + i);
    if (values[wanted.property] == 0) continue;
    if (wanted.schema != MR_NONE && !fits(wanted.schema, at)) return false;
    if (wanted.other == MR_NONE || values[wanted.other] != 0) continue;
    fail(node, MR_KEYWORD_DEPENDENT_REQUIRED);
    return below_property(properties[wanted.other]);
  }
  return true;
}

bool schema_check::fits_array(const schema_set::node &node, uint32_t at) {
  uint32_t count = 0, contained = 0;
  for (uint32_t item = at + 1; json_.first(item) != ']' && json_.first(item) != 0; count++) {
    int32_t schema = count < node.prefix_items.count ? schemas_.child(node.prefix_items.first + count) : node.items;
    if (schema != MR_NONE && !fits(schema, item)) return below_item(count);
    if (node.contains != MR_NONE && fits_quietly(node.contains, item)) contained++;
    item = json_.behind(item);
    if (json_.first(item) == ',') item++;
  }
  if (count < node.min_items) return fail(node, MR_KEYWORD_MIN_ITEMS);
  if (count > node.max_items) return fail(node, MR_KEYWORD_MAX_ITEMS);
  if (node.contains != MR_NONE) {
    if (contained < node.min_contains) return fail(node, MR_KEYWORD_CONTAINS);
    if (contained > node.max_contains) return fail(node, MR_KEYWORD_MAX_CONTAINS);
  }
  if (node.wants_unique_items && count > 1 && !has_unique_items(json_, at)) return fail(node, MR_KEYWORD_UNIQUE_ITEMS);
  return true;
}

bool schema_check::fits_parts(const schema_set::node &node, uint32_t at) {
  for (uint32_t i = 0; i < node.all_of.count; i++) {
    if (!fits(schemas_.child(node.all_of.first + i), at)) return false;
  }
  auto count_fitting = [&](mr_slice choices, uint32_t max) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < choices.count && count < max; i++) {
      count += fits_quietly(schemas_.child(choices.first + i), at);
    }
    return count;
  };
  if (node.any_of.count > 0 && count_fitting(node.any_of, 1) == 0) return fail(node, MR_KEYWORD_ANY_OF);
  if (node.one_of.count > 0 && count_fitting(node.one_of, 2) != 1) return fail(node, MR_KEYWORD_ONE_OF);
  if (node.not_schema != MR_NONE && fits_quietly(node.not_schema, at)) return fail(node, MR_KEYWORD_NOT);
  if (node.if_schema == MR_NONE) return true;
  int32_t next = fits_quietly(node.if_schema, at) ? node.then_schema : node.else_schema;
  return next == MR_NONE || fits(next, at);
}

uint32_t schema_check::distinct_members(uint32_t at) const {
  std::vector<std::string> names;
  std::string scratch;
  for (uint32_t key = at + 1; json_.first(key) == '"';) {
    names.emplace_back(unescaped(json_, key, scratch));
    key = json_.behind(key + 2);
    if (json_.first(key) == ',') key++;
  }
  std::sort(names.begin(), names.end());
  return static_cast<uint32_t>(std::unique(names.begin(), names.end()) - names.begin());
}

void schema_check::write_path(const char *root, char *out, size_t size) const {
  std::string path = root;
  for (size_t i = steps_.size(); i > 0; i--) {
    const step &step = steps_[i - 1];
    path += '/';
    if (step.start == nullptr) {
      path += std::to_string(step.item);
      continue;
    }
    std::string name(reinterpret_cast<const char *>(step.start), static_cast<size_t>(step.end - step.start));
    if (step.is_of_line) {
      auto bytes = reinterpret_cast<uint8_t *>(name.data());
      name.resize(static_cast<size_t>(unescape(step.start, step.end, bytes) - bytes));
    }
    quotation quoted(reinterpret_cast<const uint8_t *>(name.data()), name.size());
    for (const char *c = quoted.text; *c != 0; c++) {
      if (*c == '~') path += "~0";
      else if (*c == '/') path += "~1";
      else path += *c;
    }
  }
  size_t length = std::min(path.size(), size - 1);
  if (length < path.size()) {
    while (length > 0 && (path[length] & 0xC0) == 0x80) length--;
  }
  memcpy(out, path.data(), length);
  out[length] = 0;
}

}  // namespace millrace
