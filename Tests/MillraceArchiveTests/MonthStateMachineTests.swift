import MillraceArchive
import MillracePostgres
import Testing

struct MonthStateMachineTests {
    /// What the actions make of a month that nobody disturbs.
    private func walk(
        from state: MonthState, _ attachment: Partitions.Attachment, to goal: MonthGoal
    ) -> [MonthStateMachine.Action] {
        var (state, attachment) = (state, attachment)
        var actions: [MonthStateMachine.Action] = []
        for _ in 0..<20 {
            let action = MonthStateMachine.next(state, goal: goal, attachment: attachment)
            actions.append(action)
            switch action {
            case .done, .refuseUnknown, .refuseForeign, .refuseUnfinished: return actions
            case .seal: state = .sealing
            case .shut: state = .detaching
            case .detach: (state, attachment) = (.detached, .apart)
            case .archive: state = .archived
            case .verify: state = .verified
            case .drop: (state, attachment) = (.dropped, .missing)
            case .beginRestore: state = .restoring
            case .load: (state, attachment) = (.attaching, .apart)
            case .beginAttach: state = .attaching
            case .attach: (state, attachment) = (goal == .live ? .live : .restored, .attached)
            case .open: state = .live
            case .abandonRestore: state = .dropped
            }
        }
        return actions
    }

    @Test func `a month goes out step by step`() {
        #expect(
            walk(from: .live, .attached, to: .dropped) == [
                .seal, .shut, .detach, .archive, .verify, .drop, .done,
            ])
        #expect(walk(from: .live, .attached, to: .verified).suffix(2) == [.verify, .done])
        #expect(walk(from: .restored, .attached, to: .detached) == [.seal, .shut, .detach, .done])
    }

    @Test func `a month comes back from wherever it is`() {
        #expect(walk(from: .dropped, .missing, to: .restored) == [.beginRestore, .load, .attach, .done])
        #expect(walk(from: .verified, .apart, to: .live) == [.beginAttach, .attach, .done])
        #expect(walk(from: .sealing, .attached, to: .restored) == [.open, .done])
        #expect(walk(from: .detaching, .pending, to: .live) == [.detach, .beginAttach, .attach, .done])
        #expect(walk(from: .restored, .attached, to: .live) == [.open, .done])
    }

    @Test
    func `from every state and attachment each goal is reached or refused, and no table that is attached is dropped`() {
        for state in MonthState.allCases {
            for attachment in [Partitions.Attachment.attached, .pending, .apart, .missing] {
                for goal in MonthGoal.allCases {
                    let actions = walk(from: state, attachment, to: goal)
                    let ends: [MonthStateMachine.Action] = [.done, .refuseUnknown, .refuseForeign, .refuseUnfinished]
                    #expect(ends.contains(actions.last ?? .seal), "\(state) \(attachment) \(goal): \(actions)")
                    guard attachment == .attached || attachment == .pending, let drop = actions.firstIndex(of: .drop)
                    else { continue }
                    #expect(actions[..<drop].contains(.detach), "\(state) \(attachment) \(goal): \(actions)")
                }
            }
        }
    }

    @Test func `nothing is dropped that was not verified`() {
        for state in MonthState.allCases where state != .verified && state != .dropped {
            let actions = walk(from: state, .apart, to: .dropped)
            guard let drop = actions.firstIndex(of: .drop) else { continue }
            #expect(actions[..<drop].contains(.verify), "\(state): \(actions)")
        }
    }
}
