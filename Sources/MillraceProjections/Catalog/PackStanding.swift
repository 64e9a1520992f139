/// How a pack's files and its versions in the database go together.
package struct PackStanding: Sendable, Equatable {
    package enum State: String, Sendable {
        /// The live version is the one of these files.
        case current
        /// The database has nothing of it.
        case missing
        /// The files changed and kept their version.
        case changed
        /// The files have a higher version than the live one.
        case outdated
        /// The live version is higher than that of the files.
        case newer
        /// There is no live version yet, one is to be built.
        case building
        /// In the database, and not among `projections.packs`.
        case unconfigured
    }

    package var pack: String
    package var state: State
    package var live: PackVersion?
    package var building: PackVersion?

    /// Whether batches are folded into the live version by whoever has these files.
    package var isFolded: Bool { state == .current }

    /// Every pack that is configured (`packs`) or in the database, by name.
    package static func all(_ packs: [PackDefinition], _ versions: [PackVersion]) -> [PackStanding] {
        Set(packs.map(\.name) + versions.map(\.pack)).sorted().map { name in
            let own = versions.filter { $0.pack == name }
            let live = own.first { $0.state == .live }
            return PackStanding(
                pack: name, state: state(packs.first { $0.name == name }, live, isKnown: !own.isEmpty), live: live,
                building: own.first { $0.state == .building })
        }
    }

    private static func state(_ pack: PackDefinition?, _ live: PackVersion?, isKnown: Bool) -> State {
        guard let pack else { return .unconfigured }
        guard isKnown else { return .missing }
        guard let live else { return .building }
        if live.isMade(from: pack) { return .current }
        if live.version == pack.version { return .changed }
        return live.version < pack.version ? .outdated : .newer
    }

    /// Why the daemon must not start with these files; nil: it may.
    package var refusal: ProjectionsError? {
        switch state {
        case .missing:
            ProjectionsError(
                .notInstalled, pack: pack, "its tables are not in the database", hint: "Run `millrace migrate up`.")
        case .changed:
            ProjectionsError(
                .definitionChanged, pack: pack,
                "its files changed, and its version is still \(live?.version ?? 0)",
                hint: "Put the old files back, or raise `version` in its pack.toml and, once the daemon has started, "
                    + "run `millrace projections rebuild \(pack)`.")
        case .current, .outdated, .newer, .building, .unconfigured: nil
        }
    }

    /// What the operator should fix although the daemon runs, and how; nil: nothing.
    package var warning: (message: String, fix: String)? {
        switch state {
        case .current, .missing, .changed: nil
        case .outdated:
            (
                "version \(live?.version ?? 0) is live and is not folded any more: the files are of a higher one",
                "Run `millrace projections rebuild \(pack)`."
            )
        case .newer:
            (
                "version \(live?.version ?? 0) is live and is not folded: the files are of a lower one",
                "Run the newer Millrace, or the pack's newer files."
            )
        case .building:
            (
                "no version is live yet: the ledger held batches when it was installed",
                "Run `millrace projections rebuild \(pack)`."
            )
        case .unconfigured:
            (
                "in the database, not folded: projections.packs does not name it",
                "Add it to projections.packs and run `millrace projections rebuild \(pack)`, or leave it as it is."
            )
        }
    }
}
