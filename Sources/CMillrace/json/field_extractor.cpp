#include "field_extractor.h"

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "canonical_json.hpp"
#include "json_number.hpp"
#include "json_text.hpp"
#include "grammar/line_parser.hpp"

using namespace millrace;

namespace {

constexpr uint32_t not_an_element = UINT32_MAX;

/// A step of the paths: the members that are wanted below it, and where its own value goes.
struct path_node {
  struct output {
    uint32_t index;
    bool wants_json;
  };
  std::string name;
  /// `name` as the number of an array's element.
  uint32_t element;
  std::vector<path_node> children;
  std::vector<output> outputs;

  path_node *child(const mr_text &wanted) {
    std::string_view text(reinterpret_cast<const char *>(wanted.bytes), wanted.length);
    for (path_node &child : children) {
      if (child.name == text) return &child;
    }
    children.emplace_back();
    children.back().name = text;
    children.back().element = element_of(text);
    return &children.back();
  }

  static uint32_t element_of(std::string_view text) {
    if (text.empty() || text.size() > 9 || (text.size() > 1 && text[0] == '0')) return not_an_element;
    uint32_t value = 0;
    for (char c : text) {
      if (!is_digit(static_cast<uint8_t>(c))) return not_an_element;
      value = value * 10 + static_cast<uint32_t>(c - '0');
    }
    return value;
  }
};

}  // namespace

struct mr_extractor {
  mr_parser *parser = nullptr;
  path_node root;
  /// The text, with room behind it for the first stage.
  std::vector<uint8_t> json;
  /// Texts that don't stand in the JSON as they are: each its own, because pointers to them must stay.
  std::vector<std::unique_ptr<std::string>> texts;

  ~mr_extractor() { mr_parser_destroy(parser); }

  bool extract(const uint8_t *bytes, size_t length, mr_text *outputs) {
    clear(root, outputs);
    texts.clear();
    if (length == 0) return false;
    if (json.size() < length + MR_PADDING) json.resize((length + MR_PADDING) * 2);
    memcpy(json.data(), bytes, length);
    if (length > parser->stage1->capacity() && !parser->grow(length)) return false;
    if (parser->stage1->stage1(json.data(), length, simdjson::stage1_mode::regular) != simdjson::SUCCESS) return false;
    const auto &stage1 = *parser->stage1;
    walk({json.data(), length, stage1.structural_indexes.get(), stage1.n_structural_indexes}, 0, root, outputs);
    return true;
  }

  static void clear(const path_node &node, mr_text *outputs) {
    for (auto [index, wants_json] : node.outputs) outputs[index] = {nullptr, 0};
    for (const path_node &child : node.children) clear(child, outputs);
  }

  /// Fills in what `node` and the nodes below it want of the value at `at`.
  void walk(const indexed_json &json, uint32_t at, const path_node &node, mr_text *outputs) {
    for (auto [index, wants_json] : node.outputs) outputs[index] = value_of(json, at, wants_json);
    if (node.children.empty()) return;
    if (json.first(at) == '{') walk_object(json, at + 1, node, outputs);
    else if (json.first(at) == '[') walk_array(json, at + 1, node, outputs);
  }

  void walk_object(const indexed_json &json, uint32_t at, const path_node &node, mr_text *outputs) {
    while (json.first(at) == '"') {
      const uint8_t *start, *end;
      json.string(at, start, end);
      if (const path_node *child = child_named(node, start, end)) {
        // Of a name that is there twice, the last counts, with all that is in it.
        clear(*child, outputs);
        walk(json, at + 2, *child, outputs);
      }
      at = json.behind(at + 2);
      if (json.first(at) == ',') at++;
    }
  }

  void walk_array(const indexed_json &json, uint32_t at, const path_node &node, mr_text *outputs) {
    for (uint32_t element = 0; json.first(at) != ']' && json.first(at) != 0; element++) {
      for (const path_node &child : node.children) {
        if (child.element == element) walk(json, at, child, outputs);
      }
      at = json.behind(at);
      if (json.first(at) == ',') at++;
    }
  }

  static const path_node *child_named(const path_node &node, const uint8_t *start, const uint8_t *end) {
    auto length = static_cast<size_t>(end - start);
    std::string unescaped;
    if (memchr(start, '\\', length) != nullptr) {
      unescaped.resize(length);
      auto out = reinterpret_cast<uint8_t *>(unescaped.data());
      length = static_cast<size_t>(unescape(start, end, out) - out);
      start = out;
    }
    for (const path_node &child : node.children) {
      if (child.name.size() == length && memcmp(child.name.data(), start, length) == 0) return &child;
    }
    return nullptr;
  }

  mr_text value_of(const indexed_json &json, uint32_t at, bool wants_json) {
    const uint8_t *start, *end;
    switch (uint8_t first = json.first(at)) {
      case 0: return {nullptr, 0};
      case 'n': return {nullptr, MR_NULL};
      case '"':
        json.string(at, start, end);
        if (wants_json) return {start - 1, static_cast<size_t>(end - start) + 2};
        if (memchr(start, '\\', static_cast<size_t>(end - start)) == nullptr) break;
        {
          std::string &text = new_text();
          text.resize(static_cast<size_t>(end - start));
          auto out = reinterpret_cast<uint8_t *>(text.data());
          return {out, static_cast<size_t>(unescape(start, end, out) - out)};
        }
      case '{':
      case '[': {
        std::string &text = new_text();
        if (append_canonical(json, at, text)) return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
        texts.pop_back();
        return {json.bytes, MR_LONG_NUMBERS};
      }
      case '-':
      case '0' ... '9':
        json.scalar(at, start, end);
        if (first != '-' && end - start <= MR_NUMBER_TEXT_BYTES_MAX &&
            memchr(start, 'e', static_cast<size_t>(end - start)) == nullptr &&
            memchr(start, 'E', static_cast<size_t>(end - start)) == nullptr) {
          break;
        }
        {
          std::string &text = new_text();
          if (append_number(start, end, text)) return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
          texts.pop_back();
          return {json.bytes, MR_LONG_NUMBERS};
        }
      default: json.scalar(at, start, end);
    }
    return {start, static_cast<size_t>(end - start)};
  }

  std::string &new_text() {
    texts.push_back(std::make_unique<std::string>());
    return *texts.back();
  }
};

mr_extractor *mr_extractor_create(void) {
  auto extractor = new (std::nothrow) mr_extractor;
  if (extractor == nullptr) return nullptr;
  extractor->parser = mr_parser_create();
  if (extractor->parser != nullptr) return extractor;
  delete extractor;
  return nullptr;
}

void mr_extractor_destroy(mr_extractor *extractor) { delete extractor; }

bool mr_extractor_add(mr_extractor *extractor, const mr_text *names, size_t count, bool wants_json, uint32_t output) {
  try {
    path_node *node = &extractor->root;
    for (size_t i = 0; i < count; i++) node = node->child(names[i]);
    node->outputs.push_back({output, wants_json});
    return true;
  } catch (const std::bad_alloc &) {
    return false;
  }
}

bool mr_extract(mr_extractor *extractor, const uint8_t *json, size_t length, mr_text *outputs) {
  try {
    return extractor->extract(json, length, outputs);
  } catch (const std::bad_alloc &) {
    mr_extractor::clear(extractor->root, outputs);
    return false;
  }
}
