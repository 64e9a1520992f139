internal import MillraceEvent

extension ConfigurationSchema {
    private static let metric = "millrace_intake_fields_treated_total"

    static let fields = ConfigurationSection(
        name: "fields",
        doc:
            "Values that no disk sees as they came: paths like payload.contact.email, order.placed:payload.card, metadata.x.",
        keys: [
            .string(
                "keys_file", \.fields.keysFile,
                "File of the keys, which `millrace fields keys` makes; read again on reload. For the daemon's user only."
            ).live,
            .list(
                "encrypt", \.fields.encrypt,
                "Encrypted with AES-256-GCM; keys with the scope decrypt read them. question and response are paths too.",
                watch: metric
            ).live,
            .list(
                "index", \.fields.index,
                "Of encrypt: found by equal values, through a keyed hash beside them that tells which rows are alike.",
                watch: metric
            ).live,
            .list(
                "sha256", \.fields.sha256,
                "Replaced by HMAC-SHA-256 with a key of their own: equal values stay equal, and can't be guessed without it.",
                watch: metric
            ).live,
            .list("mask", \.fields.mask, "Replaced by ***.", watch: metric).live,
            .integer(
                "mask_keep", \.fields.maskKeep, 0...8, unit: "characters",
                "Last characters of a masked text that stay, where it has three times as many."
            ).live,
            .list("drop", \.fields.drop, "Left out.", watch: metric).live,
        ])
}
