import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

import Glibc

@Suite("The file of a refresh token")
struct RefreshTokenFileTests {
    /// As where the file is mounted on its own.
    private static let busy: RefreshTokenFile.Rename = { _, _ in
        errno = EBUSY
        return -1
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test(arguments: [(0o600, 0o600), (0o644, 0o600), (0o400, 0o400)])
    func `Each exchange stores the next token, readable only by its owner`(before: Int, after: Int) async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n", mode: before)
            let issuer = OneTimeIssuer()
            let grant = RefreshTokenGrant(folder.file, issuer.answer)
            #expect(try await grant.issue().token == AccessToken("a-1"))
            #expect(try folder.token == "r-1\n")
            #expect(try await grant.issue().token == AccessToken("a-2"))
            #expect(try folder.token == "r-2\n")
            #expect(try mode(folder.file) == after)
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `An answer without a refresh token leaves the old one`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0")
            let answer = ScriptedTransport.json(200, #"{"access_token": "a"}"#)
            #expect(try await RefreshTokenGrant(folder.file, answer).issue().token == AccessToken("a"))
            #expect(try folder.token == "r-0")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A refresh token that comes without an access token is stored, and the next try goes on with it`()
        async throws
    {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            let issuer = OneTimeIssuer()
            let first = RefreshTokenGrant(folder.file) { request in
                let answer = issuer.answer(request)
                let body = String(decoding: answer.body, as: UTF8.self).replacing("access_token", with: "token")
                return APIResponse(status: answer.status, body: Array(body.utf8))
            }
            let error = await #expect(throws: TokenFailure.self) { try await first.issue() }
            guard case .transient? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try folder.token == "r-1\n")
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A refusal, or no answer, leaves everything as it was`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            for answer in [
                ScriptedTransport.json(400, #"{"error": "invalid_grant"}"#), ScriptedTransport.failing(.timedOut),
            ] {
                await #expect(throws: TokenFailure.self) { try await RefreshTokenGrant(folder.file, answer).issue() }
                #expect(try folder.token == "r-0\n")
                #expect(try folder.leftovers == [])
            }
        }
    }

    @Test func `Behind a symbolic link the target is replaced, not the link`() async throws {
        try await TokenFolder.with { folder in
            try await TokenFolder.with { other in
                try folder.write("r-0\n")
                let link = other.url.appending(path: "link")
                try FileManager.default.createSymbolicLink(
                    at: link, withDestinationURL: URL(fileURLWithPath: folder.file))
                _ = try await RefreshTokenGrant(link.path, OneTimeIssuer().answer).issue()
                #expect(try folder.token == "r-1\n")
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == folder.file)
            }
        }
    }

    @Test func `A folder where nothing can be made is found out before the token is spent`() async throws {
        // /proc is nobody's to write, root's neither.
        let issuer = OneTimeIssuer()
        let failure = await #expect(throws: TokenFailure.self) {
            try await RefreshTokenGrant("/proc/self/status", issuer.answer).issue()
        }
        let error = try #require(failure?.finalError)
        #expect(error.kind == .invalidSetting)
        #expect(error.reason.contains("/.status.lock can't be written"), "\(error.reason)")
        #expect(issuer.tokens.isEmpty)
    }

    @Test func `A file that is not there is named`() async throws {
        let failure = await #expect(throws: TokenFailure.self) {
            try await RefreshTokenGrant("/nowhere/token", OneTimeIssuer().answer).issue()
        }
        let error = try #require(failure?.finalError)
        #expect(error.kind == .invalidSetting && error.reason.contains("/nowhere/token"))
    }

    @Test func `Many that share a file take turns, and each reads what the one before it stored`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            let issuer = OneTimeIssuer()
            let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
                for _ in 1...8 {
                    let grant = RefreshTokenGrant(folder.file, issuer.answer)
                    group.addTask { try await grant.issue().token }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(tokens.count == 8)
            #expect(issuer.tokens == (0...7).map { "r-\($0)" })
            #expect(try folder.token == "r-8\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `Who waits for the lock in vain says what for`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            let lock = try await RefreshTokenFile(path: folder.file).lock()
            let error = await #expect(throws: TokenFailure.self) {
                try await RefreshTokenGrant(folder.file, OneTimeIssuer().answer, patience: .milliseconds(100)).issue()
            }
            guard case .transient(_, _, let reason)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains(folder.file) && reason.contains(lock.lockPath))
        }
    }

    @Test(.enabled(if: geteuid() == 0))
    func `The lock that root makes belongs to the token's owner`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try #require(chown(folder.file, 65_534, 65_533) == 0)
            let lock = try await RefreshTokenFile(path: folder.file).lock()
            var status = stat()
            try #require(stat(lock.lockPath, &status) == 0)
            #expect((status.st_uid, status.st_gid) == (65_534, 65_533))
        }
    }

    @Test func `A lock that can't be opened is named`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try FileManager.default.createSymbolicLink(
                atPath: folder.url.appending(path: ".token.lock").path, withDestinationPath: folder.file)
            let failure = await #expect(throws: TokenFailure.self) {
                try await RefreshTokenGrant(folder.file, OneTimeIssuer().answer).issue()
            }
            let error = try #require(failure?.finalError)
            #expect(error.reason.contains("/.token.lock must be this user's"), "\(error.reason)")
        }
    }

    @Test(arguments: ["r-0\n", "r-0", "r-0" + String(repeating: " ", count: 5000) + "\n"])
    func `A file that cannot be replaced is written in place, to its last byte`(before: String) async throws {
        try await TokenFolder.with { folder in
            try folder.write(before, mode: 0o640)
            let number = try folder.number
            let issuer = OneTimeIssuer()
            let grant = RefreshTokenGrant(folder.file, issuer.answer, rename: Self.busy)
            for turn in 1...2 {
                #expect(try await grant.issue().token == AccessToken("a-\(turn)"))
                #expect(try folder.token == "r-\(turn)\n")
            }
            #expect(issuer.tokens == ["r-0", "r-1"])
            #expect(try folder.number == number)
            #expect(try mode(folder.file) == 0o640)
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: [true, false])
    func `A file that can be neither replaced nor written is found out before the token is spent`(isChecked: Bool)
        async throws
    {
        // A running program's file can be replaced, and written by nobody (ETXTBSY), root neither.
        try await TokenFolder.with { folder in
            try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: folder.file)
            let program = Process()
            program.executableURL = URL(fileURLWithPath: folder.file)
            program.arguments = ["1000"]
            try program.run()
            // A child inherits the signals that a thread of a pool blocks, SIGTERM among them; and one that stays holds on
            // to the standard output of the tests, whose end is waited for.
            defer { kill(program.processIdentifier, SIGKILL) }
            let issuer = OneTimeIssuer()
            let reason: String
            if isChecked {
                let file = RefreshTokenFile(path: folder.file, rename: Self.busy)
                let error = await #expect(throws: TokenError.self) { try await file.rehearse() }
                reason = error?.reason ?? ""
                #expect(error?.kind == .invalidSetting)
            } else {
                let failure = await #expect(throws: TokenFailure.self) {
                    try await RefreshTokenGrant(folder.file, issuer.answer, rename: Self.busy).issue()
                }
                reason = try #require(failure?.finalError).reason
            }
            #expect(
                reason.contains("can be neither replaced (Device or resource busy) nor written (Text file busy)"),
                "\(reason)")
            #expect(issuer.tokens.isEmpty)
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A rehearsal leaves the file as it was, its times and mode too`() async throws {
        for rename in [{ Glibc.rename($0, $1) }, Self.busy] as [RefreshTokenFile.Rename] {
            try await TokenFolder.with { folder in
                try folder.write("r-0\n", mode: 0o644)
                try folder.date(100, 7)
                try folder.write("r-1\n", to: ".token.new-1")
                _ = try await RefreshTokenFile(path: folder.file, rename: rename).rehearse()
                var status = stat()
                try #require(stat(folder.file, &status) == 0)
                #expect((status.st_mtim.tv_sec, status.st_mtim.tv_nsec) == (100, 7))
                #expect(try mode(folder.file) == 0o644)
                #expect(try folder.token == "r-0\n")
                #expect(try folder.leftovers == [".token.new-1"])
            }
        }
    }

    @Test func `A rehearsal finds a file without a token`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("\n")
            await #expect(throws: TokenError.self) { try await RefreshTokenFile(path: folder.file).rehearse() }
        }
    }

    @Test func `Two folders with one file, as two containers have it, take turns`() async throws {
        try await TokenFolder.with { one in
            try await TokenFolder.with { two in
                try one.write("r-0\n")
                // Another name of the same file, beside which there is another lock.
                try FileManager.default.linkItem(atPath: one.file, toPath: two.file)
                let issuer = OneTimeIssuer()
                let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
                    for path in [one.file, two.file, one.file, two.file] {
                        let grant = RefreshTokenGrant(path, issuer.answer, rename: Self.busy)
                        group.addTask { try await grant.issue().token }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(tokens.count == 4)
                #expect(issuer.tokens == (0...3).map { "r-\($0)" })
                #expect(try one.token == "r-4\n")
            }
        }
    }
}
