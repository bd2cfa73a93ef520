import Foundation
import Synchronization
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

import Glibc

/// A folder with the file of a refresh token, for one test.
struct TokenFolder {
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

    static func with<R>(_ body: (TokenFolder) async throws -> R) async throws -> R {
        let url = FileManager.default.temporaryDirectory.appending(path: "refresh-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        return try await body(TokenFolder(url: url))
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

/// A token endpoint whose refresh tokens are good once: `r-0`, `r-1`, ….
final class OneTimeIssuer: Sendable {
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

extension RefreshTokenGrant {
    /// - Parameters:
    ///   - path: of the refresh token's file.
    ///   - answer: the token endpoint's, to each request.
    init(
        _ path: String, _ answer: @escaping ScriptedTransport.Answer, patience: Duration = .seconds(10),
        rename: @escaping RefreshTokenFile.Rename = { Glibc.rename($0, $1) }
    ) {
        self.init(
            file: RefreshTokenFile(path: path, patience: patience, rename: rename),
            endpoint: TokenEndpoint(
                transport: ScriptedTransport(answer), client: ClientCredentials(id: "me", secret: Secret("s")!),
                requests: TokenRequests()))
    }
}

extension TokenFailure {
    /// The error of a failure that no further try mends.
    var finalError: TokenError? {
        if case .final(let error) = self { error } else { nil }
    }
}
