// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A target of the package above, compiled as a part of this one (`Millrace` links to its sources): `package` access ends
/// at the package's border, and products that exist only to be measured would be every user's.
func part(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Millrace/\(name)", exclude: exclude, resources: resources,
        swiftSettings: swiftSettings)
}

// Nested, so that users of Millrace's package do not resolve what only measurements need.
let package = Package(
    name: "benchmarks",
    products: [
        .executable(name: "bare-server", targets: ["BareServer"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.0"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.18.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Without its traits, whose interposers change what is measured.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    ],
    targets: [
        // What HTTP is compared with.
        .executableTarget(
            name: "BareServer",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),

        // The inner parts, one at a time.
        .executableTarget(
            name: "Parts",
            dependencies: [
                "MillraceChannels", "MillraceEvent", "MillraceIntake", "MillraceSpool", "MillraceWriter",
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "BenchmarkPlugin", package: "benchmark"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Parts",
            swiftSettings: swiftSettings
        ),
        .systemLibrary(name: "CLibPQ", path: "Millrace/CLibPQ", pkgConfig: "libpq"),
        .systemLibrary(name: "CZlib", path: "Millrace/CZlib", pkgConfig: "zlib"),
        .systemLibrary(name: "CZstd", path: "Millrace/CZstd", pkgConfig: "libzstd"),
        .target(name: "CChecksum", path: "Millrace/CChecksum"),
        .target(
            name: "CMillrace", path: "Millrace/CMillrace",
            cxxSettings: [.headerSearchPath("."), .unsafeFlags(["-O2"])],
            linkerSettings: [.linkedLibrary("simdjson")]),
        part("MillraceThreads", []),
        part("MillraceJSON", []),
        part("MillraceRoutes", ["MillraceJSON"]),
        part(
            "MillraceEvent",
            [
                "CChecksum", "CMillrace", "MillraceJSON",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        part("MillraceAccess", ["MillraceEvent", .product(name: "Crypto", package: "swift-crypto")]),
        part(
            "MillraceChannels",
            [
                "MillraceEvent", "MillraceJSON", "MillraceTelemetry",
                .product(name: "Algorithms", package: "swift-algorithms"),
            ]),
        part(
            "MillraceTelemetry",
            [
                "CZlib", "MillraceJSON", "MillraceThreads",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        part(
            "MillraceDialects",
            [
                "CMillrace", "MillraceEvent", "MillraceJSON",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["OTLP/answers.proto", "OTLP/logs.proto", "OTLP/values.proto"]),
        part(
            "MillraceIntake",
            [
                "CMillrace", "CZlib", "CZstd", "MillraceAccess", "MillraceChannels", "MillraceDialects",
                "MillraceEvent",
                "MillraceJSON", "MillraceRoutes", "MillraceTelemetry", "MillraceTreatment",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("Browser")]),
        part(
            "MillraceSpool",
            [
                "MillraceChannels", "MillraceEvent", "MillraceTelemetry", "MillraceThreads",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        part(
            "MillracePostgres",
            [
                "CLibPQ", "MillraceAccess", "MillraceJSON", "MillraceTelemetry",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Migrations")]),
        .target(name: "CPacks", path: "Millrace/CPacks", cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),
        part("MillraceTOML", []),
        part(
            "MillraceTreatment",
            [
                "CMillrace", "MillraceEvent", "MillraceJSON", "MillraceTelemetry", "MillraceTOML",
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        part(
            "MillraceProjections",
            [
                "CPacks", "CMillrace", "MillraceEvent", "MillraceJSON", "MillracePostgres", "MillraceTOML",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        part(
            "MillraceWriter",
            [
                "CMillrace", "MillraceChannels", "MillraceEvent", "MillracePostgres", "MillraceProjections",
                "MillraceTelemetry", "MillraceThreads",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
