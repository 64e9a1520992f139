#ifndef MILLRACE_RULES_H
#define MILLRACE_RULES_H

#include "event_parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Rules by event type, compiled: which events they are about, and what they want of them. Immutable once made; for all
/// threads.
typedef struct mr_rules mr_rules;

/// Types of JSON values, as bits. A number that is whole (1.0 too) is an integer.
enum {
  MR_TYPE_NULL = 1,
  MR_TYPE_BOOLEAN = 2,
  MR_TYPE_OBJECT = 4,
  MR_TYPE_ARRAY = 8,
  MR_TYPE_NUMBER = 16,
  MR_TYPE_STRING = 32,
  MR_TYPE_INTEGER = 64,
  MR_TYPE_ANY = 127,
};

/// What of a schema a value does not fit. The numbers are only an agreement with SchemaKeyword.swift.
enum {
  MR_KEYWORD_FALSE = 0,
  MR_KEYWORD_TYPE,
  MR_KEYWORD_ENUM,
  MR_KEYWORD_MIN_LENGTH,
  MR_KEYWORD_MAX_LENGTH,
  MR_KEYWORD_PATTERN,
  MR_KEYWORD_MINIMUM,
  MR_KEYWORD_MAXIMUM,
  MR_KEYWORD_EXCLUSIVE_MINIMUM,
  MR_KEYWORD_EXCLUSIVE_MAXIMUM,
  MR_KEYWORD_MULTIPLE_OF,
  MR_KEYWORD_REQUIRED,
  MR_KEYWORD_DEPENDENT_REQUIRED,
  MR_KEYWORD_ADDITIONAL_PROPERTIES,
  MR_KEYWORD_MIN_PROPERTIES,
  MR_KEYWORD_MAX_PROPERTIES,
  MR_KEYWORD_PROPERTY_NAMES,
  MR_KEYWORD_MIN_ITEMS,
  MR_KEYWORD_MAX_ITEMS,
  MR_KEYWORD_UNIQUE_ITEMS,
  MR_KEYWORD_CONTAINS,
  MR_KEYWORD_MAX_CONTAINS,
  MR_KEYWORD_ANY_OF,
  MR_KEYWORD_ONE_OF,
  MR_KEYWORD_NOT,
};

/// Of an index that says that there is none: any value fits, or nothing is looked at.
#define MR_NONE (-1)

/// A part of one of the lists that rules are made of.
typedef struct {
  uint32_t first;
  uint32_t count;
} mr_slice;

/// A named member of an object; each name once in a schema.
typedef struct {
  mr_text name;
  /// Of its value; MR_NONE: any.
  int32_t schema;
  bool is_required;
  /// `properties` names it: it is no additional one.
  bool is_declared;
} mr_schema_property;

/// Where the object has one member, it has to have another one too, or has to fit a schema. Members by their place among the
/// schema's properties.
typedef struct {
  uint32_t property;
  /// MR_NONE where `schema` is it.
  int32_t other;
  int32_t schema;
} mr_schema_dependency;

/// Members whose name matches have to fit.
typedef struct {
  uint32_t pattern;
  int32_t schema;
} mr_schema_pattern_property;

/// One schema: what is said of one value. Indexes are into the lists that `mr_rules_add_…` make.
typedef struct {
  /// MR_TYPE bits; 0: nothing fits.
  uint8_t types;
  bool has_constants;
  bool wants_unique_items;
  /// JSON texts: the value has to equal one of them.
  mr_slice constants;

  /// In code points.
  uint32_t min_length;
  uint32_t max_length;
  int32_t pattern;

  /// Texts of numbers, or MR_NONE.
  int32_t minimum;
  int32_t maximum;
  int32_t exclusive_minimum;
  int32_t exclusive_maximum;
  int32_t multiple_of;

  mr_slice properties;
  mr_slice pattern_properties;
  mr_slice dependencies;
  int32_t additional_properties;
  int32_t property_names;
  uint32_t min_properties;
  uint32_t max_properties;

  /// Schemas of the first items: children.
  mr_slice prefix_items;
  int32_t items;
  uint32_t min_items;
  uint32_t max_items;
  int32_t contains;
  uint32_t min_contains;
  uint32_t max_contains;

  /// Schemas: children.
  mr_slice all_of;
  mr_slice any_of;
  mr_slice one_of;
  int32_t not_schema;
  int32_t if_schema;
  int32_t then_schema;
  int32_t else_schema;
} mr_schema;

/// Bits of a state of a regular expression's machine.
enum {
  /// Whatever follows, it matches.
  MR_PATTERN_MATCHES = 1,
  /// It matches where the text ends here.
  MR_PATTERN_MATCHES_AT_END = 2,
  /// Whatever follows, it does not match.
  MR_PATTERN_FAILS = 4,
};

/// A whole name, or the beginning of names, up to and with a dot.
typedef struct {
  mr_text text;
  bool is_prefix;
} mr_type_name;

enum { MR_SAMPLE_BY_ID = 0, MR_SAMPLE_BY_USER = 1 };

typedef struct {
  /// MR_KIND_EVENT or MR_KIND_CONVERSATION.
  uint8_t kind;
  /// Type names. None: all.
  mr_slice types;
  /// Tenants. None: all.
  mr_slice tenants;
  /// The type has to be one of these type names.
  bool has_allowed;
  mr_slice allowed;
  /// The type must be none of these type names.
  mr_slice denied;
  /// Lines whose hash is below it go on; 0: all do.
  uint64_t sample_below;
  uint8_t sample_by;
  /// MR_NONE: it has none.
  int32_t schema;
  /// The schema is of the whole line; else of `payload` or `metadata`.
  bool is_of_line;
} mr_rule;

enum {
  MR_LINE_SAMPLED_OUT = 1,
  MR_LINE_DENIED = 2,
  MR_LINE_MISFIT = 3,
  /// There is no memory to judge it.
  MR_LINE_UNJUDGED = 4,
};

/// What the rules say of a line. `schema`, `keyword` and `path` are written only of a misfit.
typedef struct {
  int32_t outcome;
  /// The rule that says so.
  uint32_t rule;
  /// Of a misfit: the schema, and what of it.
  uint32_t schema;
  int32_t keyword;
  /// Of a misfit: which value of the line, as a JSON pointer; UTF-8, ended by NUL, cut where it is longer. Names of members
  /// that the schema does not know are cut as in refusals.
  char path[256];
} mr_verdict;

/// NULL when memory ran out.
mr_rules *mr_rules_create(void);
void mr_rules_destroy(mr_rules *rules);

/// Each adds one to its list, in whose order slices and indexes count; all that they are given is copied. False when memory
/// ran out. `mr_rules_finish` comes last, and before the first judgement; false also where a text is no JSON.
bool mr_rules_add_type_name(mr_rules *rules, mr_type_name name);
bool mr_rules_add_tenant(mr_rules *rules, int32_t tenant);
bool mr_rules_add_property(mr_rules *rules, mr_schema_property property);
bool mr_rules_add_pattern_property(mr_rules *rules, mr_schema_pattern_property property);
bool mr_rules_add_dependency(mr_rules *rules, mr_schema_dependency dependency);
bool mr_rules_add_child(mr_rules *rules, int32_t schema);
bool mr_rules_add_text(mr_rules *rules, mr_text json);
bool mr_rules_add_schema(mr_rules *rules, const mr_schema *schema);
bool mr_rules_add_rule(mr_rules *rules, const mr_rule *rule);
/// A regular expression as a machine that reads a byte at a time: from state 0, to `next[state * class_count +
/// classes[byte]]`; `classes` are of 256 bytes, `states` have MR_PATTERN bits.
bool mr_rules_add_pattern(mr_rules *rules, const uint8_t *classes, size_t class_count, const uint16_t *next,
                          const uint8_t *states, size_t state_count);
bool mr_rules_finish(mr_rules *rules);

/// Judges the line that `parser` accepted last, as `event`; `line` has the bytes that it was given. False, with `verdict`
/// filled in, where a rule has something against it: the first one, in their order. `samples`: whether lines are sampled.
bool mr_rules_judge(const mr_rules *rules, mr_parser *parser, const uint8_t *line, size_t length,
                    const mr_event *event, int32_t tenant, bool samples, mr_verdict *verdict);

/// XXH64 with seed 0, as the xxHash specification has it. Sketches in tables are made of its values, and samples are taken by
/// it, so it never changes.
uint64_t mr_xxh64(const uint8_t *bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif
