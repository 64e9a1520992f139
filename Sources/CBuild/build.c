#include "build.h"

const char *mr_build_commit(void) { return MILLRACE_COMMIT; }
