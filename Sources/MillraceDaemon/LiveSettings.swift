import MillraceAPI
import MillraceIntake
import MillraceTelemetry
import MillraceWriter

/// What the stages go by now; a reload replaces it.
struct LiveSettings {
    let tcp: Live<TCPIntakeConfiguration>
    let http: Live<HTTPIntakeConfiguration>
    let writer: Live<WriterConfiguration>

    init(_ settings: StageSettings) {
        tcp = Live(settings.tcp)
        http = Live(settings.http)
        writer = Live(settings.writer)
    }

    func replace(with settings: StageSettings) {
        tcp.replace(with: settings.tcp)
        http.replace(with: settings.http)
        writer.replace(with: settings.writer)
    }
}
