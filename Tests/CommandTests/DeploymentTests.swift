import Foundation
import Testing

/// What is shipped for machines where the program runs by itself.
@Suite("Deployment")
struct DeploymentTests {
    private func text(_ path: String) throws -> String {
        try String(contentsOf: Repository.root.appending(path: path), encoding: .utf8)
    }

    /// The line of the crontab that is shipped.
    private func cronLine() throws -> String {
        let lines = try text("deploy/cron/stored-actions").split(separator: "\n").filter { !$0.hasPrefix("#") }
        try #require(lines.count == 1)
        return String(lines[0])
    }

    @Test func `The README shows the line for cron that is shipped`() throws {
        let readme = try text("README.md")
        let line = try cronLine()
        #expect(readme.contains("```\n\(line)\n```"))
    }

    @Test func `The line for cron works in cron's environment, and prints nothing when all is well`() async throws {
        try await Stage.with { stage in
            let manifest = Manifest.of(3)
            let runs = manifest.runs.map { #"{"stored_action_id": "\#($0.action)", "run_id": "\#($0.id)"}"# }
            let token = try stage.write(Sandbox.token + "\n", to: "token")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
            let paths = [
                "/usr/local/bin/stored-actions": stage.tool.path,
                "/var/lib/product/runs.jsonl": try stage.write(runs.joined(separator: "\n") + "\n", to: "runs.jsonl"),
                "/etc/stored-actions/token": token,
                "/etc/stored-actions/environment": stage.folder.appending(path: "environment").path,
            ]
            func placed(_ text: String) -> String { paths.reduce(text) { $0.replacing($1.key, with: $1.value) } }
            // The database is the stage's own.
            let settings = try text("deploy/cron/environment").split(separator: "\n").filter {
                !$0.hasPrefix("DATABASE_URL=") && !$0.hasPrefix("PGPASSFILE=")
            }
            let own = stage.database.environment.merging(["ZAPIER_API_URL": stage.sandbox.url]) { $1 }
            let lines = settings.map(String.init) + own.map { "\($0.key)='\($0.value)'" }
            try stage.write(placed(lines.joined(separator: "\n")), to: "environment")

            // Five fields of time, then the user.
            let line = try cronLine()
            let command = placed(
                line.split(separator: " ", maxSplits: 6).last?.trimmingCharacters(in: .whitespaces) ?? "")
            #expect(command.hasPrefix("set -a;"))
            let cron = ["HOME": stage.folder.path, "LOGNAME": "exporter", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"]
            for _ in 1...2 {
                let job = try await Program(path: "/bin/sh").run(["-c", command], environment: cron)
                #expect(job.status == 0 && job.stdout == "" && job.stderr == "", "\(job)")
            }
            #expect(try await stage.database.count("runs where outcome = 'success'") == 3)
            #expect(try await stage.database.count("exports where outcome = 'complete'") == 2)

            try stage.write("wrong\n", to: "token")
            try stage.write(try #require(runs.first).replacing("8000", with: "8001") + "\n", to: "runs.jsonl")
            let mailed = try await Program(path: "/bin/sh").run(["-c", command], environment: cron)
            #expect(mailed.status == 77 && !mailed.stdout.isEmpty, "\(mailed)")

            try FileManager.default.removeItem(at: stage.folder.appending(path: "environment"))
            let lost = try await Program(path: "/bin/sh").run(["-c", command], environment: cron)
            #expect(lost.status != 0 && !lost.stderr.isEmpty, "\(lost)")
        }
    }

    @Test func `make install needs no Swift, copies what is built, and says what to do when nothing is`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "install-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let manager = FileManager.default
        let bin = folder.appending(path: "bin")
        try manager.createDirectory(at: bin, withIntermediateDirectories: true)
        // All that there is in sudo's PATH, but for Swift.
        for tool in ["sh", "install", "test", "echo", "bash", "env"] {
            try manager.createSymbolicLink(
                at: bin.appending(path: tool), withDestinationURL: URL(fileURLWithPath: "/usr/bin/\(tool)"))
        }
        try manager.copyItem(at: Repository.root.appending(path: "Makefile"), to: folder.appending(path: "Makefile"))
        func install() async throws -> Program.Finished {
            try await Program(path: "/usr/bin/make").run(
                ["-C", folder.path, "install", "DESTDIR=\(folder.path)/root", "PREFIX=/opt/x"],
                environment: ["PATH": bin.path])
        }
        let early = try await install()
        #expect(early.status != 0)
        #expect(early.stderr.contains("make release"), "\(early.stderr)")
        #expect(!manager.fileExists(atPath: "\(folder.path)/root"))

        let release = folder.appending(path: ".build/release")
        try manager.createDirectory(at: release, withIntermediateDirectories: true)
        try Data("built".utf8).write(to: release.appending(path: "stored-actions"))
        try manager.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: release.appending(path: "stored-actions").path)
        let installed = try await install()
        #expect(installed.status == 0, "\(installed.stderr)")
        let path = "\(folder.path)/root/opt/x/bin/stored-actions"
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "built")
        #expect(try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o755)
    }
}
