#ifndef MILLRACE_PAGE_H
#define MILLRACE_PAGE_H

#include <stddef.h>

/// A file of the page at `/`, compiled in, so that the binary is all there is to install.
typedef struct {
  /// Under /page; the page itself is index.html.
  const char *name;
  /// Of `Content-Type`.
  const char *type;
  const unsigned char *bytes;
  size_t length;
} mr_page_file;

extern const mr_page_file mr_page_files[];
extern const size_t mr_page_file_count;

/// `index` below mr_page_file_count. An array without a length can't be imported into Swift.
static inline mr_page_file mr_page_file_at(size_t index) { return mr_page_files[index]; }

#endif
