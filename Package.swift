// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

// `make build` says it; a build that is not told has none.
let commit = (Context.environment["MILLRACE_COMMIT"] ?? "").filter { $0.isLetter || $0.isNumber || "-._".contains($0) }

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"]),
        .library(name: "MillraceClient", targets: ["MillraceClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.0"),  // binary search
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),  // the command line
        .package(url: "https://github.com/apple/swift-asn1", from: "1.5.0"),  // names in a certificate
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),  // timers, merged streams
        .package(url: "https://github.com/apple/swift-certificates", from: "1.18.0"),  // what a certificate says
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),  // identities, encrypted fields, keys
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),  // header names and statuses
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),  // structured log lines
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),  // counters, gauges, recorders
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),  // sockets
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),  // HTTP types on NIO channels
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),  // TLS
        // Logs of OpenTelemetry. Its traits want Foundation, which would be half of the binary.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),  // latency histograms
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),  // HTTP routes
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),  // config.toml
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),  // JWKS by URL
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),  // start and stop
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),  // bearer tokens
    ],
    targets: [
        // C
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CChecksum"),
        .target(name: "CBuild", cSettings: [.define("MILLRACE_COMMIT", to: "\"\(commit)\"")]),
        .target(name: "CEpoll"),
        .target(name: "CPacks", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
        .target(name: "CPage", exclude: ["page"], cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
        .target(
            name: "CMillrace",
            cxxSettings: [.headerSearchPath("."), .unsafeFlags(["-O2"])],
            linkerSettings: [.linkedLibrary("simdjson")]
        ),

        // For apps: on lines over TCP, since that answers each line on one connection and needs no HTTP client; with as
        // little below it as that takes.
        .target(
            name: "MillraceClient",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),

        // Shared by the stages
        .target(name: "MillraceThreads", swiftSettings: swiftSettings),
        .target(name: "MillraceJSON", swiftSettings: swiftSettings),
        .target(name: "MillraceRoutes", dependencies: ["MillraceJSON"], swiftSettings: swiftSettings),
        .target(
            name: "MillraceEvent",
            dependencies: [
                "CChecksum", "CMillrace", "MillraceJSON",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceAccess",
            dependencies: ["MillraceEvent", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),
        .target(
            name: "MillraceChannels",
            dependencies: [
                "MillraceEvent", "MillraceJSON", "MillraceTelemetry",
                .product(name: "Algorithms", package: "swift-algorithms"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "MillraceTelemetry",
            dependencies: [
                "CZlib", "MillraceJSON", "MillraceThreads",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceDialects",
            dependencies: [
                "CMillrace", "MillraceEvent", "MillraceJSON",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["OTLP/answers.proto", "OTLP/logs.proto", "OTLP/values.proto"],
            swiftSettings: swiftSettings),
        .target(name: "MillraceTOML", swiftSettings: swiftSettings),
        .target(
            name: "MillraceTreatment",
            dependencies: [
                "CMillrace", "MillraceEvent", "MillraceJSON", "MillraceTelemetry", "MillraceTOML",
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceConfiguration",
            dependencies: [
                "MillraceAPI", "MillraceAccess", "MillraceArchive", "MillraceBackup", "MillraceChannels",
                "MillraceEvent",
                "MillraceIntake",
                "MillracePostgres", "MillraceProjections", "MillraceSpool", "MillraceTelemetry", "MillraceTOML",
                "MillraceTreatment", "MillraceWriter",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: swiftSettings
        ),

        // Stages
        .target(
            name: "MillraceIntake",
            dependencies: [
                "CMillrace", "CZlib", "CZstd", "MillraceAccess", "MillraceChannels", "MillraceDialects",
                "MillraceEvent",
                "MillraceJSON", "MillraceRoutes", "MillraceTelemetry", "MillraceTreatment",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("Browser")],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceSpool",
            dependencies: [
                "MillraceChannels", "MillraceEvent", "MillraceTelemetry", "MillraceThreads",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillracePostgres",
            dependencies: [
                "CLibPQ", "MillraceAccess", "MillraceJSON", "MillraceTelemetry",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Migrations")],  // a link to sql/migrations
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceProjections",
            dependencies: [
                "CPacks", "CMillrace", "MillraceEvent", "MillraceJSON", "MillracePostgres", "MillraceTOML",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceArchive",
            dependencies: [
                "CZstd", "MillraceEvent", "MillraceJSON", "MillracePostgres", "MillraceProjections",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceWriter",
            dependencies: [
                "CMillrace", "MillraceChannels", "MillraceEvent", "MillracePostgres", "MillraceProjections",
                "MillraceTelemetry", "MillraceThreads",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceAPI",
            dependencies: [
                "CPage", "CZlib",
                "MillraceAccess", "MillraceChannels", "MillraceEvent", "MillraceJSON", "MillracePostgres",
                "MillraceProjections",
                "MillraceRoutes", "MillraceTelemetry", "MillraceThreads", "MillraceTOML", "MillraceTreatment",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),

        .target(
            name: "MillraceBackup",
            dependencies: [
                "MillraceEvent", "MillraceJSON", "MillracePostgres", "MillraceSpool",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings
        ),

        // The whole
        .target(
            name: "MillraceDaemon",
            dependencies: [
                "CBuild", "CMillrace", "MillraceAPI", "MillraceAccess", "MillraceArchive", "MillraceBackup",
                "MillraceConfiguration",
                "MillraceChannels",
                "MillraceEvent", "MillraceIntake", "MillraceJSON",
                "MillracePostgres", "MillraceProjections", "MillraceRoutes", "MillraceSpool", "MillraceTelemetry",
                "MillraceThreads", "MillraceTreatment", "MillraceWriter",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceConsole",
            dependencies: [
                "CZlib", "CZstd", "MillraceAPI", "MillraceAccess", "MillraceBackup", "MillraceChannels",
                "MillraceConfiguration",
                "MillraceDaemon", "MillraceEvent",
                "MillraceIntake", "MillracePostgres", "MillraceProjections", "MillraceRoutes", "MillraceSpool",
                "MillraceTelemetry",
                "MillraceTreatment", "MillraceWriter",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceBench",
            dependencies: [
                "CEpoll", "MillraceClient", "MillraceConsole", "MillraceEvent", "MillraceJSON", "MillracePostgres",
                "MillraceTelemetry", "MillraceThreads",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceCommands",
            dependencies: [
                "CMillrace", "CPacks", "MillraceAPI", "MillraceAccess", "MillraceArchive", "MillraceBackup",
                "MillraceBench",
                "MillraceChannels", "MillraceClient",
                "MillraceConfiguration", "MillraceConsole", "MillraceDaemon", "MillraceEvent", "MillraceIntake",
                "MillraceJSON",
                "MillracePostgres", "MillraceProjections", "MillraceSpool", "MillraceTelemetry", "MillraceThreads",
                "MillraceTreatment",
                "MillraceWriter",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "millrace",
            dependencies: [
                "MillraceCommands",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Monitoring"],
            swiftSettings: swiftSettings
        ),
        // The guide's example, as it stands there; a test compares and runs it.
        .executableTarget(
            name: "client-example", dependencies: ["MillraceClient"], path: "Tests/ClientExample",
            swiftSettings: swiftSettings),

        // Tests
        .testTarget(
            name: "MillraceAccessTests", dependencies: ["MillraceAccess", "MillraceEvent", "MillraceTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceClientTests",
            dependencies: [
                "MillraceClient", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "MillraceJSONTests", dependencies: ["MillraceJSON"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MillraceSpoolTests",
            dependencies: [
                "MillraceChannels", "MillraceEvent", "MillraceSpool", "MillraceThreads",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceChannelsTests",
            dependencies: [
                "MillraceChannels", "MillraceEvent", "MillraceJSON", "MillraceTelemetry", "MillraceTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceThreadsTests", dependencies: ["MillraceEvent", "MillraceTestSupport", "MillraceThreads"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MillraceEventTests",
            dependencies: ["CChecksum", "CFuzz", "CMillrace", "MillraceEvent", "MillraceTestSupport"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "CFuzz",
            dependencies: ["CMillrace"],
            path: "Tests/Fuzz",
            exclude: ["corpus", "driver.cpp", "findings", "json.dict", "seeds.sh"],  // for `make fuzz`
            cxxSettings: [.unsafeFlags(["-O1"])]
        ),
        .testTarget(
            name: "MillraceWriterTests",
            dependencies: [
                "MillraceChannels", "MillraceEvent", "MillracePostgres", "MillraceProjections", "MillraceTestSupport",
                "MillraceWriter",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceProjectionsTests",
            dependencies: [
                "CMillrace", "MillraceEvent", "MillracePostgres", "MillraceProjections", "MillraceTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceIntakeTests",
            dependencies: [
                "MillraceAccess", "MillraceChannels", "MillraceDialects", "MillraceEvent", "MillraceIntake",
                "MillraceTelemetry", "MillraceTestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillracePostgresTests",
            dependencies: [
                "MillraceAccess", "MillraceEvent", "MillraceJSON", "MillracePostgres", "MillraceTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceEndToEndTests",
            dependencies: [
                "CLibPQ", "CZstd", "MillraceAccess", "MillraceClient", "MillraceEvent", "MillracePostgres",
                "MillraceProjections", "MillraceTestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "MillraceTestSupport",
            dependencies: [
                "CLibPQ", "CZlib", "CZstd", "MillraceConfiguration", "MillracePostgres", "MillraceProjections",
            ],
            path: "Tests/MillraceTestSupport",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceAPITests",
            dependencies: [
                "MillraceAPI", "MillraceAccess", "MillraceChannels", "MillraceEvent", "MillraceIntake",
                "MillracePostgres", "MillraceProjections", "MillraceRoutes", "MillraceTelemetry", "MillraceTestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceArchiveTests", dependencies: ["MillraceArchive", "MillraceEvent", "MillracePostgres"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MillraceConfigurationTests",
            dependencies: [
                "MillraceAPI", "MillraceAccess", "MillraceArchive", "MillraceConfiguration", "MillraceEvent",
                "MillraceIntake",
                "MillracePostgres", "MillraceSpool", "MillraceTelemetry", "MillraceWriter",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceDaemonTests",
            dependencies: [
                "MillraceAPI", "MillraceAccess", "MillraceConfiguration", "MillraceDaemon", "MillraceEvent",
                "MillraceTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceBackupTests", dependencies: ["MillraceBackup", "MillraceEvent", "MillraceTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceDialectsTests", dependencies: ["MillraceDialects", "MillraceEvent", "MillraceTestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "MillraceTreatmentTests",
            dependencies: ["CMillrace", "MillraceEvent", "MillraceTestSupport", "MillraceTreatment"],
            swiftSettings: swiftSettings),
        .testTarget(name: "MillraceTOMLTests", dependencies: ["MillraceTOML"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MillraceTelemetryTests",
            dependencies: [
                "MillraceTelemetry", "MillraceTestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceConsoleTests",
            dependencies: ["MillraceAccess", "MillraceConsole", "MillracePostgres", "MillraceTestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceBenchTests",
            dependencies: [
                "MillraceBench", "MillraceChannels", "MillraceConsole", "MillraceEvent", "MillraceTelemetry",
                "MillraceTestSupport",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "MillraceCommandsTests",
            dependencies: [
                "MillraceAPI", "MillraceChannels", "MillraceClient", "MillraceCommands", "MillraceConfiguration",
                "MillraceConsole", "MillraceDaemon", "MillraceEvent", "MillracePostgres", "MillraceProjections",
                "MillraceTestSupport",
            ],
            swiftSettings: swiftSettings
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
