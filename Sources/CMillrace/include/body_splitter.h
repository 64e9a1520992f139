#ifndef MILLRACE_BODY_SPLITTER_H
#define MILLRACE_BODY_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// State of the cut of a JSON body (application/json) into its items while it streams in: one object, or an array of
/// values. Zero it to start.
typedef struct {
  uint8_t state;
  bool in_string;
  bool escaped;
  bool is_array;
  uint32_t depth;
} mr_splitter;

#define MR_SPLIT_DEPTH_MAX (1u << 20)

enum {
  MR_SPLIT_MORE = 0,   /* all bytes consumed, no item ended */
  MR_SPLIT_ITEM = 1,   /* the item ends right before `*consumed` */
  MR_SPLIT_DONE = 2,   /* the body's value has ended; only white space may follow, and has so far */
  MR_SPLIT_ERROR = 3,  /* the bytes at `*consumed` can't stand there */
};

/// A UTF-8 byte order mark at the very start of the body is skipped.
///
/// Scans on from `bytes`. `*start` is set to the offset of the item's first byte when one starts in this call (else it
/// stays). Bytes before an item (white space, commas, the bracket) are skipped. `*consumed` says how far it came.
/// An item is any balanced value; whether it is a valid object is for mr_parse to say. A body that is neither an object
/// nor an array is an error at its first byte; so are more than MR_SPLIT_DEPTH_MAX open brackets.
int32_t mr_split(mr_splitter *splitter, const uint8_t *bytes, size_t length, size_t *start, size_t *consumed);
/// True when the body may end here: the array was closed or the one value is complete, or nothing came at all.
bool mr_split_is_complete(const mr_splitter *splitter);

#ifdef __cplusplus
}
#endif

#endif
