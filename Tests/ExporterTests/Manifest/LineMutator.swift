import Foundation
import JSONText
import Support

@testable import Exporter

/// Lines as a producer of manifests writes them: all of them take the fast path.
enum OrdinaryLines {
    static let columns = [
        "stored_action_id", "run_id", "executed_at", "label", "follow_pages", "inputs", "action_type", "max_pages",
        "first_page",
    ]

    private static let action = ManifestFixture.action
    private static let run = "20000000-0000-4000-8000-0001abcdef60"

    static let json = [
        #"{"stored_action_id": "\#(action)", "run_id": "\#(run)", "executed_at": "2026-11-20T09:30:00Z"}"#,
        #"{"stored_action_id":"\#(action.uppercased())","run_id":"\#(run.uppercased())"}"#,
        #"{ "executed_at" : "2028-02-29T23:59:59.125Z" , "run_id" : "\#(run)", "stored_action_id" : "\#(action)" } "#,
        #"{"run_id":"\#(run)","stored_action_id":"\#(action)","executed_at":"1970-01-01T00:00:00+00:00","label":""}"#,
        #"{"label": "new leads", "run_id": "\#(run)", "stored_action_id": "\#(action)", "follow_pages": true, "#
            + #""inputs": {"list": "le{a}ds\" 1", "n": [1, {"é": null}]}, "max_pages": 500}"#,
        #"{"run_id": "\#(run)", "stored_action_id": "\#(action)", "follow_pages": false, "action_type": "read_bulk", "#
            + #""first_page": "0", "max_pages": 1, "inputs": {}, "executed_at": "9998-12-31T23:59:59.999999999Z"}"#,
    ]

    static let csv = [
        "\(action),\(run),2026-11-20T09:30:00Z,,,,,,",
        "\(action.uppercased()),\(run.uppercased()),,,,,,,",
        "\(action),\(run),2028-02-29T23:59:59.125Z,new leads,true,,read_bulk,500,0",
        "\(action),\(run),1970-01-01T00:00:00+00:00,new {leads},false,,read,1000000,a b",
        #""\#(action)","\#(run)","2026-11-20T09:30:00Z","leads, new","true","","read","7","""#,
    ]
}

/// Makes lines that are nearly ordinary, and texts of them.
struct LineMutator {
    private var random: SplitMix
    private static let pieces =
        [
            "\"", "\\", "\\\"", "\\u0041", "{", "}", "[", "]", ",", ":", " ", "\t", "\r", "-", "0", "9", "a", "F", "g",
            "G",
            "T", "t", "Z", "z", ".", "+01:00", "60", "24", "1969", "é", "\u{7F}", "\u{85}", "\u{0}", "\u{1F}", "true",
            "null",
            "1e3", "1000001", "\"run_id\": ", "\"label\": \"x\", ", "\"run_ids\": [], ", "\"a\": 1, ", "{}",
            String(repeating: "x", count: 201), String(repeating: "[", count: 40),
        ].map { Array($0.utf8) } + [[0x80], [0xC3], [0xFF], [0x10], [0x1A]]

    init(seed: UInt64) {
        random = SplitMix(state: seed)
    }

    /// One of the lines, mostly changed in a place or a few.
    mutating func mutated(_ lines: [String]) -> [UInt8] {
        var line = Array(lines.randomElement(using: &random)!.utf8)
        for _ in 0..<Int.random(in: 0...3, using: &random) { mutate(&line) }
        return line.filter { $0 != 0x0A }
    }

    /// A text of such lines; JSON stays whole but for them.
    mutating func text(of count: Int, _ format: ManifestFormat) -> [UInt8] {
        let isCSV = format == .csv
        var lines: [[UInt8]] = []
        while lines.count < count {
            var line = mutated(isCSV ? OrdinaryLines.csv : OrdinaryLines.json)
            if format == .json, (try? JSONValue(validating: line)) == nil { continue }
            if random.happens(0.1) { line = [] }
            if format == .json, line.isEmpty { continue }
            if random.happens(0.1) { line.append(0x0D) }
            lines.append(line)
        }
        switch format {
        case .csv: lines.insert(Array(OrdinaryLines.columns.joined(separator: ",").utf8), at: 0)
        case .json:
            let elements = Array(lines.joined(separator: Array(",\n".utf8)))
            return Array("{\"version\": 1, \"runs\": [\n".utf8) + elements + Array("]}\n".utf8)
        case .jsonLines: break
        }
        return Array(lines.joined(separator: [0x0A]))
    }

    private mutating func mutate(_ line: inout [UInt8]) {
        guard !line.isEmpty else { return }
        let position = Int.random(in: 0..<line.count, using: &random)
        let piece = Self.pieces.randomElement(using: &random)!
        switch Int.random(in: 0...4, using: &random) {
        case 0: line.remove(at: position)
        case 1: line.insert(contentsOf: piece, at: position)
        case 2: line.replaceSubrange(position..<min(line.count, position + piece.count), with: piece)
        case 3: line[position] ^= 1 << UInt8.random(in: 0...7, using: &random)
        default:
            let end = min(line.count, position + Int.random(in: 1...60, using: &random))
            line.insert(contentsOf: line[position..<end], at: Int.random(in: 0...line.count, using: &random))
        }
    }
}
