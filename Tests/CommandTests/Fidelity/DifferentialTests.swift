import Foundation
import Testing

/// Generated answers go through the real program into a real database; what is in the tables then is compared with what
/// PostgreSQL's own parser says of the same bytes, and with what the generator planted.
@Suite("Fidelity")
struct DifferentialTests {
    @Test func `What is stored is what was sent, exactly or beside its own bytes`() async throws {
        var generator = AnswerGenerator(seed: 20_261_120)
        var answers = [
            generator.plain(results: [.nested(1_000), .nested(1_001), .nested(5_000), .nested(200_000), .null])
        ]
        for _ in 0..<2_400 { answers.append(generator.valid()) }
        for _ in 0..<100 { answers.append(generator.other()) }
        for _ in 0..<150 { answers.append(generator.broken()) }
        for _ in 0..<450 { answers.append(generator.mutated()) }
        #expect(answers.count >= 3_000)
        try await compare(answers)
    }

    @Test func `Every digit of every number arrives`() async throws {
        var generator = AnswerGenerator(seed: 1)
        let digits = "0.1234567890123456789012345678901234567890"
        let numbers = ["12345678901234567890123456789", "10.10", digits, "-0.00000000000000000001", "9007199254740993"]
        let huge = PlantedValue.number("1e300", fits: true)
        let answer = generator.plain(results: numbers.map { .number($0, fits: true) } + [huge])
        try await export([answer]) { database in
            let stored = try await database.rows(
                "select payload::text from results where payload_raw is null order by item_index")
            #expect(stored == numbers + ["1" + String(repeating: "0", count: 300)])
        }
    }

    private func compare(_ answers: [PlannedAnswer]) async throws {
        try await export(answers) { database in
            let oracle = Oracle(database: database)
            try await oracle.expect(answers)
            for differences in [
                try await oracle.differencesOfRuns(), try await oracle.differencesOfResults(),
                try await oracle.differencesOfErrors(),
            ] {
                #expect(differences.isEmpty, "\(differences.count) differences: \(differences.prefix(5))")
            }
            #expect(try await oracle.unclear() < 10, "bodies that PostgreSQL cannot judge")
            #expect(try await database.count("runs") == answers.count)
            #expect(try await database.count("rejects") == 0)
            // The test is worth something only while it meets all of them.
            #expect(try await database.count("results where payload_raw is null") > 3_000)
            #expect(try await database.count("results where payload_raw is not null") > 500)
            #expect(try await database.count("errors where raw is not null") > 100)
            #expect(try await database.count("runs where extra_raw is not null") > 100)
            #expect(try await database.count("runs where outcome = 'failed'") > 300)
        }
    }

    private func export(
        _ answers: [PlannedAnswer], _ body: @escaping @Sendable (TestDatabase) async throws -> Void
    ) async throws {
        let bodies = Dictionary(
            answers.map { ($0.run, AnswerServer.Answer(status: $0.httpStatus, body: $0.body)) },
            uniquingKeysWith: { first, _ in first })
        let lines = answers.map {
            #"{"stored_action_id": "ac000001-0000-4000-8000-000000000001", "run_id": "\#($0.run)"}"#
        }
        try await TestDatabase.with { database in
            try await AnswerServer.with(bodies) { server in
                let folder = FileManager.default.temporaryDirectory.appending(path: database.name)
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: folder) }
                let stage = Stage(
                    sandbox: Sandbox(url: server.url), database: database, folder: folder,
                    tool: try Program(built: "stored-actions"))
                let path = try stage.write(lines.joined(separator: "\n"), to: "answers.jsonl")
                let finished = try await stage.run([
                    "export", "--manifest", path, "--json", "--quiet", "--max-wait", "0", "--fail-on", "none",
                    "--allow", "waiting,pending",
                ])
                #expect([0, 75].contains(finished.status), "\(finished.stderr.suffix(2_000))")
                try await body(database)
            }
        }
    }
}
