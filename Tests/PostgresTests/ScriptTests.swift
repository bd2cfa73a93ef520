import Foundation
import Testing

@Suite("scripts/with-postgres")
struct ScriptTests {
    @Test(
        "passes on the command's exit status",
        arguments: [("exit 7", 7), ("exit 0", 0), ("kill -KILL $$", 137)] as [(String, Int32)])
    func status(command: String, status: Int32) async throws {
        #expect(try await run(["with-postgres", "sh", "-c", command]) == status)
    }

    @Test("runs the command with a server that is its own, and leaves nothing behind")
    func server() async throws {
        let output = FileManager.default.temporaryDirectory.appending(path: "with-postgres-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: output) }
        let command = "printf '%s %s' \"$PGPORT\" \"$(psql -Atc 'show data_directory')\" > '\(output.path)'"
        #expect(try await run(["with-postgres", "sh", "-c", command]) == 0)
        let words = try String(contentsOf: output, encoding: .utf8).split(separator: " ")
        try #require(words.count == 2)
        #expect(String(words[0]) != ProcessInfo.processInfo.environment["PGPORT"])
        #expect(!FileManager.default.fileExists(atPath: String(words[1])))
    }

    @Test("passes a signal on to the command and ends as it does")
    func signal() async throws {
        let command = "trap 'exit 5' TERM; kill -TERM $PPID; while :; do :; done"
        #expect(try await run(["with-postgres", "sh", "-c", command]) == 5)
    }

    private func run(_ arguments: [String]) async throws -> Int32 {
        try await offThePool { try PrivateCluster.runScript(arguments) }
    }
}
