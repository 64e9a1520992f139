import MillraceConfiguration
import MillraceIntake
import MillraceTelemetry
import MillraceWriter

/// What the stages go by now; a reload replaces it.
struct LiveSettings {
    let tcp: Live<TCPIntakeConfiguration>
    let http: Live<HTTPIntakeConfiguration>
    let writer: Live<WriterConfiguration>
    private let access: IntakeAccess

    init(_ settings: StageSettings, _ access: IntakeAccess) {
        self.access = access
        tcp = Live(settings.tcp)
        http = Live(settings.http)
        writer = Live(settings.writer)
    }

    /// `configuration`: what `settings` were made of.
    func replace(with settings: StageSettings, of configuration: DaemonConfiguration) {
        // First: connections that are told of the others look at these too.
        access.limits.replace(with: configuration.accessLimits)
        access.auth.replace(with: configuration.auth)
        tcp.replace(with: settings.tcp)
        http.replace(with: settings.http)
        writer.replace(with: settings.writer)
    }
}
