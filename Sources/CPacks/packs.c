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
static const unsigned char analytics_seed[] = {
#embed "../../sql/packs/analytics/seed.ndjson"
};
static const unsigned char casework_pack[] = {
#embed "../../sql/packs/casework/pack.toml"
};
static const unsigned char casework_up[] = {
#embed "../../sql/packs/casework/up.sql"
};
static const unsigned char casework_down[] = {
#embed "../../sql/packs/casework/down.sql"
};
static const unsigned char casework_seed[] = {
#embed "../../sql/packs/casework/seed.ndjson"
};
static const unsigned char commerce_pack[] = {
#embed "../../sql/packs/commerce/pack.toml"
};
static const unsigned char commerce_up[] = {
#embed "../../sql/packs/commerce/up.sql"
};
static const unsigned char commerce_down[] = {
#embed "../../sql/packs/commerce/down.sql"
};
static const unsigned char commerce_seed[] = {
#embed "../../sql/packs/commerce/seed.ndjson"
};
static const unsigned char conversations_pack[] = {
#embed "../../sql/packs/conversations/pack.toml"
};
static const unsigned char conversations_up[] = {
#embed "../../sql/packs/conversations/up.sql"
};
static const unsigned char conversations_down[] = {
#embed "../../sql/packs/conversations/down.sql"
};
static const unsigned char conversations_seed[] = {
#embed "../../sql/packs/conversations/seed.ndjson"
};
static const unsigned char product_pack[] = {
#embed "../../sql/packs/product/pack.toml"
};
static const unsigned char product_up[] = {
#embed "../../sql/packs/product/up.sql"
};
static const unsigned char product_down[] = {
#embed "../../sql/packs/product/down.sql"
};
static const unsigned char product_seed[] = {
#embed "../../sql/packs/product/seed.ndjson"
};
static const unsigned char workspaces_pack[] = {
#embed "../../sql/packs/workspaces/pack.toml"
};
static const unsigned char workspaces_up[] = {
#embed "../../sql/packs/workspaces/up.sql"
};
static const unsigned char workspaces_down[] = {
#embed "../../sql/packs/workspaces/down.sql"
};
static const unsigned char workspaces_seed[] = {
#embed "../../sql/packs/workspaces/seed.ndjson"
};

static const unsigned char identity_up[] = {
#embed "../../sql/identity/up.sql"
};
static const unsigned char identity_down[] = {
#embed "../../sql/identity/down.sql"
};

const mr_identity_file mr_identity_up = {identity_up, sizeof identity_up};
const mr_identity_file mr_identity_down = {identity_down, sizeof identity_down};

#define FILE_OF(pack, name, bytes) {pack, name, bytes, sizeof bytes}

const mr_pack_file mr_pack_files[] = {
    FILE_OF("analytics", "pack.toml", analytics_pack),
    FILE_OF("analytics", "up.sql", analytics_up),
    FILE_OF("analytics", "down.sql", analytics_down),
    FILE_OF("analytics", "seed.ndjson", analytics_seed),
    FILE_OF("casework", "pack.toml", casework_pack),
    FILE_OF("casework", "up.sql", casework_up),
    FILE_OF("casework", "down.sql", casework_down),
    FILE_OF("casework", "seed.ndjson", casework_seed),
    FILE_OF("commerce", "pack.toml", commerce_pack),
    FILE_OF("commerce", "up.sql", commerce_up),
    FILE_OF("commerce", "down.sql", commerce_down),
    FILE_OF("commerce", "seed.ndjson", commerce_seed),
    FILE_OF("conversations", "pack.toml", conversations_pack),
    FILE_OF("conversations", "up.sql", conversations_up),
    FILE_OF("conversations", "down.sql", conversations_down),
    FILE_OF("conversations", "seed.ndjson", conversations_seed),
    FILE_OF("product", "pack.toml", product_pack),
    FILE_OF("product", "up.sql", product_up),
    FILE_OF("product", "down.sql", product_down),
    FILE_OF("product", "seed.ndjson", product_seed),
    FILE_OF("workspaces", "pack.toml", workspaces_pack),
    FILE_OF("workspaces", "up.sql", workspaces_up),
    FILE_OF("workspaces", "down.sql", workspaces_down),
    FILE_OF("workspaces", "seed.ndjson", workspaces_seed),
};
const size_t mr_pack_file_count = sizeof mr_pack_files / sizeof mr_pack_files[0];
