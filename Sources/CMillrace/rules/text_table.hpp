#ifndef MILLRACE_TEXT_TABLE_HPP
#define MILLRACE_TEXT_TABLE_HPP

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace millrace {

/// Numbers by short texts, which the operator has written: nobody else chooses what collides.
class text_table {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  /// `text` must stay where it is; one that is there already keeps its number.
  void insert(std::string_view text, uint32_t number) {
    if (find(text) != none) return;
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    place(static_cast<uint32_t>(entries_.size()), text);
    entries_.push_back({text, number});
  }

  /// `none` where it is not there.
  uint32_t find(std::string_view text) const {
    if (slots_.empty()) return none;
    for (size_t slot = hash(text) & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot] == none) return none;
      const entry &found = entries_[slots_[slot]];
      if (found.text == text) return found.number;
    }
  }

 private:
  struct entry {
    std::string_view text;
    uint32_t number;
  };

  std::vector<entry> entries_;
  /// A power of two of them, at least half of them empty.
  std::vector<uint32_t> slots_;

  void grow() {
    slots_.assign(slots_.empty() ? 8 : slots_.size() * 2, none);
    for (uint32_t i = 0; i < entries_.size(); i++) place(i, entries_[i].text);
  }

  void place(uint32_t index, std::string_view text) {
    size_t slot = hash(text) & (slots_.size() - 1);
    while (slots_[slot] != none) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = index;
  }

  /// Of the length, and of the first and the last eight bytes.
  static uint64_t hash(std::string_view text) {
    uint64_t first = 0, last = 0;
    size_t length = text.size();
    if (length >= 8) {
      memcpy(&first, text.data(), 8);
      memcpy(&last, text.data() + length - 8, 8);
    } else if (length >= 4) {
      memcpy(&first, text.data(), 4);
      memcpy(&last, text.data() + length - 4, 4);
    } else {
      for (size_t i = 0; i < length; i++) first = first << 8 | static_cast<uint8_t>(text[i]);
    }
    uint64_t mixed = (first ^ length) * 0x9E3779B97F4A7C15 ^ last * 0xC2B2AE3D27D4EB4F;
    return mixed ^ mixed >> 29 ^ mixed >> 47;
  }
};

}  // namespace millrace

#endif
