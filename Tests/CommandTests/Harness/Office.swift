import Foundation
import Postgres
import Testing

/// A server of the test's own, for roles belong to all of its databases.
struct Office: Sendable {
    let stage: Stage
    let cluster: PrivateCluster
    let database: TestDatabase

    static func with(_ body: @escaping @Sendable (Office) async throws -> Void) async throws {
        try await Stage.with { stage in
            try await PrivateCluster.with { cluster in
                try await body(Office(stage: stage, cluster: cluster, database: cluster.database()))
            }
        }
    }

    /// The variables that lead a program to the server as this user.
    func changes(_ user: String) -> [String: String?] {
        cluster.environment.merging(["PGUSER": user]) { $1 }.mapValues(Optional.some)
    }

    func printed(_ options: String...) async throws -> String {
        let nobody: [String: String?] = ["PGHOST": "127.0.0.1", "PGPORT": "9", "ZAPIER_ACCESS_TOKEN": nil]
        let finished = try await stage.run(["migrate", "--print-roles"] + options, changes: nobody)
        #expect(finished.status == 0, "\(finished.stderr)")
        return finished.stdout
    }

    func makeLogins() async throws {
        try await database.execute(
            """
            create role exporter login; grant stored_actions_loader to exporter;
            create role analyst login; grant stored_actions_reader to analyst;
            create role deployer login; grant stored_actions_owner to deployer;
            """)
    }

    func connect(_ user: String) async throws -> PostgresConnection {
        try await PostgresConnection(
            PostgresConfiguration(
                connectionString:
                    "host=127.0.0.1 port=\(cluster.environment["PGPORT"] ?? "") user=\(user) dbname=postgres"
            ))
    }

    func execute(_ user: String, _ script: String) async throws {
        let connection = try await connect(user)
        try await connection.execute(script: script)
        await connection.close()
    }

    func run(_ user: String, _ arguments: String...) async throws -> Program.Finished {
        try await stage.run(arguments, changes: changes(user))
    }

    /// That each of the statements is refused for want of a right.
    func expectRefused(_ user: String, _ statements: [String]) async throws {
        let connection = try await connect(user)
        for statement in statements {
            let state: String?
            do {
                try await connection.execute(script: statement)
                state = nil
            } catch {
                state = error.sqlstate
            }
            #expect(state == "42501", "\(user): \(statement)")
        }
        await connection.close()
    }

    func relations() async throws -> [String] {
        try await database.rows(
            """
            select relname from pg_catalog.pg_class
             where relnamespace = 'stored_actions'::regnamespace and relkind in ('r', 'v') order by 1
            """)
    }

    /// Everything that the loader is for; the chains are of a number that no export had yet.
    func exportsAsLoader(_ number: Int) async throws {
        let exporter = changes("exporter")
        let (plain, doubtful) = (
            Chain(number: number), Chain(number: number + 1, course: .startedHTML, times: 1)
        )
        var manifest = Manifest.following([plain, doubtful])
        manifest.runs += [
            Manifest.Run(.error, number: UInt64(number)), Manifest.Run(.conflict, number: UInt64(number)),
            Manifest.Run(.missing, number: UInt64(number)), Manifest.Run(.success, 3, number: UInt64(number)),
        ]
        let first = try await stage.export(manifest, "--no-migrate", changes: exporter)
        #expect(first.status == 4, "\(first.finished.stderr)")
        #expect(try first.chains.chains == ["last_page": 1, "submit_unknown": 1])
        let resolved = try await run("exporter", "resolve", "--chain", doubtful.root, "--not-sent")
        #expect(resolved.status == 0, "\(resolved.stderr)")
        let unfinished = try await stage.export(manifest, "--no-migrate", changes: exporter)
        #expect(unfinished.status == 3, "\(unfinished.finished.stderr)")
        #expect(try unfinished.chains.chains == ["last_page": 2])
        let again = try await stage.export(manifest, "--no-migrate", "--refetch", changes: exporter)
        #expect(again.status == 3, "\(again.finished.stderr)")
        // A schema that is up to date needs no migration, and no right to make one.
        #expect(try await stage.export(manifest, changes: exporter).status == 3)
        let status = try await run("exporter", "status")
        #expect(status.status == 0, "\(status.stderr)")
        let check = try await run("exporter", "check")
        #expect(check.status == 0, "\(check.stdout)")
        try await database.age(days: 100)
        let stored = try await database.count("results")
        let pruned: PruneTests.Told = try await run("exporter", "prune", "--older-than", "90d", "--json").decoded()
        #expect(pruned.exitStatus == 0)
        #expect(pruned.rows["results"] == stored && stored > 12)
        #expect(try await database.count("results") == 0)
    }
}
