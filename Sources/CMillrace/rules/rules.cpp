#include "rules.h"

#include <algorithm>
#include <new>
#include <random>

#include "grammar/line_parser.hpp"
#include "schema_check.hpp"
#include "schema_set.hpp"
#include "text_table.hpp"

using namespace millrace;

namespace {

std::string_view view(mr_text text) { return {reinterpret_cast<const char *>(text.bytes), text.length}; }

/// The part of `type` up to its last dot before `end`, that one included; empty when there is none.
std::string_view prefix_before(std::string_view type, size_t end) {
  size_t dot = end == 0 ? std::string_view::npos : type.rfind('.', end - 1);
  return dot == std::string_view::npos ? std::string_view() : type.substr(0, dot + 1);
}

/// Event types by their names and by what they begin with.
class type_map {
 public:
  void insert(const mr_type_name &name, uint32_t number) {
    (name.is_prefix ? prefixes_ : names_).insert(view(name.text), number);
  }

  /// Of the name itself, else of the longest beginning; `text_table::none` where there is neither.
  uint32_t find(std::string_view type) const {
    uint32_t found = names_.find(type);
    if (found != text_table::none) return found;
    for (auto prefix = prefix_before(type, type.size()); !prefix.empty();) {
      found = prefixes_.find(prefix);
      if (found != text_table::none) return found;
      prefix = prefix_before(type, prefix.size() - 1);
    }
    return text_table::none;
  }

 private:
  text_table names_;
  text_table prefixes_;
};

bool covers(const mr_type_name &pattern, const mr_type_name &name) {
  std::string_view wanted = view(pattern.text), found = view(name.text);
  if (!pattern.is_prefix) return !name.is_prefix && wanted == found;
  return found.substr(0, wanted.size()) == wanted;
}

struct rule : mr_rule {
  type_map allowed_types;
  type_map denied_types;
};

}  // namespace

struct mr_rules {
  schema_set schemas;
  std::vector<rule> rules;
  std::vector<int32_t> tenants;
  std::deque<std::string> texts;
  std::vector<mr_type_name> type_names;

  /// Rules about events, in their order: by type, each of the lists all that apply to it.
  type_map lists_by_type;
  std::vector<std::vector<uint32_t>> lists;
  /// For types that no rule names, and for conversation saves.
  std::vector<uint32_t> of_other_types;
  std::vector<uint32_t> of_saves;

  void add(mr_type_name name) {
    const std::string &held = texts.emplace_back(view(name.text));
    name.text = {reinterpret_cast<const uint8_t *>(held.data()), held.size()};
    type_names.push_back(name);
  }

  bool finish() {
    for (rule &rule : rules) {
      for (uint32_t t = 0; t < rule.allowed.count; t++) rule.allowed_types.insert(type_names[rule.allowed.first + t], 0);
      for (uint32_t t = 0; t < rule.denied.count; t++) rule.denied_types.insert(type_names[rule.denied.first + t], 0);
    }
    for (uint32_t i = 0; i < rules.size(); i++) list(i);
    return schemas.finish();
  }

  void list(uint32_t index) {
    const rule &rule = rules[index];
    if (rule.kind == MR_KIND_CONVERSATION) return of_saves.push_back(index);
    if (rule.types.count == 0) of_other_types.push_back(index);
    for (uint32_t t = 0; t < rule.types.count; t++) {
      const mr_type_name &name = type_names[rule.types.first + t];
      std::vector<uint32_t> applying;
      for (uint32_t i = 0; i < rules.size(); i++) {
        if (rules[i].kind == MR_KIND_EVENT && applies(rules[i], name)) applying.push_back(i);
      }
      lists_by_type.insert(name, static_cast<uint32_t>(lists.size()));
      lists.push_back(std::move(applying));
    }
  }

  /// To all types that `name` stands for.
  bool applies(const rule &rule, const mr_type_name &name) const {
    if (rule.types.count == 0) return true;
    for (uint32_t t = 0; t < rule.types.count; t++) {
      if (covers(type_names[rule.types.first + t], name)) return true;
    }
    return false;
  }

  bool is_about(const rule &rule, int32_t tenant) const {
    if (rule.tenants.count == 0) return true;
    auto first = tenants.begin() + rule.tenants.first;
    return std::find(first, first + rule.tenants.count, tenant) != first + rule.tenants.count;
  }
};

namespace {

/// One line before the rules.
class line_judge {
 public:
  line_judge(const mr_rules &rules, mr_parser &parser, const uint8_t *line, size_t length, const mr_event &event,
             mr_verdict &verdict)
      : rules_(rules),
        parser_(parser),
        json_{line, length, parser.stage1->structural_indexes.get(), parser.stage1->n_structural_indexes},
        event_(event),
        verdict_(verdict) {}

  bool judge(int32_t tenant, bool samples) {
    std::string_view type = view(event_.event_type);
    for (uint32_t index : list(type)) {
      const rule &rule = rules_.rules[index];
      if (!rules_.is_about(rule, tenant)) continue;
      if (rule.has_allowed && rule.allowed_types.find(type) == text_table::none) return decide(index, MR_LINE_DENIED);
      if (rule.denied.count > 0 && rule.denied_types.find(type) != text_table::none) {
        return decide(index, MR_LINE_DENIED);
      }
      if (samples && rule.sample_below != 0 && hash(rule) >= rule.sample_below) {
        return decide(index, MR_LINE_SAMPLED_OUT);
      }
      if (rule.schema != MR_NONE && !fits(rule)) return decide(index, MR_LINE_MISFIT);
    }
    return true;
  }

 private:
  const mr_rules &rules_;
  mr_parser &parser_;
  indexed_json json_;
  const mr_event &event_;
  mr_verdict &verdict_;

  const std::vector<uint32_t> &list(std::string_view type) const {
    if (event_.kind == MR_KIND_CONVERSATION) return rules_.of_saves;
    uint32_t found = rules_.lists_by_type.find(type);
    return found == text_table::none ? rules_.of_other_types : rules_.lists[found];
  }

  bool decide(uint32_t rule, int32_t outcome) {
    verdict_.rule = rule;
    verdict_.outcome = outcome;
    return false;
  }

  /// An event without the id (or user) that its rule goes by has a number by chance: it is a new one, whenever it is sent.
  uint64_t hash(const rule &rule) {
    if (event_.kind == MR_KIND_CONVERSATION && rule.sample_by == MR_SAMPLE_BY_ID) {
      return mr_xxh64(event_.conversation_id.bytes, event_.conversation_id.length);
    }
    if (rule.sample_by == MR_SAMPLE_BY_USER && event_.has_user_id) return mr_xxh64(event_.user_id, 16);
    if (event_.has_id) return mr_xxh64(event_.id, 16);
    while (parser_.chance == 0) parser_.chance = uint64_t{std::random_device{}()} << 32 | std::random_device{}();
    parser_.chance += 0x9E3779B97F4A7C15;
    return mr_xxh64(reinterpret_cast<const uint8_t *>(&parser_.chance), sizeof parser_.chance);
  }

  bool fits(const rule &rule) {
    if (rule.is_of_line) return fits(rule, json_, 0, "");
    bool is_event = event_.kind == MR_KIND_EVENT;
    mr_text document = is_event ? event_.payload : event_.metadata;
    const char *root = is_event ? "/payload" : "/metadata";
    if (document.bytes >= json_.bytes && document.bytes < json_.bytes + json_.length) {
      const uint32_t *first = json_.structurals, *end = json_.structurals + json_.count;
      auto offset = static_cast<uint32_t>(document.bytes - json_.bytes);
      return fits(rule, json_, static_cast<uint32_t>(std::lower_bound(first, end, offset) - first), root);
    }
    // The line has none: it counts as {}.
    static constexpr uint32_t structurals[] = {0, 1};
    return fits(rule, {document.bytes, document.length, structurals, 2}, 0, root);
  }

  bool fits(const rule &rule, const indexed_json &json, uint32_t at, const char *root) {
    schema_check check(rules_.schemas, json, parser_.scratch);
    if (check.accepts(rule.schema, at)) return true;
    verdict_.schema = check.misfit_schema;
    verdict_.keyword = check.misfit_keyword;
    check.write_path(root, verdict_.path, sizeof verdict_.path);
    return false;
  }
};

}  // namespace

namespace {

/// False when memory runs out.
template <typename Body>
bool unless_starved(Body body) {
  try {
    body();
    return true;
  } catch (const std::bad_alloc &) {
    return false;
  }
}

}  // namespace

mr_rules *mr_rules_create(void) { return new (std::nothrow) mr_rules; }

void mr_rules_destroy(mr_rules *rules) { delete rules; }

bool mr_rules_add_type_name(mr_rules *rules, mr_type_name name) {
  return unless_starved([&] { rules->add(name); });
}

bool mr_rules_add_tenant(mr_rules *rules, int32_t tenant) {
  return unless_starved([&] { rules->tenants.push_back(tenant); });
}

bool mr_rules_add_property(mr_rules *rules, mr_schema_property property) {
  return unless_starved([&] { rules->schemas.add(property); });
}

bool mr_rules_add_pattern_property(mr_rules *rules, mr_schema_pattern_property property) {
  return unless_starved([&] { rules->schemas.add(property); });
}

bool mr_rules_add_dependency(mr_rules *rules, mr_schema_dependency dependency) {
  return unless_starved([&] { rules->schemas.add(dependency); });
}

bool mr_rules_add_child(mr_rules *rules, int32_t schema) {
  return unless_starved([&] { rules->schemas.add_child(schema); });
}

bool mr_rules_add_text(mr_rules *rules, mr_text json) {
  return unless_starved([&] { rules->schemas.add_text(json); });
}

bool mr_rules_add_schema(mr_rules *rules, const mr_schema *schema) {
  return unless_starved([&] { rules->schemas.add(*schema); });
}

bool mr_rules_add_rule(mr_rules *rules, const mr_rule *added) {
  return unless_starved([&] { static_cast<mr_rule &>(rules->rules.emplace_back()) = *added; });
}

bool mr_rules_add_pattern(mr_rules *rules, const uint8_t *classes, size_t class_count, const uint16_t *next,
                          const uint8_t *states, size_t state_count) {
  return unless_starved([&] {
    byte_pattern pattern;
    std::copy(classes, classes + 256, pattern.classes);
    pattern.class_count = class_count;
    pattern.next.assign(next, next + state_count * class_count);
    pattern.states.assign(states, states + state_count);
    rules->schemas.add(std::move(pattern));
  });
}

bool mr_rules_finish(mr_rules *rules) {
  bool is_right = false;
  return unless_starved([&] { is_right = rules->finish(); }) && is_right;
}

bool mr_rules_judge(const mr_rules *rules, mr_parser *parser, const uint8_t *line, size_t length,
                    const mr_event *event, int32_t tenant, bool samples, mr_verdict *verdict) {
  try {
    return line_judge(*rules, *parser, line, length, *event, *verdict).judge(tenant, samples);
  } catch (const std::bad_alloc &) {
    verdict->rule = 0;
    verdict->outcome = MR_LINE_UNJUDGED;
    return false;
  }
}
