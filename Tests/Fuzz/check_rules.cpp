#include <cstring>
#include <vector>

#include "bytes.hpp"
#include "checks.hpp"
#include "rules.h"

namespace millrace::fuzz {

namespace {

mr_text text(std::string_view of) { return {reinterpret_cast<const uint8_t *>(of.data()), of.size()}; }

mr_schema open_schema() {
  mr_schema schema = {};
  schema.types = MR_TYPE_ANY;
  schema.max_length = schema.max_properties = schema.max_items = schema.max_contains = UINT32_MAX;
  schema.min_contains = 1;
  for (int32_t *index :
       {&schema.pattern, &schema.minimum, &schema.maximum, &schema.exclusive_minimum, &schema.exclusive_maximum,
        &schema.multiple_of, &schema.additional_properties, &schema.property_names, &schema.items, &schema.contains,
        &schema.not_schema, &schema.if_schema, &schema.then_schema, &schema.else_schema}) {
    *index = MR_NONE;
  }
  return schema;
}

/// Rules that use every keyword: schemas 0 to 3 are of single values, 4 of all values in an object, 5 of the payload.
class rules_maker {
 public:
  mr_rules *make() {
    rules_ = mr_rules_create();
    for (const char *json : {"-1.5e3", "99999999999999999999", "0.01", "\"\\u00e9\"", "{\"a\":[1,2.0]}", "null"}) {
      mr_rules_add_text(rules_, text(json));
    }
    add_pattern();
    mr_rules_add_property(rules_, {text("a"), 0, true, true});
    mr_rules_add_property(rules_, {text("b"), 1, false, true});
    mr_rules_add_property(rules_, {text("items"), 2, false, true});
    mr_rules_add_property(rules_, {text("c"), MR_NONE, false, false});
    mr_rules_add_dependency(rules_, {1, 3, MR_NONE});
    mr_rules_add_dependency(rules_, {2, MR_NONE, 3});
    mr_rules_add_pattern_property(rules_, {0, 1});
    for (int32_t child : {1, 0, 3, 4}) mr_rules_add_child(rules_, child);

    mr_schema number = open_schema();
    number.types = MR_TYPE_NUMBER | MR_TYPE_INTEGER | MR_TYPE_NULL;
    number.minimum = 0;
    number.exclusive_maximum = 1;
    number.multiple_of = 2;
    mr_rules_add_schema(rules_, &number);
    mr_schema string = open_schema();
    string.min_length = 1;
    string.max_length = 5;
    string.pattern = 0;
    mr_rules_add_schema(rules_, &string);
    mr_schema array = open_schema();
    array.prefix_items = {0, 1};
    array.items = 3;
    array.contains = 0;
    array.min_contains = 0;
    array.max_contains = 2;
    array.max_items = 4;
    array.wants_unique_items = true;
    mr_rules_add_schema(rules_, &array);
    mr_schema constant = open_schema();
    constant.not_schema = 4;
    constant.any_of = {0, 2};
    mr_rules_add_schema(rules_, &constant);
    mr_schema values = open_schema();
    values.has_constants = true;
    values.constants = {3, 3};
    mr_rules_add_schema(rules_, &values);
    mr_schema payload = open_schema();
    payload.properties = {0, 4};
    payload.dependencies = {0, 2};
    payload.pattern_properties = {0, 1};
    payload.additional_properties = 3;
    payload.property_names = 1;
    payload.min_properties = 1;
    payload.max_properties = 6;
    payload.if_schema = 4;
    payload.else_schema = 3;
    mr_rules_add_schema(rules_, &payload);

    mr_rules_add_type_name(rules_, {text("a."), true});
    mr_rules_add_type_name(rules_, {text("deny"), false});
    add_rule(MR_KIND_EVENT, false);
    add_rule(MR_KIND_CONVERSATION, true);
    return mr_rules_finish(rules_) ? rules_ : nullptr;
  }

 private:
  mr_rules *rules_ = nullptr;

  /// `[a-m]`, anywhere.
  void add_pattern() {
    uint8_t classes[256] = {};
    for (int byte = 'a'; byte <= 'm'; byte++) classes[byte] = 1;
    const uint16_t next[] = {0, 1, 1, 1};
    const uint8_t states[] = {0, MR_PATTERN_MATCHES | MR_PATTERN_MATCHES_AT_END};
    mr_rules_add_pattern(rules_, classes, 2, next, states, 2);
  }

  void add_rule(uint8_t kind, bool is_of_line) {
    mr_rule rule = {};
    rule.kind = kind;
    rule.schema = 5;
    rule.is_of_line = is_of_line;
    rule.denied = {0, kind == MR_KIND_EVENT ? 2u : 0u};
    mr_rules_add_rule(rules_, &rule);
  }
};

bool is_same(const mr_verdict &a, const mr_verdict &b) {
  return a.outcome == b.outcome && a.rule == b.rule && a.schema == b.schema && a.keyword == b.keyword &&
         strcmp(a.path, b.path) == 0;
}

}  // namespace

const char *check_rules(std::string_view line) {
  static mr_rules *rules = rules_maker().make();
  if (rules == nullptr) return "the rules are wrong";
  padded_copy copy(line, 0, "x");
  mr_event event;
  mr_refusal refusal;
  mr_limits limits = wide_limits();
  mr_parser *parser = shared_parser();
  if (mr_parse(parser, copy.start(), copy.length(), &limits, &event, &refusal) != MR_ACCEPTED) return nullptr;
  mr_verdict first = {}, second = {};
  bool fits = mr_rules_judge(rules, parser, copy.start(), copy.length(), &event, 0, true, &first);
  bool fits_again = mr_rules_judge(rules, parser, copy.start(), copy.length(), &event, 0, true, &second);
  if (fits != fits_again || !is_same(first, second)) return "the rules say two things of one line";
  if (fits) return nullptr;
  if (first.outcome == MR_LINE_UNJUDGED) return "the rules had no memory";
  if (memchr(first.path, 0, sizeof first.path) == nullptr) return "a verdict's path has no end";
  if (first.outcome == MR_LINE_MISFIT && first.schema > 5) return "a verdict names a schema that is not there";
  return nullptr;
}

}  // namespace millrace::fuzz
