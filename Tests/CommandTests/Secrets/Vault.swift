import Foundation
import Testing

/// A stage with every secret in use, an API that says what it was sent, and manifests with inputs.
struct Vault: Sendable {
    let stage: Stage
    let api: QuotingAPI

    static func with<R: Sendable>(_ body: @escaping @Sendable (Vault) async throws -> R) async throws -> R {
        try await Stage.with { stage in
            try await QuotingAPI.with { api in
                let vault = Vault(stage: stage, api: api)
                try vault.writeFiles()
                return try await body(vault)
            }
        }
    }

    /// Makes a call, and looks for secrets in all that can be seen of it.
    func run(_ one: SecretCase, json: Bool) async throws {
        let noise = ["--log-level", "trace"] + (json ? ["--json", "--log-format", "json"] : [])
        var changes: [String: String?] = [
            "ZAPIER_API_URL": api.address(one.api), "ZAPIER_ACCESS_TOKEN": Guarded.token.rawValue,
            "PGPASSWORD": Guarded.password.rawValue,
        ]
        changes.merge(one.changes.mapValues { $0?.replacing("{api}", with: api.host) }) { $1 }
        let asked = api.requests
        let seen = Mailbox()
        let finished = try await stage.run(
            one.arguments + noise, changes: changes, input: Array(one.input.utf8)
        ) { program in
            var list = ProcessList(of: program.pid)
            var isSent = false
            while list.look() {
                if let signal = one.signal, !isSent, api.requests > asked {
                    program.send(signal)
                    isSent = true
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            await seen.put(list.text)
        }
        let what: Comment =
            "\(one.arguments) \(one.api) \(one.changes) ended with \(finished.status): \(finished.stderr)"
        #expect(finished.status == one.status, what)
        #expect(Guarded.lines(in: finished.stdout) == [], what)
        #expect(Guarded.lines(in: finished.stderr) == [], what)
        #expect(Guarded.lines(in: await seen.text) == [], what)
    }

    /// What the program left in its folder, besides what was written for it.
    func leftFiles() throws -> String {
        let own = Set(files.keys).union(["not-utf8"])
        return try FileManager.default.subpathsOfDirectory(atPath: stage.folder.path).filter { !own.contains($0) }
            .map { path in
                let bytes = FileManager.default.contents(atPath: stage.folder.path + "/" + path) ?? Data()
                return path + "\n" + String(decoding: bytes, as: UTF8.self)
            }.joined(separator: "\n")
    }

    private actor Mailbox {
        private(set) var text = ""
        func put(_ text: String) { self.text = text }
    }

    // MARK: Files

    private func writeFiles() throws {
        for (name, text) in files { try stage.write(text, to: name) }
        try stage.write(Array(Guarded.token.rawValue.utf8) + [0xFF], to: "not-utf8")
    }

    private var files: [String: String] {
        let token = Guarded.token.rawValue
        let input = #", "inputs": {"list": "\#(Guarded.input.rawValue)"}"#
        let scenarios: [Scenario] = [
            .success, .error, .unknownStatus, .wrongID, .html, .notFoundHTML, .truncatedJSON, .cut, .noAnswer,
            .redirect,
            .badRequest, .conflict, .forbidden, .missing, .serverError,
        ]
        let good = Manifest(name: "good", runs: [.init(.success, number: 1, more: input)])
        let quoting = Manifest(
            name: "quoting", runs: scenarios.enumerated().map { .init($1, number: UInt64($0), more: input) })
        let paged = Manifest(
            name: "paged", runs: [.init(.bulkStrings, number: 2, more: input + #", "follow_pages": true"#)])
        let refusals: [Scenario] = [.badRequest, .conflict, .forbidden, .missing, .gone, .unprocessable, .serverError]
        let refused = Manifest(
            name: "refused", runs: refusals.enumerated().map { .init($1, number: UInt64($0), more: input) })
        let line = Manifest.Run(.badRequest, number: 3, more: input).json
        let ids = [
            "stored_action_id": Manifest.Run(.success, number: 1).action,
            "run_id": Manifest.Run(.success, number: 1).id,
        ]
        let idsJSON = ids.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
        // A secret in the place of each value; of each line the others are right.
        let wrong = ["stored_action_id", "run_id", "executed_at", "follow_pages", "max_pages", "inputs"].map { key in
            ids.merging([key: token]) { $1 }
        }
        let objects = wrong.map { "{" + $0.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ") + "}" }
        let columns = ["stored_action_id", "run_id", "executed_at", "follow_pages", "max_pages", "inputs"]
        let records = [columns] + wrong.map { run in columns.map { run[$0] ?? "" } }
        return [
            "good.json": good.json, "quoting.json": quoting.json, "paged.json": paged.json, "lines.jsonl": line,
            "refused.json": refused.json, "client": Guarded.clientSecret.rawValue + "\n",
            "refresh": Guarded.refreshToken.rawValue + "\n",
            "wrong.json":
                #"{"version": "\#(token)", "stored_actions": {"\#(token)": {}}, "runs": [\#(objects.joined(separator: ",\n"))]}"#,
            "wrong.jsonl": objects.joined(separator: "\n") + "\n\"\(token)\"\n{\(idsJSON)\(input.dropLast())\n",
            "wrong.csv": records.map { $0.joined(separator: ",") }.joined(separator: "\n"),
            "contradicting.json": good.json.replacing(Guarded.input.rawValue, with: Guarded.otherToken.rawValue)
                .replacing("\"good\"", with: "\"other\""),
            "broken.json": good.json.replacing("}}", with: "} \(Guarded.input.rawValue)}"),
            "token": token + "\n", "two-tokens": "\(token) \(Guarded.otherToken.rawValue)\n",
            "service": "[none]\nhost=127.0.0.1\nport=9\npassword=\(Guarded.password.rawValue)\n",
        ]
    }
}
