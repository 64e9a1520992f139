#ifndef MILLRACE_FIELD_EXTRACTOR_H
#define MILLRACE_FIELD_EXTRACTOR_H

#include "event_parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Takes the values at some paths out of a JSON text that was accepted once: a payload, or metadata.
typedef struct mr_extractor mr_extractor;

/// The longest number that is given out, in bytes as numeric prints it. A double has 343 of them at most
/// (-4.9406564584124654e-324); one that is longer is nobody's measurement, and thousands of them fit into a small text.
#define MR_NUMBER_TEXT_BYTES_MAX 400

/// The length of a value that is a longer number or has one in it, its bytes not NULL.
#define MR_LONG_NUMBERS SIZE_MAX

/// The length of a value that is null, its bytes NULL; of one that is missing it is 0.
#define MR_NULL 1

/// NULL when memory ran out.
mr_extractor *mr_extractor_create(void);
void mr_extractor_destroy(mr_extractor *extractor);

/// Adds a path: `count` names of object members, or array elements by number; none: the whole text. Its value goes to
/// `output`, as text like PostgreSQL's `jsonb #>> path`, or with `wants_json` as JSON. False when memory ran out.
bool mr_extractor_add(mr_extractor *extractor, const mr_text *names, size_t count, bool wants_json, uint32_t output);

/// Extracts from `json`, an object. Fills `outputs` of all paths; what is missing or null has NULL bytes. What it fills
/// in is valid until the next call. Numbers keep their digits, as numeric prints them; objects and arrays read like
/// jsonb's text, so that a text gives what the table's jsonb gives. False when memory ran out, or the text is not what
/// it was; then nothing is found.
bool mr_extract(mr_extractor *extractor, const uint8_t *json, size_t length, mr_text *outputs);

#ifdef __cplusplus
}
#endif

#endif
