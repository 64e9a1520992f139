/// The release, as `--version`, the TCP greeting and `ingest_spools` say it.
package enum Version {
    package static let current = "0.1.0"
}
