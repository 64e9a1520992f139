#pragma once

/// The commit that the sources were of, as `git describe` names it; empty where the build was not told.
const char *_Nonnull mr_build_commit(void);
