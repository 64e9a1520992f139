package import MillracePostgres

/// What is to be done next with a month on its way to its goal. Each action ends in a state that is written down, so that
/// whoever comes after a crash asks again and goes on.
///
/// ```
/// out:  live ─► sealing ─► detaching ─► detached ─► archived ─► verified ─► dropped
/// back: dropped ─► restoring ─► attaching ─► restored (or live)
///       detached, archived, verified ─► attaching
/// ```
package enum MonthStateMachine {
    package enum Action: Sendable, Equatable {
        /// Its goal is reached.
        case done
        /// `sealing`.
        case seal
        /// From here on rows of the month are dead letters; `detaching`.
        case shut
        /// Makes it a table by itself and counts its rows; `detached`.
        case detach
        /// `archived`.
        case archive
        /// `verified`.
        case verify
        /// `dropped`.
        case drop
        /// `restoring`.
        case beginRestore
        /// Loads the archive; `attaching`.
        case load
        /// `attaching`.
        case beginAttach
        /// Makes it a partition; `restored` or `live`.
        case attach
        /// Rows go in again; `live`.
        case open
        /// Takes back a restore whose rows nobody has seen; `dropped`.
        case abandonRestore
        /// The table is neither attached nor there.
        case refuseUnknown
        /// Something stands where the month's table is to be made.
        case refuseForeign
        /// A restore has to be ended first.
        case refuseUnfinished
    }

    package static func next(
        _ state: MonthState, goal: MonthGoal, attachment: Partitions.Attachment
    ) -> Action {
        switch goal {
        case .detached, .verified, .dropped: out(state, goal, attachment)
        case .live, .restored: back(state, goal, attachment)
        }
    }

    private static func out(
        _ state: MonthState, _ goal: MonthGoal, _ attachment: Partitions.Attachment
    ) -> Action {
        let isPartition = attachment == .attached || attachment == .pending
        switch state {
        case .live, .restored, .attaching: return attachment == .missing ? .refuseUnknown : .seal
        case .sealing: return attachment == .missing ? .refuseUnknown : .shut
        case .detaching: return attachment == .missing ? .refuseUnknown : .detach
        // Somebody attached it by hand.
        case .detached where isPartition, .archived where isPartition, .verified where isPartition: return .seal
        case .detached where goal == .detached: return .done
        case .detached: return attachment == .missing ? .refuseUnknown : .archive
        case .archived: return .verify
        case .verified: return goal == .dropped ? .drop : .done
        case .dropped: return isPartition ? .seal : .done
        case .restoring: return goal == .dropped ? .abandonRestore : .refuseUnfinished
        }
    }

    private static func back(
        _ state: MonthState, _ goal: MonthGoal, _ attachment: Partitions.Attachment
    ) -> Action {
        switch state {
        // Somebody detached it by hand.
        case .live: return attachment == .apart ? .beginAttach : .done
        case .sealing: return .open
        case .detaching where attachment == .attached: return .open
        case .detaching: return attachment == .missing ? .refuseUnknown : .detach
        case .detached, .archived, .verified:
            return attachment == .missing ? state == .detached ? .refuseUnknown : .beginRestore : .beginAttach
        case .dropped: return attachment == .missing ? .beginRestore : .refuseForeign
        case .restoring: return attachment == .missing ? .load : .refuseForeign
        case .attaching: return .attach
        case .restored: return goal == .live ? .open : .done
        }
    }
}
