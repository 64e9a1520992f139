import MillraceAPI
internal import MillraceChannels
import MillraceConfiguration
import MillraceIntake
import MillraceTelemetry
import MillraceTreatment

extension ReloadPart {
    /// Intakes, writers, readers and routes, with the token keys that files hold. `settings`: of a configuration.
    static func stages(
        _ live: LiveSettings, _ reads: ReadStage, _ pipeline: Pipeline, _ routes: RouteTable,
        settings: @escaping @Sendable (DaemonConfiguration) throws -> StageSettings
    ) -> ReloadPart {
        ReloadPart(name: "stages") { configuration in
            let settings = try settings(configuration)
            let new = try await routes.routes(configuration, settings)
            var prepared = Prepared {
                live.replace(with: settings, of: configuration)
                pipeline.memory.set(configuration.memory)
                reads.set(configuration)
                routes.replace(with: new)
            }
            if settings.fields.keys != nil {
                let summary = settings.fields.summary
                prepared.detail = { "fields: \(summary)" }
            }
            return prepared
        }
    }

    /// `rules.file`, which the stages read: says how many rules they go by then.
    static func rules(_ live: LiveSettings) -> ReloadPart {
        ReloadPart(name: "rules.file") { configuration in
            var prepared = Prepared {}
            if !configuration.rules.file.isEmpty {
                prepared.detail = { "\(live.http.value.policy?.ruleCount ?? 0) rules in force" }
            }
            return prepared
        }
    }

    /// `jwt.jwks_url`.
    static func tokens(_ keySets: KeySetService) -> ReloadPart {
        ReloadPart(name: "jwt.jwks_url") { configuration in
            var prepared = Prepared { await keySets.set(configuration.jwt) }
            if !configuration.jwt.jwksURL.isEmpty {
                prepared.detail = { "\(keySets.keys.keyCount) keys in force" }
            }
            return prepared
        }
    }

    /// Nil: no listener speaks TLS.
    static func certificates(_ certificates: TLSCertificates?) -> ReloadPart {
        ReloadPart(name: "tls") { configuration in
            guard let certificates else { return Prepared {} }
            let apply = try certificates.prepared(configuration.tls)
            var prepared = Prepared { apply() }
            prepared.detail = {
                let facts = certificates.facts
                let end = LogTime.text(.seconds(facts.validUntil))
                return "the certificate of \(facts.subject), valid until \(end)"
            }
            return prepared
        }
    }

    static func log(_ settings: LogSettings) -> ReloadPart {
        ReloadPart(name: "log") { configuration in
            Prepared { settings.set(level: configuration.log.level, format: configuration.log.format) }
        }
    }
}
