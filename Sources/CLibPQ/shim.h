#include <libpq-fe.h>

// Linux calls that MillracePostgres needs and that Swift's Glibc module leaves out.
#include <spawn.h>
#include <sys/eventfd.h>

int pipe2(int descriptors[2], int flags);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
