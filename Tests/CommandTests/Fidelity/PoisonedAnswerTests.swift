import Foundation
import Testing

/// Answers that hold very many small things where few are expected, or one large thing where a word is. Each is stored
/// beside small ones, and takes at most three times its bytes.
@Suite("Poisoned answers")
struct PoisonedAnswerTests {
    struct Poison: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let answer: AnswerServer.Answer
        let outcome: String
        /// What has to hold in the tables.
        let stored: String

        /// - Parameters:
        ///   - part: what the answer consists of.
        ///   - mebibytes: so many MiB of it.
        init(
            _ name: String, _ head: String, _ part: String, mebibytes: Int, _ tail: String, outcome: String,
            stored: String
        ) {
            self.init(name, head, Array(part.utf8), mebibytes: mebibytes, tail, outcome: outcome, stored: stored)
        }

        init(
            _ name: String, _ head: String, _ part: [UInt8], mebibytes: Int, _ tail: String, outcome: String,
            stored: String
        ) {
            testDescription = name
            answer = AnswerServer.Answer(parts: [
                .init(bytes: Array(head.utf8)), .init(bytes: part, times: (mebibytes << 20) / part.count),
                .init(bytes: Array(tail.utf8)),
            ])
            self.outcome = outcome
            self.stored = stored
        }
    }

    static let all: [Poison] = [
        Poison(
            "errors that are numbers", #"{"errors": ["#, "0,", mebibytes: 12, "0]}", outcome: "failed",
            stored: "not exists (select from errors)"),
        Poison(
            "errors that are numbers, beside results", #"{"results": [1], "errors": ["#, "0,", mebibytes: 12, "0]}",
            outcome: "error",
            stored: """
                (select count(*) from errors) = 10000
                and (select extra ->> 'errors' = (6 * 1048576 + 1 - 9999)::text and length(raw) = 2 * (6 * 1048576 + 1 - 9999) + 1
                       from errors where error_index = 9999)
                """),
        Poison(
            "tiny errors of a partner", #"{"errors": ["#, #"{"code":"c"},"#, mebibytes: 24, #"{"code":"c"}]}"#,
            outcome: "error",
            stored: """
                (select count(*) from errors where code = 'c') = 9999 and (select count(*) from errors where raw is null) = 9999
                and (select error_count from runs where outcome = 'error') = 10000
                """),
        Poison(
            "unknown fields of one name", #"{"errors": []"#, #","a":0"#, mebibytes: 6, "}", outcome: "success",
            stored:
                "exists (select from runs where extra = '{\"a\": 0}' and length(extra_raw) between (6 << 20) - 20 and (6 << 20) + 20)"
        ),
        Poison(
            "one unknown field", #"{"errors": [], "a": ""#, "xxxxxxxxxxxxxxxx", mebibytes: 64, #""}"#,
            outcome: "success", stored: "exists (select from runs where extra is null and length(extra_raw) > 64 << 20)"
        ),
        Poison(
            "an object of keys", #"{"results": [{"b":1"#, #","a":0"#, mebibytes: 6, "}]}", outcome: "success",
            stored:
                #"exists (select from results where payload = '{"a": 0, "b": 1}' and length(payload_raw) > (6 << 20) - 20)"#
        ),
        Poison(
            "a title", #"{"errors": [{"code": "c", "title": ""#, "xxxxxxxxxxxxxxxx", mebibytes: 64, #""}]}"#,
            outcome: "error",
            stored: "exists (select from errors where code = 'c' and title is null and length(raw) > 64 << 20)"),
        Poison(
            "a title of escapes", #"{"errors": [{"code": "c", "title": ""#, #"\u0000"#, mebibytes: 6, #""}]}"#,
            outcome: "error", stored: "exists (select from errors where length(title) = 1 << 20)"),
        Poison(
            "a type", #"{"errors": [], "type": ""#, "xxxxxxxxxxxxxxxx", mebibytes: 64, #""}"#, outcome: "success",
            stored: "exists (select from runs where type is null and length(extra_raw) > 64 << 20)"),
        Poison(
            "a status", #"{"errors": [], "status": ""#, "xxxxxxxxxxxxxxxx", mebibytes: 64, #""}"#, outcome: "failed",
            stored: "exists (select from runs where failure like '200 with the unknown status%')"),
        Poison(
            "bytes that are not UTF-8", #"{"results": [""#, [0xFF], mebibytes: 6, #""]}"#, outcome: "success",
            stored: "exists (select from results where payload is null and length(payload_raw) > 6 << 20)"),
        Poison(
            "brackets", #"{"results": ["#, "[", mebibytes: 6, String(repeating: "]", count: 6 << 20) + "]}",
            outcome: "success",
            stored: "exists (select from results where payload is null and length(payload_raw) = 12 << 20)"),
    ]

    @Test(arguments: all)
    func `An answer takes at most three times its bytes, whatever it holds`(_ poison: Poison) async throws {
        try await export(poison.answer, outcome: poison.outcome) { peak, size, database in
            #expect(peak < Self.programItself + 3 * size, "\(peak) MiB for \(size)")
            let isStored = try await database.holds("(\(poison.stored))")
            #expect(isStored)
        }
    }

    @Test func `300,000 unknown fields are kept, every one`() async throws {
        let fields = (0..<300_000).map { #","field \#($0 + 100_000)":\#($0)"# }.joined()
        let answer = AnswerServer.Answer(body: Array(#"{"errors": []"#.utf8) + Array(fields.utf8) + Array("}".utf8))
        try await export(answer, outcome: "success") { peak, size, database in
            #expect(peak < Self.programItself + 3 * size, "\(peak) MiB for \(size)")
            let kept = try await database.value(
                "select count(*), sum(f.value::int) from runs r cross join jsonb_each_text(r.extra) f")
            #expect(kept == "300000|44999850000")
        }
    }

    /// MiB, with what its connections, 20 small answers and the allocator have.
    private static let programItself = 64

    /// Exports this answer and 20 small ones.
    ///
    /// - Parameter body: gets the most memory that the program had and the answer's size, in MiB.
    private func export(
        _ answer: AnswerServer.Answer, outcome: String,
        _ body: @escaping @Sendable (Int, Int, TestDatabase) async throws -> Void
    ) async throws {
        let small = AnswerServer.Answer(body: Array(#"{"status": "success", "results": []}"#.utf8))
        let manifest = Manifest.of(21)
        let answers = Dictionary(
            uniqueKeysWithValues: zip(manifest.runs.map(\.id), [answer] + Array(repeating: small, count: 20)))
        let size = answer.parts.reduce(0) { $0 + $1.bytes.count * $1.times } >> 20
        try await Stage.with { stage in
            try await AnswerServer.with(answers) { server in
                let peak = PeakMemory()
                let export = try await stage.export(
                    manifest, changes: ["ZAPIER_API_URL": server.url]
                ) { program in
                    try await peak.watch(program)
                }
                #expect([0, 75].contains(export.status), "\(export.finished.stderr)")
                let met = try export.summary.met
                #expect(met == [outcome: 1].merging(["success": 20]) { $0 + $1 })
                try await body(await peak.kilobytes >> 10, size, stage.database)
            }
        }
    }
}
