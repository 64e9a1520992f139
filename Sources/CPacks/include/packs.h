#ifndef MILLRACE_PACKS_H
#define MILLRACE_PACKS_H

#include <stddef.h>

/// A file of a pack that is compiled in, so that the binary is all there is to install.
typedef struct {
  /// The folder under sql/packs.
  const char *pack;
  /// The file in it.
  const char *name;
  const unsigned char *bytes;
  size_t length;
} mr_pack_file;

/// SQL for the database that knows users by name: a file of sql/identity.
typedef struct {
  const unsigned char *bytes;
  size_t length;
} mr_identity_file;

extern const mr_identity_file mr_identity_up;
extern const mr_identity_file mr_identity_down;

/// Files of all packs, those of one behind each other.
extern const mr_pack_file mr_pack_files[];
extern const size_t mr_pack_file_count;

/// `index` below mr_pack_file_count. An array without a length can't be imported into Swift.
static inline mr_pack_file mr_pack_file_at(size_t index) { return mr_pack_files[index]; }

#endif
