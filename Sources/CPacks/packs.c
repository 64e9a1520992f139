#include "packs.h"

// The files are those of sql/packs, as they are.
static const unsigned char analytics_pack[] = {
#embed "../../sql/packs/analytics/pack.toml"
};
static const unsigned char analytics_up[] = {
#embed "../../sql/packs/analytics/up.sql"
};
static const unsigned char analytics_down[] = {
#embed "../../sql/packs/analytics/down.sql"
};

#define FILE_OF(pack, name, bytes) {pack, name, bytes, sizeof bytes}

const mr_pack_file mr_pack_files[] = {
    FILE_OF("analytics", "pack.toml", analytics_pack),
    FILE_OF("analytics", "up.sql", analytics_up),
    FILE_OF("analytics", "down.sql", analytics_down),
};
const size_t mr_pack_file_count = sizeof mr_pack_files / sizeof mr_pack_files[0];
