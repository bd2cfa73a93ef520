import Postgres

extension SchemaProblem {
    /// What the error means for the schema, where that takes a look at the database; else the error itself.
    static func explaining(_ error: any Error, on session: PostgresSession) async -> any Error {
        guard let refusal = error as? PostgresError else { return error }
        if refusal.isNameConflict {
            return SchemaProblem(
                kind: .foreign,
                description: """
                    the schema stored_actions holds something that stored-actions did not make: \(refusal); rename it or \
                    move it to another schema, or use a database of your own
                    """)
        }
        let triggers = await eventTriggers(in: refusal, session)
        guard !triggers.isEmpty else { return error }
        return SchemaProblem(
            kind: .policy,
            description: """
                an event trigger of the database (\(triggers.joined(separator: ", "))) refused to let a table be made: \
                \(refusal); let it allow what this role makes, an export's temporary table included
                """)
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
