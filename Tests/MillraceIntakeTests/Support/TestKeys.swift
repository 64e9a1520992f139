import MillraceAccess
import MillraceEvent
import MillraceIntake
import MillraceTelemetry

/// Keys in force for an intake under test.
final class TestKeys: Sendable {
    let ring = KeyRing(isRequired: true)

    /// Puts one key in force in the place of all others. Returns its text.
    func put(_ scopes: Set<AccessScope> = [.write], _ change: (inout KeyRecord) -> Void = { _ in }) -> String {
        let (key, text) = AccessKey.make(scopes: scopes)
        var record = KeyRecord(id: key.id, name: "test", tenant: 7, scopes: scopes, secretHash: key.secretHash)
        change(&record)
        ring.replace(with: [record], at: .now, clock: 0)
        return text
    }

    func revokeAll() { ring.replace(with: [], at: .now, clock: 0) }

    func access(_ change: (inout AccessLimits) -> Void = { _ in }) -> IntakeAccess {
        var limits = AccessLimits()
        change(&limits)
        return IntakeAccess(keyRing: ring, limits: Live(limits))
    }
}
