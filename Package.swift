// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// The libraries are optimised in debug builds too: without that the tests take twice as long. Assertions stay on.
let optimised = settings + [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

let package = Package(
    name: "stored-actions",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "stored-actions", targets: ["stored-actions"]),
        .executable(name: "stored-actions-sandbox", targets: ["stored-actions-sandbox"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    ],
    targets: [
        .executableTarget(
            name: "stored-actions",
            dependencies: [
                "ActionsAPI", "ActionsHTTP", "CLinux", "ExportCore", "Exporter", "Migrations", "Postgres",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Exporter",
            dependencies: [
                "ActionsAPI", "ActionsHTTP", "ExportCore", "Inflate", "JSONText", "Migrations", "Postgres",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [
                .embedInCode("SQL/forget_chains.sql"), .embedInCode("SQL/insert_chains.sql"),
                .embedInCode("SQL/known_runs.sql"), .embedInCode("SQL/lock_holders.sql"),
                .embedInCode("SQL/mark_suspects.sql"),
                .embedInCode("SQL/rehearsal.sql"), .embedInCode("SQL/roles.sql"),
                .embedInCode("SQL/schema_strangers.sql"),
            ],
            swiftSettings: optimised
        ),
        // What decides: no database, no HTTP, no log, so that the compiler keeps them out.
        .target(
            name: "ExportCore",
            dependencies: [
                "ActionsAPI",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: optimised
        ),
        .target(
            name: "ActionsAPI",
            dependencies: [
                "JSONText",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: optimised
        ),
        .target(
            name: "ActionsHTTP",
            dependencies: [
                "ActionsAPI", "Inflate", "JSONText",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: optimised
        ),
        .target(name: "JSONText", swiftSettings: optimised),
        .target(name: "Inflate", dependencies: ["CZlib"], swiftSettings: optimised),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: optimised),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Migrations",
            path: "migrations",
            resources: [
                .embedInCode("0001_init.sql"), .embedInCode("0002_page_chains.sql"),
                .embedInCode("0003_exact_bytes.sql"), .embedInCode("0004_keys.sql"),
                .embedInCode("0005_accounts.sql"), .embedInCode("0006_operations.sql"),
                .embedInCode("0007_work_lists.sql"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "stored-actions-sandbox",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BenchmarkParts",
            dependencies: [
                "ActionsAPI", "ExportCore", "Exporter", "JSONText", "Postgres",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Benchmarks/Parts",
            swiftSettings: optimised
        ),
        .executableTarget(
            name: "instruction-gate", dependencies: ["BenchmarkParts"], path: "Benchmarks/Gate", swiftSettings: settings
        ),
        .testTarget(name: "InflateTests", dependencies: ["Inflate", "Support"], swiftSettings: settings),
        .testTarget(name: "JSONTextTests", dependencies: ["JSONText", "Support"], swiftSettings: settings),
        .target(name: "Support", dependencies: ["CZlib", "Postgres"], path: "Tests/Support", swiftSettings: settings),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "Support"], swiftSettings: settings),
        .testTarget(
            name: "ActionsAPITests",
            dependencies: [
                "ActionsAPI", "ActionsHTTP", "JSONText", "Support",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TransportTests",
            dependencies: [
                "ActionsAPI", "ActionsHTTP", "JSONText", "Support",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ExporterTests",
            dependencies: [
                "ActionsAPI", "ActionsHTTP", "ExportCore", "Exporter", "JSONText", "Migrations", "Postgres", "Support",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "ExportCore", "Postgres", "Support", "stored-actions", "stored-actions-sandbox",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "StoredActionsTests",
            dependencies: ["ActionsAPI", "ActionsHTTP", "CLinux", "ExportCore", "stored-actions"],
            swiftSettings: settings),
        .testTarget(
            name: "SandboxTests",
            dependencies: ["stored-actions-sandbox", .product(name: "HTTPTypes", package: "swift-http-types")],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)

// What only `make bench` needs. Without the variable, it is neither resolved nor built.
if Context.environment["STORED_ACTIONS_BENCHMARKS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/ordo-one/benchmark", exact: "1.38.1", traits: []))
    package.targets += [
        .systemLibrary(name: "CEpoll", path: "Benchmarks/CEpoll"),
        .executableTarget(
            name: "answer-server", dependencies: ["CEpoll"], path: "Benchmarks/AnswerServer", swiftSettings: settings),
        .executableTarget(
            name: "http-floor",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Benchmarks/HTTPFloor",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Micro",
            dependencies: ["BenchmarkParts", "Postgres", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/Micro",
            swiftSettings: settings,
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
        .executableTarget(name: "bench", path: "Benchmarks/Harness", swiftSettings: settings),
    ]
}
