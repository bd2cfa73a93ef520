import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A running `stored-actions-sandbox`, with what it tells of the requests it got.
struct Sandbox: Sendable {
    static let token = "sandbox-token"

    let url: String

    struct DidNotStart: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter options: of `serve`.
    static func with<R: Sendable>(
        _ options: [String], _ body: @escaping @Sendable (Sandbox) async throws -> R
    ) async throws -> R {
        try await Program(built: "stored-actions-sandbox").serving(
            ["serve", "--port", "0"] + options, environment: ["PATH": "/usr/bin:/bin"]
        ) { line in
            let prefix = "listening on "
            guard line.hasPrefix(prefix) else {
                throw DidNotStart(description: "the sandbox with \(options) said \"\(line)\" instead of its address")
            }
            let url = line.dropFirst(prefix.count).trimmingCharacters(in: .whitespacesAndNewlines)
            return try await body(Sandbox(url: url))
        }
    }

    struct Stats: Decodable, Sendable {
        let requests: Int
        let rateLimited: Int
        let maxInFlight: Int
        let byStatus: [String: Int]
    }

    var stats: Stats { get async throws { try await get("/sandbox/stats") } }

    /// How often each run was asked for.
    var requestsByRun: [String: Int] {
        get async throws {
            let byPath: [String: Int] = try await get("/sandbox/requests", keepingKeys: true)
            var byRun: [String: Int] = [:]
            for (path, count) in byPath where path.contains("/runs/") { byRun[String(path.suffix(36))] = count }
            return byRun
        }
    }

    /// How many final answers each run got.
    var finals: [String: Int] { get async throws { try await get("/sandbox/finals", keepingKeys: true) } }

    /// Changes settings while it runs: `{"down": true}`.
    func change(_ settings: String) async throws {
        var request = URLRequest(url: try address("/sandbox/settings"))
        request.httpMethod = "POST"
        request.httpBody = Data(settings.utf8)
        _ = try await answer(to: request)
    }

    /// The body of a run, as the API sends it.
    func body(of run: Manifest.Run) async throws -> String {
        var request = URLRequest(url: try address("/actions/v1/stored-actions/\(run.action)/runs/\(run.id)"))
        request.setValue("Bearer \(Self.token)", forHTTPHeaderField: "Authorization")
        return String(decoding: try await answer(to: request), as: UTF8.self)
    }

    func get<T: Decodable>(_ path: String, keepingKeys: Bool = false) async throws -> T {
        let decoder = JSONDecoder()
        if !keepingKeys { decoder.keyDecodingStrategy = .convertFromSnakeCase }
        return try decoder.decode(T.self, from: try await answer(to: URLRequest(url: try address(path))))
    }

    func address(_ path: String) throws -> URL {
        guard let address = URL(string: url + path) else { throw URLError(.badURL) }
        return address
    }

    private func answer(to request: URLRequest) async throws -> Data {
        let (data, response) = try await URLSession.shared.data(for: request)
        guard let status = (response as? HTTPURLResponse)?.statusCode, status == 200 else {
            throw URLError(.badServerResponse)
        }
        return data
    }
}
