import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What the sandbox tells of POSTs, and the pages as it serves them.
extension Sandbox {
    /// POSTs alike: of one stored action, with one cursor and the same inputs.
    struct Submission: Decodable, Sendable {
        let storedActionId: String
        let rootRunId: String?
        let page: String?
        let inputsHash: String
        let posts: Int
        let runsStarted: Int
        let runIds: [String]
    }

    private struct Submissions: Decodable {
        let submissions: [Submission]
    }

    var submissions: [Submission] {
        get async throws {
            let all: Submissions = try await get("/sandbox/submissions")
            return all.submissions
        }
    }

    func submissions(of chain: Chain) async throws -> [Submission] {
        try await submissions.filter { $0.rootRunId == chain.root && $0.storedActionId == chain.action }
    }

    /// POSTs and the runs that they started, by cursor: `["1": "1 POST, 1 run"]`.
    func posts(of chain: Chain) async throws -> [String: String] {
        Dictionary(
            try await submissions(of: chain).map {
                ($0.page ?? "none", Self.told(posts: $0.posts, runs: $0.runsStarted))
            }, uniquingKeysWith: { "\($0) and with other inputs \($1)" })
    }

    static func told(posts: Int, runs: Int) -> String { "\(posts) POST, \(runs) run" }

    /// How often each path but those of runs was asked for: `GET /actions/…`.
    var requestsByPath: [String: Int] { get async throws { try await get("/sandbox/requests", keepingKeys: true) } }

    func lookups(of action: String) async throws -> Int {
        try await requestsByPath["GET /actions/v1/stored-actions/\(action)", default: 0]
    }

    struct Kinds: Decodable, Sendable {
        let reads: Int
        let runs: Int
        let lookups: Int
    }

    var kinds: Kinds { get async throws { try await get("/sandbox/stats") } }

    /// The body of a page as it is in the end. Another run of the page than the program's is asked for, so that the
    /// program's own requests are told apart.
    func body(of page: Int, in chain: Chain) async throws -> String {
        let path = "/actions/v1/stored-actions/\(chain.action)/runs/\(chain.run(page, ordinal: 0xFFF))"
        for _ in 0...16 {
            var request = URLRequest(url: try address(path))
            request.setValue("Bearer \(Self.token)", forHTTPHeaderField: "Authorization")
            let (data, response) = try await URLSession.shared.data(for: request)
            let body = String(decoding: data, as: UTF8.self)
            if (response as? HTTPURLResponse)?.statusCode == 200, !body.contains("\"waiting\"") { return body }
        }
        throw URLError(.cannotParseResponse)
    }
}
