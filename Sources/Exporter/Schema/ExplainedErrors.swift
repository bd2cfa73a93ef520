import Postgres

extension SchemaProblem {
    /// What the error means for the schema, where that takes a look at the database; else the error itself.
    static func explaining(_ error: any Error, on session: PostgresSession) async -> any Error {
        guard let refusal = error as? PostgresError else { return error }
        if refusal.isNameConflict { return SchemaProblem.nameTaken(refusal) }
        let triggers = await eventTriggers(in: refusal, session)
        return triggers.isEmpty ? error : SchemaProblem.eventTriggers(triggers, refusal)
    }

    /// Those whose function raised the error.
    private static func eventTriggers(in error: PostgresError, _ session: PostgresSession) async -> [String] {
        guard let context = error.context, context.contains("function") else { return [] }
        let names = try? await session.query(
            """
            select t.evtname::text as name
              from pg_event_trigger t
              join pg_proc p on p.oid = t.evtfoid
             where t.evtenabled <> 'D' and position(p.proname || '(' in $1) > 0
             order by t.evtname
            """, [.text(context)]
        ).map { try $0.decode("name", as: String.self) }
        return names ?? []
    }
}

extension PostgresError {
    /// A table, a function or the like has the name of what was to be made.
    fileprivate var isNameConflict: Bool {
        context == nil && ["42P06", "42P07", "42701", "42710", "42723"].contains(sqlstate)
    }
}
