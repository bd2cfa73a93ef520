import Foundation
import Postgres
import Testing

extension Fault {
    static let databaseServer: [Fault] = [
        Fault(
            name: "PostgreSQL killed", detail: "and restarted, in COPY and before COMMIT", hasOwnCluster: true,
            calls: [
                Call(
                    database: [
                        .held(at: .copy, .copyData, occurrence: 2, passing: .part(0.5)),
                        .held(at: .copy, .commit, occurrence: 2),
                    ],
                    during: { act in
                        for count in 1...2 {
                            try await act.pulled(count)
                            try await act.scene.noteSettled()
                            try await act.scene.cluster?.crash()
                            try await act.scene.cluster?.start()
                            act.proxies.database.letGo()
                        }
                    }, asksOnce: true)
            ]),
        Fault(
            name: "PostgreSQL killed", detail: "and gone for longer than an export waits", hasOwnCluster: true,
            isPatient: true,
            calls: [
                Call(
                    database: [.held(at: .copy, .commit, occurrence: 2)], statuses: [69],
                    tells: ["the database cannot be reached"],
                    during: { act in
                        try await act.pulled()
                        try await act.scene.noteSettled()
                        try await act.scene.cluster?.crash()
                    })
            ],
            mend: { try await $0.cluster?.start() }),
        tooManyConnections,
    ]

    private static let tooManyConnections: Fault = {
        let others = Others()
        return Fault(
            name: "too many connections", detail: "at the start and in the middle", hasOwnCluster: true,
            isPatient: true,
            before: { scene in
                let database = try await scene.database()
                try await database.execute("alter system set max_connections = 12")
                try await database.execute("alter system set superuser_reserved_connections = 0")
                try await scene.cluster?.crash()
                try await scene.cluster?.start()
                try await others.takeAll(of: scene)
            },
            calls: [
                Call(times: 1, statuses: [69], tells: ["too many clients"]),
                Call(
                    database: [.held(at: .copy, .commit, occurrence: 2)], statuses: [69], tells: ["too many clients"],
                    during: { act in
                        await others.leave()
                        try await act.pulled()
                        try await act.scene.noteSettled()
                        act.proxies.database.refuseConnections()
                        try await others.endSessions(of: act.scene)
                        try await others.takeAll(of: act.scene)
                        try act.proxies.database.acceptConnections()
                    }),
            ],
            mend: { _ in await others.leave() })
    }()

    /// Connections of somebody else's.
    private actor Others {
        private var connections: [PostgresConnection] = []

        /// Takes connections until the server has no more to give, and nobody else has one.
        func takeAll(of scene: Scene) async throws {
            let deadline = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < deadline {
                do {
                    connections.append(try await Self.connection(to: scene))
                } catch let error as PostgresError where error.sqlstate == "53300" {
                    let taken: Int? = try await connections.first?.query(
                        "select count(*) as n from pg_stat_activity where backend_type = 'client backend'")[0].decode(
                            "n")
                    if taken == connections.count { return }
                }
            }
            Issue.record("others have connections, too")
        }

        /// Ends the connections of the program.
        func endSessions(of scene: Scene) async throws {
            let connection = try await Self.connection(to: scene)
            connections.append(connection)
            _ = try await connection.query(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'stored-actions'"
            )
        }

        private static func connection(to scene: Scene) async throws -> PostgresConnection {
            let port = scene.cluster?.environment["PGPORT"] ?? ""
            var configuration = PostgresConfiguration(
                connectionString: "host=127.0.0.1 port=\(port) user=postgres dbname=postgres")
            configuration.applicationName = "others"
            return try await PostgresConnection(configuration)
        }

        func leave() async {
            for connection in connections { await connection.close() }
            connections = []
        }
    }
}

extension TestDatabase {
    /// Ends the program's connections, as an administrator would.
    func endSessions() async throws {
        _ = try await rows(
            """
            select pg_terminate_backend(pid, 5000) as ended from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()
               and application_name like 'stored-actions%'
            """)
    }
}
