#include "field_finder.h"

#include <array>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "canonical_json.hpp"
#include "grammar/line_parser.hpp"
#include "json_text.hpp"

using namespace millrace;

namespace {

constexpr uint32_t none = UINT32_MAX;

/// A step of the paths; its children by index, so that the nodes can lie in one vector.
struct step {
  std::string name;
  bool is_any = false;
  uint32_t element = none;
  std::vector<uint32_t> children;
  uint8_t action = UINT8_MAX;
  uint32_t tag = 0;
  bool marks_end = false;
};

/// The steps that lead to one value: the exact one, and those by a step for anything.
struct step_set {
  std::array<const step *, MR_FINDER_WILDCARDS_MAX + 1> steps;
  size_t count = 0;
};

uint32_t element_of(std::string_view name) {
  if (name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0')) return none;
  uint32_t value = 0;
  for (char c : name) {
    if (c < '0' || c > '9') return none;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  return value;
}

struct scope {
  uint8_t kind = 0;
  std::string type;
  /// The first one is the line itself.
  std::vector<step> steps{1};
  uint32_t wildcards = 0;

  uint32_t child(uint32_t parent, const mr_text &wanted) {
    bool is_any = wanted.bytes == nullptr;
    std::string_view name(reinterpret_cast<const char *>(wanted.bytes), is_any ? 0 : wanted.length);
    for (uint32_t index : steps[parent].children) {
      if (steps[index].is_any == is_any && steps[index].name == name) return index;
    }
    auto index = static_cast<uint32_t>(steps.size());
    steps.emplace_back();
    steps[index].name = name;
    steps[index].is_any = is_any;
    steps[index].element = is_any ? none : element_of(name);
    steps[parent].children.push_back(index);
    return index;
  }
};

}  // namespace

struct mr_finder {
  std::vector<scope> scopes;

  const scope *find(uint8_t kind, const mr_text &type) const {
    std::string_view name(reinterpret_cast<const char *>(type.bytes), type.bytes == nullptr ? 0 : type.length);
    const scope *of_all = nullptr;
    for (const scope &candidate : scopes) {
      if (candidate.kind != kind) continue;
      if (candidate.type.empty()) of_all = &candidate;
      else if (candidate.type == name) return &candidate;
    }
    return of_all;
  }
};

namespace {

/// One call of mr_find. Goes no deeper than the paths do.
class finding {
 public:
  finding(const scope &scope, const indexed_json &json, std::vector<mr_found> &found)
      : steps_(scope.steps), json_(json), found_(found) {}

  void run() {
    if (json_.first(0) != '{') return;
    step_set set;
    set.steps[set.count++] = &steps_[0];
    walk_object(0, set);
  }

 private:
  const std::vector<step> &steps_;
  const indexed_json &json_;
  std::vector<mr_found> &found_;

  /// Returns the token behind the value at `at`. Sets `is_dropped` where nothing of it is to stay.
  uint32_t walk(uint32_t at, const step_set &set, bool &is_dropped) {
    const step *strongest = nullptr;
    for (size_t i = 0; i < set.count; i++) {
      const step *candidate = set.steps[i];
      if (candidate->action != UINT8_MAX && (!strongest || candidate->action < strongest->action)) {
        strongest = candidate;
      }
    }
    uint32_t behind = 0;
    if (strongest) {
      behind = json_.behind(at);
      is_dropped = strongest->action == MR_FIELD_DROP;
      if (!is_dropped) add(start_of(at), end_of(at, behind), strongest->tag, MR_FOUND_VALUE, json_.first(at));
      return behind;
    }
    switch (set.count > 0 ? json_.first(at) : 0) {
      case '{': return walk_object(at, set);
      case '[': return walk_array(at, set);
      default: return json_.behind(at);
    }
  }

  uint32_t walk_object(uint32_t at, const step_set &set) {
    size_t first_found = found_.size();
    /// Where the last member that stays ends; 0: none does yet.
    size_t kept_end = 0;
    at++;
    while (json_.first(at) == '"') {
      uint32_t name_at = at;
      step_set below = children_named(at, set);
      bool is_dropped = false;
      uint32_t behind = walk(at + 2, below, is_dropped);
      bool is_last = json_.first(behind) != ',';
      size_t end = end_of(at + 2, behind);
      at = is_last ? behind : behind + 1;
      if (!is_dropped) {
        kept_end = end;
        first_found = found_.size();
        continue;
      }
      if (!is_last) {
        add(start_of(name_at), start_of(at), 0, MR_FOUND_DROP, 0);
      } else {
        // The comma before it goes, too, with all that was dropped since.
        if (kept_end > 0) found_.resize(first_found);
        add(kept_end > 0 ? kept_end : start_of(name_at), end, 0, MR_FOUND_DROP, 0);
      }
    }
    for (size_t i = 0; i < set.count; i++) {
      if (set.steps[i]->marks_end) {
        add(start_of(at), start_of(at), 0, MR_FOUND_END, kept_end > 0);
        break;
      }
    }
    return at + 1;
  }

  uint32_t walk_array(uint32_t at, const step_set &set) {
    at++;
    for (uint32_t element = 0; json_.first(at) != ']' && json_.first(at) != 0; element++) {
      step_set below;
      for (size_t i = 0; i < set.count; i++) {
        for (uint32_t index : set.steps[i]->children) {
          const step &child = steps_[index];
          if (child.is_any || child.element == element) below.steps[below.count++] = &child;
        }
      }
      bool is_dropped = false;
      uint32_t behind = walk(at, below, is_dropped);
      if (is_dropped) add(start_of(at), end_of(at, behind), 0, MR_FOUND_NULL, 0);
      at = json_.first(behind) == ',' ? behind + 1 : behind;
    }
    return at + 1;
  }

  step_set children_named(uint32_t at, const step_set &set) {
    step_set below;
    const uint8_t *start, *end;
    json_.string(at, start, end);
    auto length = static_cast<size_t>(end - start);
    std::string unescaped;
    if (memchr(start, '\\', length) != nullptr) {
      unescaped.resize(length);
      auto out = reinterpret_cast<uint8_t *>(unescaped.data());
      length = static_cast<size_t>(unescape(start, end, out) - out);
      start = out;
    }
    for (size_t i = 0; i < set.count; i++) {
      for (uint32_t index : set.steps[i]->children) {
        const step &child = steps_[index];
        if (child.is_any || (child.name.size() == length && memcmp(child.name.data(), start, length) == 0)) {
          below.steps[below.count++] = &child;
        }
      }
    }
    return below;
  }

  size_t start_of(uint32_t at) const { return at < json_.count ? json_.structurals[at] : json_.length; }

  /// Of the value at `at`, whose last token stands before the one at `behind`.
  size_t end_of(uint32_t at, uint32_t behind) const {
    const uint8_t *start, *end;
    switch (json_.first(at)) {
      case '"': json_.string(at, start, end); return static_cast<size_t>(end - json_.bytes) + 1;
      case '{':
      case '[': return start_of(behind - 1) + 1;
      default: json_.scalar(at, start, end); return static_cast<size_t>(end - json_.bytes);
    }
  }

  void add(size_t start, size_t end, uint32_t tag, uint8_t what, uint8_t first) {
    found_.push_back({start, end, tag, what, first});
  }
};

}  // namespace

mr_finder *mr_finder_create(void) { return new (std::nothrow) mr_finder; }

void mr_finder_destroy(mr_finder *finder) { delete finder; }

uint32_t mr_finder_scope(mr_finder *finder, uint8_t kind, mr_text type) {
  std::string_view name(reinterpret_cast<const char *>(type.bytes), type.bytes == nullptr ? 0 : type.length);
  for (size_t i = 0; i < finder->scopes.size(); i++) {
    if (finder->scopes[i].kind == kind && finder->scopes[i].type == name) return static_cast<uint32_t>(i);
  }
  try {
    finder->scopes.emplace_back();
    finder->scopes.back().kind = kind;
    finder->scopes.back().type = name;
    return static_cast<uint32_t>(finder->scopes.size() - 1);
  } catch (const std::bad_alloc &) {
    return UINT32_MAX;
  }
}

bool mr_finder_add(mr_finder *finder, uint32_t scope, const mr_text *names, size_t count, uint8_t action, uint32_t tag) {
  if (count == 0 || count > MR_FINDER_STEPS_MAX) return false;
  try {
    auto &of = finder->scopes[scope];
    bool has_any = false;
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
      has_any |= names[i].bytes == nullptr;
      at = of.child(at, names[i]);
    }
    if (has_any && of.wildcards++ == MR_FINDER_WILDCARDS_MAX) return false;
    if (action <= of.steps[at].action) {
      of.steps[at].action = action;
      of.steps[at].tag = tag;
    }
    return true;
  } catch (const std::bad_alloc &) {
    return false;
  }
}

bool mr_finder_mark_end(mr_finder *finder, uint32_t scope, mr_text field) {
  try {
    auto &of = finder->scopes[scope];
    of.steps[of.child(0, field)].marks_end = true;
    return true;
  } catch (const std::bad_alloc &) {
    return false;
  }
}

bool mr_find(const mr_finder *finder, mr_parser *parser, const uint8_t *line, size_t length, const mr_event *event,
             const mr_found **found, size_t *count) {
  *found = nullptr;
  *count = 0;
  const scope *wanted = finder->find(event->kind, event->event_type);
  if (wanted == nullptr) return true;
  const auto &stage1 = *parser->stage1;
  indexed_json json = {line, length, stage1.structural_indexes.get(), stage1.n_structural_indexes};
  try {
    parser->found.clear();
    finding(*wanted, json, parser->found).run();
  } catch (const std::bad_alloc &) {
    return false;
  }
  *found = parser->found.data();
  *count = parser->found.size();
  return true;
}

size_t mr_unescape(const uint8_t *bytes, size_t length, uint8_t *out) {
  return static_cast<size_t>(unescape(bytes, bytes + length, out) - out);
}
