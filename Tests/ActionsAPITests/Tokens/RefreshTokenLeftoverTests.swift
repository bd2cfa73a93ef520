import Foundation
import Synchronization
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

import Glibc

@Suite("Interrupted exchanges of a refresh token, and what they leave behind")
struct RefreshTokenLeftoverTests {
    @Test func `What a process left behind that was killed after it had written the new token is used first`()
        async throws
    {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n\0\0\0\0", to: ".token.new-1")
            let issuer = OneTimeIssuer(good: 1)
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(issuer.tokens == ["r-1"])
            #expect(try folder.token == "r-2\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A whole leftover whose exchange brings no new refresh token takes the file's place`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n", to: ".token.new-1")
            let answer = ScriptedTransport.json(200, #"{"access_token": "a"}"#)
            _ = try await RefreshTokenGrant(folder.file, answer).issue()
            #expect(try folder.token == "r-1\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: ["", "\0\0\0", "r-", "r-1"])
    func `A leftover that is not whole is removed`(text: String) async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write(text, to: ".token.new-1")
            let issuer = OneTimeIssuer()
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A leftover of old that is refused does not keep the file's own token from being used`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-5\n")
            try folder.write("r-1\n", to: ".token.new-1")
            let issuer = OneTimeIssuer(good: 5)
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-6"))
            #expect(try folder.token == "r-6\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: [0, 1])
    func `A leftover is tried if it is not older than the file, to the nanosecond`(nanoseconds: Int)
        async throws
    {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("r-1\n", to: ".token.new-1")
            try folder.date(100, nanoseconds)
            try folder.date(100, 0, name: ".token.new-1")
            let issuer = OneTimeIssuer(good: 1 - nanoseconds)
            _ = try await RefreshTokenGrant(folder.file, issuer.answer).issue()
            #expect(issuer.tokens == ["r-\(1 - nanoseconds)"])
            #expect(try folder.token == "r-\(2 - nanoseconds)\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `A leftover that was refused is removed, also where tokens do not change`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("r-9\n", to: ".token.new-1")
            let answer: ScriptedTransport.Answer = { request in
                String(decoding: request.body ?? [], as: UTF8.self).contains("r-9")
                    ? APIResponse(status: 400, body: Array(#"{"error": "invalid_grant"}"#.utf8))
                    : APIResponse(status: 200, body: Array(#"{"access_token": "a"}"#.utf8))
            }
            #expect(try await RefreshTokenGrant(folder.file, answer).issue().token == AccessToken("a"))
            #expect(try folder.token == "r-0\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test func `Once the old token has been sent nothing is cancelled before the new one is stored`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            let issuer = OneTimeIssuer()
            let (sent, hasSent) = AsyncStream<Void>.makeStream()
            let (answers, mayAnswer) = AsyncStream<Void>.makeStream()
            let source = TokenSource(
                nil,
                issuer: RefreshTokenGrant(folder.file) { request in
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

    @Test func `A new token that cannot be put in its place is in a leftover, which is named and used next`()
        async throws
    {
        try await TokenFolder.with { folder in
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
            let issuer = OneTimeIssuer()
            let failure = await #expect(throws: TokenFailure.self) {
                try await RefreshTokenGrant(folder.file, issuer.answer, rename: failing).issue()
            }
            let error = try #require(failure?.finalError)
            let leftover = try #require(try folder.leftovers.first)
            #expect(error.reason.contains("\(leftover), which the next call uses"), "\(error.reason)")
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-2"))
            #expect(try folder.token == "r-2\n")
            #expect(try folder.leftovers == [])
        }
    }

    @Test(arguments: [0o602, 0o620, 0o666])
    func `A leftover that others may write is not used, and left alone`(mode: Int) async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("stranger\n", to: ".token.new-1", mode: mode)
            let issuer = OneTimeIssuer()
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers == [".token.new-1"])
        }
    }

    @Test func `A leftover that is another file's second name, a link or a pipe is not used`() async throws {
        try await TokenFolder.with { folder in
            try folder.write("r-0\n")
            try folder.write("stranger\n", to: "other")
            let manager = FileManager.default
            let other = folder.url.appending(path: "other").path
            try manager.linkItem(atPath: other, toPath: folder.url.appending(path: ".token.new-1").path)
            try manager.createSymbolicLink(
                atPath: folder.url.appending(path: ".token.new-2").path, withDestinationPath: other)
            try #require(mkfifo(folder.url.appending(path: ".token.new-3").path, 0o600) == 0)
            let issuer = OneTimeIssuer()
            #expect(try await RefreshTokenGrant(folder.file, issuer.answer).issue().token == AccessToken("a-1"))
            #expect(issuer.tokens == ["r-0"])
            #expect(try folder.leftovers.count == 4)
        }
    }

    @Test(.enabled(if: geteuid() == 0))
    func `A leftover of another user is not used, one of the file's owner is`() async throws {
        for (owner, tokens) in [(uid_t(65_533), ["r-0"]), (65_534, ["r-1"]), (0, ["r-1"])] {
            try await TokenFolder.with { folder in
                try folder.write("r-0\n")
                try folder.write("r-1\n", to: ".token.new-1")
                try #require(chown(folder.file, 65_534, 65_534) == 0)
                try #require(chown(folder.url.appending(path: ".token.new-1").path, owner, 65_534) == 0)
                let issuer = OneTimeIssuer(good: tokens == ["r-0"] ? 0 : 1)
                _ = try await RefreshTokenGrant(folder.file, issuer.answer).issue()
                #expect(issuer.tokens == tokens, "\(owner)")
                #expect(try folder.leftovers == (owner == 65_533 ? [".token.new-1"] : []))
            }
        }
    }
}
