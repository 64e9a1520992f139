#ifndef MILLRACE_ROW_BLOCKS_HPP
#define MILLRACE_ROW_BLOCKS_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "growing_buffer.hpp"

namespace millrace {

/// Rows one behind the other in blocks of a fixed size, so that what is there never moves, and a batch takes no more
/// memory than its rows. A row is in one block; one that is larger than a block has a block of its own.
class row_blocks {
 public:
  row_blocks() = default;
  row_blocks(const row_blocks &) = delete;
  row_blocks &operator=(const row_blocks &) = delete;
  ~row_blocks() {
    for (size_t i = 0; i < blocks_.count(); i++) free(blocks_.values()[i].bytes);
  }

  /// Room for a row of up to `bytes`; null when there is no memory.
  uint8_t *reserve(size_t bytes) {
    if (used_ == 0 || end_ + bytes > blocks_.values()[used_ - 1].capacity) {
      if (!start_block(bytes)) return nullptr;
    }
    return blocks_.values()[used_ - 1].bytes + end_;
  }

  /// Says where the row ends for which room was reserved last.
  void set_end(const uint8_t *end) { end_ = static_cast<size_t>(end - blocks_.values()[used_ - 1].bytes); }

  /// Forgets all rows. Keeps blocks of up to `kept_bytes_max` in all for those to come.
  void clear(size_t kept_bytes_max) {
    size_t kept = 0;
    capacity_bytes_ = 0;
    for (size_t i = 0; i < blocks_.count(); i++) {
      block &block = blocks_.first()[i];
      if (block.capacity > block_bytes || capacity_bytes_ + block.capacity > kept_bytes_max) {
        free(block.bytes);
      } else {
        capacity_bytes_ += block.capacity;
        blocks_.first()[kept++] = block;
      }
    }
    blocks_.set_end(blocks_.values() + kept);
    used_ = end_ = 0;
  }

  size_t capacity_bytes() const { return capacity_bytes_; }

 private:
  struct block {
    uint8_t *bytes;
    size_t capacity;
  };

  static constexpr size_t block_bytes = 256 << 10;

  bool start_block(size_t bytes) {
    // Those that are kept have the fixed size; a larger row gets a new one in front of them.
    if (used_ < blocks_.count() && bytes <= block_bytes) {
      used_++;
      end_ = 0;
      return true;
    }
    size_t capacity = bytes > block_bytes ? bytes : block_bytes;
    if (!blocks_.reserve(1)) return false;
    auto memory = static_cast<uint8_t *>(malloc(capacity));
    if (memory == nullptr) return false;
    blocks_.append(blocks_.count() > used_ ? blocks_.values()[used_] : block{});
    blocks_.first()[used_++] = {memory, capacity};
    capacity_bytes_ += capacity;
    end_ = 0;
    return true;
  }

  growing_buffer<block> blocks_;
  /// The first so many hold rows; the last of them up to `end_`.
  size_t used_ = 0;
  size_t end_ = 0;
  size_t capacity_bytes_ = 0;
};

}  // namespace millrace

#endif
