import Foundation
import Synchronization
import Testing

@testable import ActionsAPI

#if canImport(Glibc)
    import Glibc
#endif

@Suite("The file of a refresh token")
struct RefreshTokenFileTests {
    /// A token endpoint whose refresh tokens are good once: `r-0`, `r-1`, ….
    private final class Issuer: Sendable {
        private let good: Mutex<Int>
        private let presented = Mutex<[String]>([])
        var tokens: [String] { presented.withLock(\.self) }
        init(good: Int = 0) { self.good = Mutex(good) }

        func answer(_ request: APIRequest) -> APIResponse {
            let fields = String(decoding: request.body ?? [], as: UTF8.self).split(separator: "&")
            let token = fields.first { $0.hasPrefix("refresh_token=") }?.dropFirst(14) ?? ""
            presented.withLock { $0.append(String(token)) }
            return good.withLock { good in
                guard token == "r-\(good)" else {
                    return APIResponse(status: 400, body: Array(#"{"error": "invalid_grant"}"#.utf8))
                }
                good += 1
                let body = #"{"access_token": "a-\#(good)", "refresh_token": "r-\#(good)", "expires_in": 60}"#
                return APIResponse(status: 200, body: Array(body.utf8))
            }
        }
    }

    private struct Folder {
        let url: URL
        var file: String { url.appending(path: "token").path }
        var token: String { get throws { try String(contentsOfFile: file, encoding: .utf8) } }
        /// Whatever lies there besides the file and its lock.
        var leftovers: [String] {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: url.path).filter {
                    !["token", ".token.lock"].contains($0)
                }
            }
        }

        /// Its number, which changes when the file is replaced.
        var number: UInt64 {
            get throws {
                try #require(FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? UInt64)
            }
        }

        func write(_ text: String, to name: String = "token", mode: Int = 0o600) throws {
            let path = url.appending(path: name).path
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }

        /// Sets the time at which it was written.
        func date(_ seconds: Int, _ nanoseconds: Int, name: String = "token") throws {
            let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
            try #require(utimensat(AT_FDCWD, url.appending(path: name).path, [time, time], 0) == 0)
        }
    }

    private func withFolder<R>(_ body: (Folder) async throws -> R) async throws -> R {
        let url = FileManager.default.temporaryDirectory.appending(path: "refresh-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        return try await body(Folder(url: url))
    }

    /// As where the file is mounted on its own.
    private static let busy: RefreshTokenFile.Rename = { _, _ in
        errno = EBUSY
        return -1
    }

    private func grant(
        _ path: String, _ answer: @escaping ScriptedTransport.Answer, patience: Duration = .seconds(10),
        rename: @escaping RefreshTokenFile.Rename = { Glibc.rename($0, $1) }
    ) -> RefreshTokenGrant {
        RefreshTokenGrant(
            file: RefreshTokenFile(path: path, patience: patience, rename: rename),
            endpoint: TokenEndpoint(
                transport: ScriptedTransport(answer), client: ClientCredentials(id: "me", secret: Secret("s")!),
                requests: TokenRequests()))
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test(arguments: [(0o600, 0o600), (0o644, 0o600), (0o400, 0o400)])
    func `Each exchange stores the next token, readable by nobody else`(before: Int, after: Int) async throws {
        try await withFolder { folder in
            try folder.write("r-0\n", mode: before)
            let issuer = Issuer()
            let grant = grant(folder.file, issuer.answer)
            #expect(try await grant.issue().token == AccessToken("a-1"))
            #expect(try folder.token == "r-1\n")
            #expect(try await grant.issue().token == AccessToken("a-2"))
            #expect(try folder.token == "r-2\n")
            #expect(try mode(folder.file) == after)
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `An answer without a refresh token leaves the old one`() async throws {
        try await withFolder { folder in
            try folder.write("r-0")
            let answer = ScriptedTransport.json(200, #"{"access_token": "a"}"#)
            #expect(try await grant(folder.file, answer).issue().token == AccessToken("a"))
            #expect(try folder.token == "r-0")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A refresh token that comes without an access token is stored, and the next try goes on with it`()
        async throws
    {
        try await withFolder { folder in
            try folder.write("r-0\n")
            let issuer = Issuer()
            let first = grant(folder.file) { request in
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
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A refusal, or no answer, leaves everything as it was`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            for answer in [
                ScriptedTransport.json(400, #"{"error": "invalid_grant"}"#), ScriptedTransport.failing(.timedOut),
            ] {
                await #expect(throws: TokenFailure.self) { try await grant(folder.file, answer).issue() }
                #expect(try folder.token == "r-0\n")
                #expect(try folder.leftovers == [])
            }
        }
    }

    @Test func `What a process left behind that was killed after it had written the new token is used first`()
        async throws
    {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n\0\0\0\0", to: ".token.new-1")
            let issuer = Issuer(good: 1)
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(issuer.tokens == ["r-1"])
            #expect(try folder.token == "r-2\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A whole leftover whose exchange brings no new refresh token takes the file's place`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n", to: ".token.new-1")
            _ = try await grant(folder.file, ScriptedTransport.json(200, #"{"access_token": "a"}"#)).issue()
            #expect(try folder.token == "r-1\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: ["", "\0\0\0", "r-", "r-1"])
    func `A leftover that is not whole is removed`(text: String) async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write(text, to: ".token.new-1")
            let issuer = Issuer()
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A leftover of old that is refused does not keep the file's own token from being used`() async throws {
        try await withFolder { folder in
            try folder.write("r-5\n")
            try folder.write("r-1\n", to: ".token.new-1")
            let issuer = Issuer(good: 5)
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-6"))
            #expect(try folder.token == "r-6\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: [0, 1])
    func `A leftover is tried if it is not older than the file, to the nanosecond`(nanoseconds: Int)
        async throws
    {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n", to: ".token.new-1")
            try folder.date(100, nanoseconds)
            try folder.date(100, 0, name: ".token.new-1")
            let issuer = Issuer(good: 1 - nanoseconds)
            _ = try await grant(folder.file, issuer.answer).issue()
            #expect(issuer.tokens == ["r-\(1 - nanoseconds)"])
            #expect(try folder.token == "r-\(2 - nanoseconds)\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A leftover that was refused is removed, also where tokens do not change`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("r-9\n", to: ".token.new-1")
            let answer: ScriptedTransport.Answer = { request in
                String(decoding: request.body ?? [], as: UTF8.self).contains("r-9")
                    ? APIResponse(status: 400, body: Array(#"{"error": "invalid_grant"}"#.utf8))
                    : APIResponse(status: 200, body: Array(#"{"access_token": "a"}"#.utf8))
            }
            #expect(try await grant(folder.file, answer).issue().token == AccessToken("a"))
            #expect(try folder.token == "r-0\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `Behind a symbolic link the target is replaced, not the link`() async throws {
        try await withFolder { folder in
            try await withFolder { other in
                try folder.write("r-0\n")
                let link = other.url.appending(path: "link")
                try FileManager.default.createSymbolicLink(
                    at: link, withDestinationURL: URL(fileURLWithPath: folder.file))
                _ = try await grant(link.path, Issuer().answer).issue()
                #expect(try folder.token == "r-1\n")
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == folder.file)
            }
        }
    }

    @Test func `A folder where nothing can be made is found out before the token is spent`() async throws {
        // /proc is nobody's to write, root's neither.
        let issuer = Issuer()
        let error = await #expect(throws: TokenFailure.self) {
            try await grant("/proc/self/status", issuer.answer).issue()
        }
        guard case .final(let error)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error.kind == .invalidSetting)
        #expect(error.reason.contains("/.status.lock can't be written"), "\(error.reason)")
        #expect(issuer.tokens.isEmpty)
    }

    @Test func `A file that is not there is named`() async throws {
        let error = await #expect(throws: TokenFailure.self) {
            try await grant("/nowhere/token", Issuer().answer).issue()
        }
        guard case .final(let error)? = error else { return }
        #expect(error.kind == .invalidSetting && error.reason.contains("/nowhere/token"))
    }

    @Test func `Many that share a file take turns, and each reads what the one before it stored`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            let issuer = Issuer()
            let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
                for _ in 1...8 {
                    let grant = grant(folder.file, issuer.answer)
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
        try await withFolder { folder in
            try folder.write("r-0\n")
            let lock = try await RefreshTokenFile(path: folder.file).lock()
            let error = await #expect(throws: TokenFailure.self) {
                try await grant(folder.file, Issuer().answer, patience: .milliseconds(100)).issue()
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
        try await withFolder { folder in
            try folder.write("r-0\n")
            try #require(chown(folder.file, 65_534, 65_533) == 0)
            let lock = try await RefreshTokenFile(path: folder.file).lock()
            var status = stat()
            try #require(stat(lock.lockPath, &status) == 0)
            #expect((status.st_uid, status.st_gid) == (65_534, 65_533))
        }
    }

    @Test func `A lock that can't be opened is named`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try FileManager.default.createSymbolicLink(
                atPath: folder.url.appending(path: ".token.lock").path, withDestinationPath: folder.file)
            let error = await #expect(throws: TokenFailure.self) {
                try await grant(folder.file, Issuer().answer).issue()
            }
            guard case .final(let error)? = error else { return }
            #expect(error.reason.contains("/.token.lock must be this user's"), "\(error.reason)")
        }
    }

    @Test func `Once the old token has been sent nobody is cancelled before the new one is stored`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            let issuer = Issuer()
            let (sent, hasSent) = AsyncStream<Void>.makeStream()
            let (answers, mayAnswer) = AsyncStream<Void>.makeStream()
            let source = TokenSource(
                nil,
                issuer: grant(folder.file) { request in
                    hasSent.finish()
                    for await _ in answers {}
                    #expect(!Task.isCancelled)
                    return issuer.answer(request)
                })
            let waiting = Task { try await source.current() }
            for await _ in sent {}
            waiting.cancel()
            await #expect(throws: CancelledBeforeDeparture.self) { _ = try await waiting.value }
            let closing = Task { await source.close() }
            closing.cancel()
            mayAnswer.finish()
            await closing.value
            #expect(try folder.token == "r-1\n")
        }
    }

    // MARK: Files that cannot be replaced

    @Test(arguments: ["r-0\n", "r-0", "r-0" + String(repeating: " ", count: 5000) + "\n"])
    func `A file that cannot be replaced is written in place, to its last byte`(before: String) async throws {
        try await withFolder { folder in
            try folder.write(before, mode: 0o640)
            let number = try folder.number
            let issuer = Issuer()
            let grant = grant(folder.file, issuer.answer, rename: Self.busy)
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
        try await withFolder { folder in
            try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: folder.file)
            let program = Process()
            program.executableURL = URL(fileURLWithPath: folder.file)
            program.arguments = ["1000"]
            try program.run()
            // A child inherits the signals that a thread of a pool blocks, SIGTERM among them; and one that stays holds on to
            // the standard output of the tests, whose end is waited for.
            defer { kill(program.processIdentifier, SIGKILL) }
            let issuer = Issuer()
            let reason: String
            if isChecked {
                let file = RefreshTokenFile(path: folder.file, rename: Self.busy)
                let error = await #expect(throws: TokenError.self) { try await file.rehearse() }
                reason = error?.reason ?? ""
                #expect(error?.kind == .invalidSetting)
            } else {
                let error = await #expect(throws: TokenFailure.self) {
                    try await grant(folder.file, issuer.answer, rename: Self.busy).issue()
                }
                guard case .final(let final)? = error else { return }
                reason = final.reason
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
            try await withFolder { folder in
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
        try await withFolder { folder in
            try folder.write("\n")
            await #expect(throws: TokenError.self) { try await RefreshTokenFile(path: folder.file).rehearse() }
        }
    }

    @Test func `A new token that cannot be put in its place is in a leftover, which is named and used next`()
        async throws
    {
        try await withFolder { folder in
            try folder.write("r-0\n")
            let calls = Mutex(0)
            let failing: RefreshTokenFile.Rename = { old, new in
                let call = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                // The rehearsal works.
                if call == 1 { return Glibc.rename(old, new) }
                errno = EIO
                return -1
            }
            let issuer = Issuer()
            let error = await #expect(throws: TokenFailure.self) {
                try await grant(folder.file, issuer.answer, rename: failing).issue()
            }
            guard case .final(let final)? = error else { return }
            let leftover = try #require(try folder.leftovers.first)
            #expect(final.reason.contains("\(leftover), which the next call uses"), "\(final.reason)")
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(try folder.token == "r-2\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `Two folders with one file, as two containers have it, take turns`() async throws {
        try await withFolder { one in
            try await withFolder { two in
                try one.write("r-0\n")
                // Another name of the same file, beside which there is another lock.
                try FileManager.default.linkItem(atPath: one.file, toPath: two.file)
                let issuer = Issuer()
                let tokens = try await withThrowingTaskGroup(of: AccessToken.self) { group in
                    for path in [one.file, two.file, one.file, two.file] {
                        let grant = grant(path, issuer.answer, rename: Self.busy)
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

    // MARK: Leftovers of others

    @Test(arguments: [0o602, 0o620, 0o666])
    func `A leftover that others may write is not used, and left alone`(mode: Int) async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("stranger\n", to: ".token.new-1", mode: mode)
            let issuer = Issuer()
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers == [".token.new-1"])
        }
    }

    @Test func `A leftover that is another file's second name, a link or a pipe is not used`() async throws {
        try await withFolder { folder in
            try folder.write("r-0\n")
            try folder.write("stranger\n", to: "other")
            let manager = FileManager.default
            let other = folder.url.appending(path: "other").path
            try manager.linkItem(atPath: other, toPath: folder.url.appending(path: ".token.new-1").path)
            try manager.createSymbolicLink(
                atPath: folder.url.appending(path: ".token.new-2").path, withDestinationPath: other)
            try #require(mkfifo(folder.url.appending(path: ".token.new-3").path, 0o600) == 0)
            let issuer = Issuer()
            #expect(try await grant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers.count == 4)
        }
    }

    @Test(.enabled(if: geteuid() == 0))
    func `A leftover of another user is not used, one of the file's owner is`() async throws {
        for (owner, tokens) in [(uid_t(65_533), ["r-0"]), (65_534, ["r-1"]), (0, ["r-1"])] {
            try await withFolder { folder in
                try folder.write("r-0\n")
                try folder.write("r-1\n", to: ".token.new-1")
                try #require(chown(folder.file, 65_534, 65_534) == 0)
                try #require(chown(folder.url.appending(path: ".token.new-1").path, owner, 65_534) == 0)
                let issuer = Issuer(good: tokens == ["r-0"] ? 0 : 1)
                _ = try await grant(folder.file, issuer.answer).issue()
                #expect(issuer.tokens == tokens, "\(owner)")
                #expect(try folder.leftovers == (owner == 65_533 ? [".token.new-1"] : []))
            }
        }
    }
}
