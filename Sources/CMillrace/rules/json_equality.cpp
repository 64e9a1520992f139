#include "json_equality.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>
#include <vector>

#include "decimal.hpp"
#include "json/json_text.hpp"

namespace millrace {

namespace {

struct member {
  std::string name;
  uint32_t value;
};

void append_text(std::string_view text, std::string &out) {
  auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char *>(&length), sizeof length);
  out += text;
}

void append_object(const indexed_json &json, uint32_t at, std::string &out) {
  std::vector<member> members;
  std::string scratch;
  for (uint32_t key = at + 1; json.first(key) == '"';) {
    members.push_back({std::string(unescaped(json, key, scratch)), key + 2});
    key = json.behind(key + 2);
    if (json.first(key) == ',') key++;
  }
  // The later one of a name behind the earlier one.
  std::sort(members.begin(), members.end(),
            [](const member &a, const member &b) { return std::tie(a.name, a.value) < std::tie(b.name, b.value); });
  out += '{';
  for (size_t i = 0; i < members.size(); i++) {
    if (i + 1 < members.size() && members[i + 1].name == members[i].name) continue;
    append_text(members[i].name, out);
    append_comparable(json, members[i].value, out);
  }
  out += '}';
}

}  // namespace

std::string_view unescaped(const indexed_json &json, uint32_t at, std::string &scratch) {
  const uint8_t *start, *end;
  json.string(at, start, end);
  auto length = static_cast<size_t>(end - start);
  if (memchr(start, '\\', length) == nullptr) return {reinterpret_cast<const char *>(start), length};
  scratch.resize(length);
  auto out = reinterpret_cast<uint8_t *>(scratch.data());
  return {scratch.data(), static_cast<size_t>(unescape(start, end, out) - out)};
}

void append_comparable(const indexed_json &json, uint32_t at, std::string &out) {
  const uint8_t *start, *end;
  switch (uint8_t first = json.first(at)) {
    case '"': {
      std::string scratch;
      out += '"';
      append_text(unescaped(json, at, scratch), out);
      return;
    }
    case '{': append_object(json, at, out); return;
    case '[': {
      out += '[';
      for (uint32_t item = at + 1; json.first(item) != ']' && json.first(item) != 0;) {
        append_comparable(json, item, out);
        item = json.behind(item);
        if (json.first(item) == ',') item++;
      }
      out += ']';
      return;
    }
    case 't':
    case 'f':
    case 'n': out += static_cast<char>(first); return;
    default: {
      json.scalar(at, start, end);
      decimal number;
      if (number.read(start, end)) number.append_canonical(out);
      out += ';';
    }
  }
}

bool has_unique_items(const indexed_json &json, uint32_t at) {
  std::string all;
  std::vector<size_t> starts;
  for (uint32_t item = at + 1; json.first(item) != ']' && json.first(item) != 0;) {
    starts.push_back(all.size());
    append_comparable(json, item, all);
    item = json.behind(item);
    if (json.first(item) == ',') item++;
  }
  std::vector<std::string_view> items;
  for (size_t i = 0; i < starts.size(); i++) {
    size_t end = i + 1 < starts.size() ? starts[i + 1] : all.size();
    items.emplace_back(all.data() + starts[i], end - starts[i]);
  }
  std::sort(items.begin(), items.end());
  return std::adjacent_find(items.begin(), items.end()) == items.end();
}

}  // namespace millrace
