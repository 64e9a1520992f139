internal import ArgumentParser

/// The options of `millrace serve`.
struct ServeOptions: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOptions

    @Flag(help: "Run a private PostgreSQL under the data directory, reached by a Unix socket only.")
    var embedded = false
}
