import Foundation

@testable import ExportCore
@testable import Exporter

/// Manifests in a folder of their own, which goes with the fixture.
final class ManifestFixture {
    static let action = "4f4e0000-0000-4000-8000-000000000001"
    static let otherAction = "77aa0000-0000-4000-8000-000000000002"

    /// The id of the nth run.
    static func run(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "9b1d0000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "/manifests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    func path(_ name: String) -> String { folder + "/" + name }

    func file(_ name: String, _ bytes: [UInt8]) -> ManifestSource {
        _ = FileManager.default.createFile(atPath: path(name), contents: Data(bytes))
        return ManifestSource(.file(path: path(name)))
    }

    func file(_ name: String, _ text: String) -> ManifestSource {
        file(name, Array(text.utf8))
    }

    func read(
        _ sources: [ManifestSource], maxProblems: Int = 100, pieceLimit: Int = 1 << 20, allowsEmpty: Bool = false,
        expectedRuns: Int? = nil
    ) throws -> Manifests {
        try ManifestReader.read(
            sources, maxProblems: maxProblems, temporaryDirectory: folder, pieceLimit: pieceLimit,
            allowsEmpty: allowsEmpty, expectedRuns: expectedRuns)
    }

    /// What is wrong, each as "place: message", with the folder's path left out.
    func problems(
        _ sources: [ManifestSource], maxProblems: Int = 100, pieceLimit: Int = 1 << 20, allowsEmpty: Bool = false,
        expectedRuns: Int? = nil
    ) -> [String] {
        do {
            _ = try read(
                sources, maxProblems: maxProblems, pieceLimit: pieceLimit, allowsEmpty: allowsEmpty,
                expectedRuns: expectedRuns)
            return []
        } catch let error as ManifestProblems {
            return error.problems.map { problem in
                let text = problem.place.isEmpty ? problem.message : "\(problem.place): \(problem.message)"
                return text.replacingOccurrences(of: folder + "/", with: "")
            }
        } catch {
            return ["\(error)"]
        }
    }

    /// What is wrong with a text under that file name.
    static func problems(in text: String, named name: String) throws -> [String] {
        let fixture = try ManifestFixture()
        return fixture.problems([fixture.file(name, text)])
    }

    /// The runs of a text under that file name.
    static func runs(in text: String, named name: String, allowsEmpty: Bool = false) throws -> [ManifestRun] {
        let fixture = try ManifestFixture()
        return try fixture.read([fixture.file(name, text)], allowsEmpty: allowsEmpty).runs()
    }

    /// A JSON manifest around the elements of `runs`.
    static func json(_ runs: String, storedActions: String = "{}") -> String {
        #"{"version": 1, "stored_actions": \#(storedActions), "runs": [\#(runs)]}"#
    }

    /// The members that every run needs, in JSON, without braces.
    static func ids(_ number: Int) -> String {
        #""stored_action_id": "\#(action)", "run_id": "\#(run(number))""#
    }
}

extension Manifests {
    func runs() throws -> [ManifestRun] {
        var runs: [ManifestRun] = []
        try forEachRun { runs.append($0) }
        return runs
    }
}
