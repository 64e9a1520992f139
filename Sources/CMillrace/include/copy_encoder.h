#ifndef MILLRACE_COPY_ENCODER_H
#define MILLRACE_COPY_ENCODER_H

#include "event_parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Turns the payloads of records into rows of PostgreSQL's binary COPY, gathered by leaf.
///
/// A row is an int16 count of columns and, for each, an int32 length (-1 = NULL) and the value, big endian. No header
/// and no trailer of the COPY stream. Columns, in order:
///
/// - events: id uuid, tenant_id int4, event_type text, user_id uuid, payload jsonb, created_at timestamptz,
///   received_at timestamptz, batch_id int8;
/// - conversations: id uuid, tenant_id int4, conversation_id text, user_id uuid, question text, response text,
///   source text, metadata jsonb, created_at timestamptz, received_at timestamptz, batch_id int8.
typedef struct mr_encoder mr_encoder;

#define MR_EVENT_COLUMNS 8
#define MR_CONVERSATION_COLUMNS 11

/// Derives the id of a conversation save; called on the thread of mr_encoder_add. Must not keep the pointers.
typedef void (*mr_conversation_id)(int32_t tenant, const uint8_t *conversation_id, size_t conversation_id_length,
                                   int64_t created_us, const uint8_t *question, size_t question_length,
                                   uint8_t *id);

/// Rows of one leaf partition, in the order in which they were added. Valid until the next add or reset.
typedef struct {
  /// MR_KIND_EVENT or MR_KIND_CONVERSATION.
  uint8_t kind;
  /// Events whose `id` came without any time: created_at is the time received, and `year` and `month` are 0 because
  /// the month is known only after the look-up in event_ids.
  bool is_identified;
  int32_t year;
  uint8_t month;
  size_t count;
  /// Each row in one piece, anywhere.
  const mr_text *rows;
  const uint64_t *sequences;
} mr_leaf;

/// Rows one after the other.
typedef struct {
  mr_text bytes;
  size_t count;
  /// Of each row, in bytes from its start: where each column's length stands, and where the row ends. As many numbers a
  /// row as it has columns, and one more.
  const uint32_t *fields;
} mr_rows;

/// A line that can't be encoded any more, although it was accepted once.
typedef struct {
  uint64_t sequence;
  mr_refusal refusal;
} mr_rejection;

enum {
  MR_ENCODED = 0,
  /// The payload does not hold as many lines as the record says, or its kind has no rows. Nothing was added.
  MR_RECORD_MISMATCH = 1,
  /// Memory ran out; reset before going on.
  MR_OUT_OF_MEMORY = 2,
};

/// NULL when memory ran out.
mr_encoder *mr_encoder_create(mr_conversation_id conversation_id);
void mr_encoder_destroy(mr_encoder *encoder);

/// Starts a batch: forgets all rows. Buffers are kept for reuse, up to MR_ENCODER_KEPT_BYTES_MAX in all.
void mr_encoder_reset(mr_encoder *encoder, int64_t batch_id, uint64_t spool_high, uint64_t spool_low);

#define MR_ENCODER_KEPT_BYTES_MAX (16u << 20)

/// Adds the lines of one record. `payload` has MR_PADDING readable bytes behind it; its lines end with `\n`, the last
/// one may lack it. Lines that do not parse are listed as rejections.
int32_t mr_encoder_add(mr_encoder *encoder, const uint8_t *payload, size_t length, uint8_t kind, int32_t tenant,
                       int64_t received_us, uint64_t first_sequence, uint32_t count);

size_t mr_encoder_leaf_count(const mr_encoder *encoder);
/// `index` below mr_encoder_leaf_count.
mr_leaf mr_encoder_leaf(const mr_encoder *encoder, size_t index);

/// The fields of one row of a leaf, as in mr_rows; valid until the next call, or that of mr_encoder_next_chunk.
const uint32_t *mr_encoder_fields(mr_encoder *encoder, size_t leaf, size_t row);

/// Puts the rows of each month in order of created_at (those of one time in the order in which they were added), for
/// mr_encoder_next_chunk: neighbours in time are neighbours in the indexes, whose pages are then found in the cache.
/// The rows of an mr_leaf stay as they were. Of a leaf with more than 2^20 rows, the order stays, too. False when
/// memory ran out; reset before going on.
bool mr_encoder_sort(mr_encoder *encoder);

/// Most bytes of a chunk that holds more than one row.
#define MR_CHUNK_BYTES (64u << 10)

/// The next rows of a leaf in their order, from the `*row`th on, which it moves to the row after them. Whole rows, at least one
/// as long as `*row` is below the leaf's count. Valid until the next call.
mr_rows mr_encoder_next_chunk(mr_encoder *encoder, size_t leaf, size_t *row);

size_t mr_encoder_rejection_count(const mr_encoder *encoder);
const mr_rejection *mr_encoder_rejections(const mr_encoder *encoder);

/// Bytes that mr_leaf_stage writes for rows `first ..< end`.
size_t mr_leaf_staged_bytes(const mr_leaf *leaf, size_t first, size_t end);
/// Writes rows `first ..< end` with one more column in front: the sequence, int8.
void mr_leaf_stage(const mr_leaf *leaf, size_t first, size_t end, uint8_t *out);

/// The id of an event that came without one: a UUIDv7 of the millisecond of `created_us`, then the sequence, then a hash
/// of the spool's id: 44 and 30 bits of them for sequences below 2^44 (of spools from before runs had epochs), else 61 and
/// 13. So a replay gives the same id, two sequences of a spool never do,
/// and the ids of one `created_us` ascend with the sequence: among events of one time, the later one is the last writer.
void mr_event_id(uint64_t spool_high, uint64_t spool_low, uint64_t sequence, int64_t created_us, uint8_t *id);

#ifdef __cplusplus
}
#endif

#endif
