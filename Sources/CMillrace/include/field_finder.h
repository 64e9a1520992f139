#ifndef MILLRACE_FIELD_FINDER_H
#define MILLRACE_FIELD_FINDER_H

#include "event_parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Finds the values at listed paths in a line that mr_parse has just accepted, so that they can be replaced in its bytes.
///
/// Once made it does not change, and any number of threads may use it.
typedef struct mr_finder mr_finder;

/// Most paths of one scope that have a step for anything.
#define MR_FINDER_WILDCARDS_MAX 15

/// Most steps of a path, that of the top-level field included.
#define MR_FINDER_STEPS_MAX 32

/// What is to be done with a value; where several paths lead to it, the smaller number counts.
enum { MR_FIELD_DROP = 0, MR_FIELD_REPLACE = 1 };

typedef struct {
  /// Offsets into the line. Of a value to replace: with its quotes. Of one to drop: with its name and a comma, so that
  /// what is left is JSON without it; of an array's element: the value, which null is to take the place of.
  size_t start;
  size_t end;
  /// As given to mr_finder_add. Of an object's end: 0.
  uint32_t tag;
  /// MR_FOUND_VALUE, MR_FOUND_DROP, MR_FOUND_NULL or MR_FOUND_END.
  uint8_t what;
  /// Of a value: its first byte. Of an object's end: 1 where a member stands before it that stays, else 0.
  uint8_t first;
} mr_found;

enum {
  MR_FOUND_VALUE = 0,
  /// Bytes to leave out.
  MR_FOUND_DROP = 1,
  /// An array's element to write null for.
  MR_FOUND_NULL = 2,
  /// The closing bracket of the object that mr_finder_mark_end asked for.
  MR_FOUND_END = 3,
};

/// NULL when memory ran out.
mr_finder *mr_finder_create(void);
void mr_finder_destroy(mr_finder *finder);

/// The scope of events of one type, or of no type in particular (`type` without bytes), or of conversation saves. There
/// are at most as many as memory holds; the same again gives the same. UINT32_MAX when memory ran out.
uint32_t mr_finder_scope(mr_finder *finder, uint8_t kind, mr_text type);

/// Adds a path to a scope: `count` names from the top-level field on, each of an object's member or, in digits, of an
/// array's element; one without bytes is any of either. False where there are too many steps, too many paths with a step
/// for anything, or no memory.
bool mr_finder_add(mr_finder *finder, uint32_t scope, const mr_text *names, size_t count, uint8_t action, uint32_t tag);

/// Has the end of the object in this top-level field found too.
bool mr_finder_mark_end(mr_finder *finder, uint32_t scope, mr_text field);

/// The values of `line` that the scope of its kind and type lists, in ascending order, none in another. `parser` has
/// accepted this line as its last one, and filled `event`. Of a name that is there twice both are found. `*found` is valid
/// until the parser's next line. False when memory ran out.
bool mr_find(const mr_finder *finder, mr_parser *parser, const uint8_t *line, size_t length, const mr_event *event,
             const mr_found **found, size_t *count);

/// Writes the string content `bytes` (between its quotes) without escapes; returns how many bytes: at most `length`.
size_t mr_unescape(const uint8_t *bytes, size_t length, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
