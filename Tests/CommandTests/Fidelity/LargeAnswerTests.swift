import Foundation
import Support
import Testing

/// Answers of many MiB beside small ones: all is stored, and memory keeps to its budget.
///
/// The program itself takes some 45 MiB. A body is an array that grows to twice its room when it is full: one of 200 MiB
/// takes 256 MiB for a moment, while its first 128 MiB are moved.
@Suite("Large answers")
struct LargeAnswerTests {
    private static let small = AnswerServer.Answer(
        body: Array(#"{"status": "success", "errors": [], "results": [{"a": 1}, {"b": 2}]}"#.utf8))

    /// - Parameter size: of each object, in MiB, about.
    private static func objects(_ count: Int, ofMiB size: Int) -> AnswerServer.Answer {
        let chunk = AnswerServer.Answer.Part(bytes: Array(repeating: UInt8(ascii: "y"), count: 1 << 20), times: size)
        return answer(
            (0..<count).flatMap { number in
                [
                    .init(bytes: Array("\(number == 0 ? "" : ","){\"text\": \"".utf8)), chunk,
                    .init(bytes: Array("\"}".utf8)),
                ]
            })
    }

    private static func answer(_ results: [AnswerServer.Answer.Part]) -> AnswerServer.Answer {
        let head = AnswerServer.Answer.Part(bytes: Array(#"{"status": "success", "errors": [], "results": ["#.utf8))
        return AnswerServer.Answer(parts: [head] + results + [.init(bytes: Array("]}".utf8))])
    }

    @Test func `200 MiB of objects are stored beside small answers, in less than twice their memory`() async throws {
        let object = #"{"name": "\#(String(repeating: "x", count: 960))", "n": 12345678901234567890123456789}"#
        let count = (200 << 20) / object.utf8.count
        let large = Self.answer(
            [.init(bytes: Array("\(object),".utf8), times: count - 1), .init(bytes: Array(object.utf8))])
        try await export([large]) { peak, database in
            // Were there another copy of it, it would be 445.
            #expect(peak < 400)
            let whole = try await database.count(
                "results where payload = jsonb_build_object('name', repeat('x', 960), 'n', 12345678901234567890123456789)"
            )
            #expect(whole == count)
        }
    }

    @Test func `An object of 40 MiB is stored as its bytes`() async throws {
        try await export([Self.objects(1, ofMiB: 40)]) { peak, database in
            #expect(peak < 180)
            let whole = try await database.count(
                """
                results where payload is null and cardinality(payload_notes) = 1
                   and payload_raw = convert_to('{"text": "' || repeat('y', 40 << 20) || '"}', 'UTF8')
                """)
            #expect(whole == 1)
        }
    }

    @Test func `Large answers that come together wait for each other's memory`() async throws {
        try await export(Array(repeating: Self.objects(1, ofMiB: 24), count: 12)) { peak, database in
            // They are 288 MiB, of which 64 and one body more are let in, 88; it is 260 with what their growth leaves
            // behind. Were all let in, it would be over 400.
            #expect(peak < 330)
            let whole = try await database.count("results where length(payload ->> 'text') = 24 << 20")
            #expect(whole == 12)
        }
    }

    /// An answer that is compressed.
    ///
    /// - Parameter chunk: a MiB of its text, `count` times.
    private static func gzip(_ chunk: [UInt8], times count: Int) -> AnswerServer.Answer {
        var answer = answer([
            .init(bytes: Array(#"{"text": ""#.utf8)), .init(bytes: chunk, times: count),
            .init(bytes: Array("\"}".utf8)),
        ])
        answer.isGzip = true
        for index in answer.parts.indices {
            answer.parts[index].bytes = Compression.gzip.pack(answer.parts[index].bytes)
        }
        return answer
    }

    @Test func `32 answers of 100 KB that unpack to 100 MiB each are refused, and take no memory`() async throws {
        let bomb = Self.gzip([UInt8](repeating: UInt8(ascii: "y"), count: 1 << 20), times: 100)
        try await export(Array(repeating: bomb, count: 32), outcome: "failed") { peak, database in
            // With the library's own decompressor it is over 2,000.
            #expect(peak < 180)
            let told = try await database.count(
                "runs where outcome = 'failed' and failure = 'the answer unpacks to over 200 times its size'")
            #expect(told == 32)
        }
    }

    @Test func `Memory keeps to --memory and --max-body, however many compressed answers come together`() async throws {
        let large = Self.gzip(Compression.repetitive(1 << 20), times: 100)
        let options = ["--memory", "16M", "--max-body", "32M"]
        try await export(Array(repeating: large, count: 32), outcome: "failed", options: options) { peak, database in
            // Together they may hold 16 + 32 MiB, and twice that while arrays grow.
            #expect(peak < 200)
            let told = try await database.count(
                "runs where outcome = 'failed' and failure = 'the answer is over the limit of 32 MiB'")
            #expect(told == 32)
        }
    }

    @Test func `A compressed answer of many members is stored whole`() async throws {
        try await export([Self.gzip(Compression.repetitive(1 << 20), times: 24)]) { _, database in
            let whole = try await database.count("results where length(payload ->> 'text') = 24 << 20")
            #expect(whole == 1)
        }
    }

    /// Exports these answers, and 200 small ones.
    ///
    /// - Parameters:
    ///   - outcome: of the large ones.
    ///   - body: gets the most memory that the program had, in MiB.
    private func export(
        _ large: [AnswerServer.Answer], outcome: String = "success", options: [String] = [],
        _ body: @escaping @Sendable (Int, TestDatabase) async throws -> Void
    ) async throws {
        let manifest = Manifest.of(large.count + 200)
        let all = large + Array(repeating: Self.small, count: 200)
        let answers = Dictionary(uniqueKeysWithValues: zip(manifest.runs.map(\.id), all))
        try await Stage.with { stage in
            try await AnswerServer.with(answers) { server in
                let peak = PeakMemory()
                let export = try await stage.export(
                    manifest, options: options, changes: ["ZAPIER_API_URL": server.url]
                ) { program in
                    try await peak.watch(program)
                }
                #expect(export.status == (outcome == "success" ? 0 : 75), "\(export.finished.stderr)")
                let met = try export.summary.met
                #expect(met == ["success": 200].merging([outcome: large.count], uniquingKeysWith: +))
                let small = try await stage.database.count(#"results where payload in ('{"a": 1}', '{"b": 2}')"#)
                #expect(small == 400)
                try await body(await peak.kilobytes >> 10, stage.database)
            }
        }
    }
}
