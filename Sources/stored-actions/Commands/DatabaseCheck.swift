import Exporter
import Postgres

/// What `check` finds of the database: whether an export could do there all that it does.
struct DatabaseCheck {
    let configuration: PostgresConfiguration
    let session: PostgresSession

    var findings: [Check.Finding] {
        get async { await [schema()] + additions() + [connections()] }
    }

    private func schema() async -> Check.Finding {
        do {
            if let newer = try await Migrator(toolVersion: toolVersion).newerSchema(on: session) {
                return Check.Finding(what: "schema", ok: true, detail: newer.text)
            }
            let pending = try await Rehearsal(toolVersion: toolVersion).run(on: session)
            return Check.Finding(
                what: "schema", ok: true,
                detail: pending == 0
                    ? "up to date, and an export can write to it"
                    : "\(count(pending, "migration")) to be applied; export applies \(pending == 1 ? "it" : "them") "
                        + "automatically")
        } catch {
            return await refusal(error)
        }
    }

    private func refusal(_ error: any Error) async -> Check.Finding {
        let failure = Failure(error)
        guard (error as? PostgresError)?.sqlstate == "25006" else {
            return Check.Finding(what: "schema", ok: false, detail: failure.text, exitStatus: failure.status)
        }
        let rows = try? await session.query("select pg_is_in_recovery() as is_standby")
        let isStandby = (try? rows?.first?.decode("is_standby", as: Bool.self)) ?? false
        return isStandby
            ? Check.Finding(
                what: "schema", ok: false,
                detail: "the server is a standby, which takes no writes: connect to its primary (libpq finds it among "
                    + "several hosts with target_session_attrs=read-write)", exitStatus: failure.status)
            : Check.Finding(
                what: "schema", ok: false,
                detail:
                    "default_transaction_read_only is on for this role, this database or the server, so nothing can be "
                    + "written: turn it off for the role", exitStatus: ExitStatus.invalidSetting)
    }

    /// What was added to the schema by others, and its owners.
    private func additions() async -> [Check.Finding] {
        do {
            var findings: [Check.Finding] = []
            let ownership = try await SchemaOwnership(on: session)
            if let owner = ownership.owner {
                findings.append(
                    Check.Finding(what: "owner", ok: true, detail: ownership.warning ?? "role \(owner) owns the schema")
                )
            }
            let changes = try await SchemaChanges(on: session)
            if !changes.triggers.isEmpty {
                findings.append(
                    Check.Finding(
                        what: "triggers", ok: true,
                        detail: "not made by stored-actions, and may change or drop what it writes: "
                            + changes.triggers.joined(separator: ", ")))
            }
            return findings
        } catch {
            return [Check.Finding(what: "owner", error)]
        }
    }

    /// An export has two connections at a time at least.
    private func connections() async -> Check.Finding {
        do {
            let second = try await PostgresConnection(configuration)
            let third = await outcome { try await PostgresConnection(configuration) }
            await second.close()
            switch third {
            case .success(let connection):
                await connection.close()
                return Check.Finding(what: "connections", ok: true, detail: "3 at once, as many as an export needs")
            case .failure(let error):
                return Check.Finding(
                    what: "connections", ok: true,
                    detail: "2 at once; an export that follows pages needs 3: \(Failure(error).text)")
            }
        } catch let error where error.kind == .resources {
            let limit = await connectionLimit()
            return Check.Finding(
                what: "connections", ok: false,
                detail: "a second connection is refused, and an export needs 2 at once, 3 where it follows pages"
                    + (limit.map { " (the limit of the \($0))" } ?? "") + ": \(error)",
                exitStatus: limit == nil ? ExitStatus.unreachable : ExitStatus.invalidSetting)
        } catch {
            return Check.Finding(what: "connections", error)
        }
    }

    /// Whose limit it is that allows one connection; nil if it is the server's.
    private func connectionLimit() async -> String? {
        let rows = try? await session.query(
            """
            select case when r.rolconnlimit in (0, 1) then 'role is ' || r.rolconnlimit
                        when d.datconnlimit >= 0 then 'database is ' || d.datconnlimit end as narrow
              from pg_roles r, pg_database d
             where r.rolname = session_user and d.datname = current_database()
            """)
        return try? rows?.first?.decode("narrow", as: String?.self) ?? nil
    }

    private func outcome<R>(_ body: () async throws -> R) async -> Result<R, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
