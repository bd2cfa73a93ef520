import Foundation
import Postgres
import Testing

/// What is told of the chains by `export --json`.
struct ChainSummary: Decodable, Sendable {
    struct Doubt: Decodable, Sendable {
        let storedActionId: String
        let rootRunId: String
        let pageNumber: Int
        /// Two command lines.
        let resolve: [String]
    }

    let pagesFollowed: Int
    let results: Int
    let chains: [String: Int]
    let openChains: Int
    let chainsInDoubt: [Doubt]
}

extension Export {
    var chains: ChainSummary { get throws { try finished.decoded() } }
}

extension Stage {
    /// `pages|result_count|end_reason` of `page_chains`; nil without a row.
    func end(of chain: Chain) async throws -> String? {
        try await database.value(
            """
            select pages, result_count, end_reason from page_chains
             where stored_action_id = $1::uuid and root_run_id = $2::uuid
            """, [.text(chain.action), .text(chain.root)])
    }

    func detail(of chain: Chain) async throws -> String? {
        try await database.value(
            "select end_detail from page_chains where stored_action_id = $1::uuid and root_run_id = $2::uuid",
            [.text(chain.action), .text(chain.root)])
    }

    /// `page_number|outcome|run_id|page` of a chain's runs, in its order.
    func runs(of chain: Chain) async throws -> [String] {
        try await database.rows(
            """
            select page_number, outcome, run_id, page from runs
             where stored_action_id = $1::uuid and root_run_id = $2::uuid order by page_number, first_seen_at
            """, [.text(chain.action), .text(chain.root)])
    }

    /// What ``runs(of:)`` tells of a chain whose stored pages are these, each had by its first POST.
    func successes(_ chain: Chain, _ pages: [Int]) -> [String] {
        pages.enumerated().map { place, page in
            let run = chain.run(page, ordinal: place == 0 ? 0 : 1)
            return "\(place)|success|\(run)|\(place == 0 ? "" : chain.cursor(page))"
        }
    }

    /// Every row of a chain that differs from what the sandbox serves, or that one of the two does not have.
    ///
    /// - Parameter pages: those that are to be stored, in the order of the chain.
    func differences(_ chain: Chain, pages: [Int]) async throws -> [String] {
        var bodies: [String] = []
        for page in pages { bodies.append(try await sandbox.body(of: page, in: chain)) }
        let parameters: [PostgresParameter] = [
            .text("[\(bodies.joined(separator: ","))]"), .text(chain.root), .text(chain.action),
        ]
        let sent = """
            sent as (
              select p.position - 1 as page_number, e.position - 1 as item_index, e.object
                from jsonb_array_elements($1::jsonb) with ordinality as p(body, position)
               cross join jsonb_array_elements(coalesce(p.body -> 'data', p.body) -> 'results')
                          with ordinality as e(object, position)
            )
            """
        var lines: [String] = []
        for stored in [
            """
            select page_number, item_index, payload from paged_results
             where root_run_id = $2::uuid and stored_action_id = $3::uuid
            """,
            """
            select page_number, item_index, payload from results join runs using (stored_action_id, run_id)
             where root_run_id = $2::uuid and stored_action_id = $3::uuid
            """,
        ] {
            lines += try await database.rows(
                """
                with \(sent)
                select page_number, item_index, s.object as sent, r.payload as stored
                  from (\(stored)) r full join sent s using (page_number, item_index)
                 where r.payload::text is distinct from s.object::text
                """, parameters)
        }
        return lines
    }

    /// How often each cursor of a chain was to be posted when each was posted once.
    func oncePosted(_ chain: Chain, _ pages: [Int]) -> [String: String] {
        var told: [String: String] = [:]
        for page in pages.dropFirst() { told[chain.cursor(page)] = Sandbox.told(posts: 1, runs: 1) }
        return told
    }

    /// That a chain was followed to its end, each page had by one POST, and each row is the sandbox's own.
    func expectWhole(_ chain: Chain, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        let pages = Array(0..<chain.pages)
        let (posts, runs, end) = (
            try await sandbox.posts(of: chain), try await self.runs(of: chain), try await end(of: chain)
        )
        #expect(posts == oncePosted(chain, pages), "\(what)", sourceLocation: sourceLocation)
        #expect(runs == successes(chain, pages), "\(what)", sourceLocation: sourceLocation)
        #expect(
            end == "\(chain.pages)|\(chain.pages * chain.rows)|last_page", "\(what)", sourceLocation: sourceLocation)
        let differences = try await differences(chain, pages: pages)
        #expect(differences == [], "\(what)", sourceLocation: sourceLocation)
    }
}
