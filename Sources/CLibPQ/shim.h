#include <libpq-fe.h>

// Linux calls that MillracePostgres needs and that Swift's Glibc module leaves out.
#include <spawn.h>
#include <sys/eventfd.h>

int pipe2(int descriptors[2], int flags);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
int renameat2(int from, const char *path, int to, const char *newPath, unsigned int flags);
/// `RENAME_EXCHANGE`: both paths exist, and change places in one step.
static const unsigned int MR_RENAME_EXCHANGE = 1 << 1;
