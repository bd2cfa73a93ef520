import Postgres

/// Changes to the schema, or settings of it, that affect an export.
package struct SchemaChanges: Sendable, Equatable {
    /// Triggers and rules on the tables, each with the function that it calls. No migration makes any.
    package var triggers: [String]
    /// Tables with a policy that hides rows from this role, or keeps it from writing some.
    var tablesWithPolicies: [String]
    /// Columns that rows are sent to and that are gone, or of another type.
    var wrongColumns: [String]

    /// Why nothing can be exported; nil if it can.
    package var refusal: SchemaProblem? {
        if !wrongColumns.isEmpty { return .wrongColumns(wrongColumns) }
        if !tablesWithPolicies.isEmpty { return .rowSecurity(tables: tablesWithPolicies) }
        return nil
    }
}

extension SchemaChanges {
    package init(on session: PostgresSession) async throws {
        self = try await session.transaction { transaction in
            try SchemaChanges(transaction)
        } wasCommitted: { _ in
            true
        }
    }

    init(_ transaction: borrowing PostgresTransaction) throws {
        triggers = try names(
            """
            select c.relname || '.' || t.tgname || ' (' || t.tgfoid::regprocedure::text || ')' as name
              from pg_trigger t
              join pg_class c on c.oid = t.tgrelid
              join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'stored_actions' and not t.tgisinternal and t.tgenabled <> 'D'
             union all
            select c.relname || '.' || r.rulename || ' (a rule)'
              from pg_rewrite r
              join pg_class c on c.oid = r.ev_class
              join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'stored_actions' and r.rulename <> '_RETURN'
             order by name
            """, in: transaction)
        tablesWithPolicies = try names(
            """
            select 'stored_actions.' || c.relname as name
              from pg_class c
              join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'stored_actions' and c.relkind in ('r', 'p') and row_security_active(c.oid)
             order by name
            """, in: transaction)
        let sent = Self.sent
        wrongColumns = try names(
            """
            select s.relation || '.' || s.attribute as name
              from unnest($1::text[], $2::text[], $3::text[]) with ordinality as s(relation, attribute, type, place)
             where not exists (select from pg_attribute a
                                 join pg_class c on c.oid = a.attrelid
                                 join pg_namespace n on n.oid = c.relnamespace
                                 join pg_type t on t.oid = a.atttypid
                                where n.nspname = 'stored_actions' and c.relname = s.relation
                                  and a.attname = s.attribute and not a.attisdropped
                                  and (t.oid = s.type::regtype or s.type = 'text' and t.typcategory = 'S'))
             order by s.place
            """, [.texts(sent.map(\.table)), .texts(sent.map(\.column)), .texts(sent.map(\.type))],
            in: transaction)
    }

    /// Values are sent in the form of these types. Another type would refuse each row or, worse, take it as something
    /// else.
    private static var sent: [(table: String, column: String, type: String)] {
        runs.map { ("runs", $0.name, $0.type) } + keys
            + RunTable.allCases.flatMap { table in table.columns.map { (table.rawValue, $0.name, $0.type) } }
    }

    /// Of the tables that an export may not come to before it has stored results: it refuses at once what would stop it
    /// then.
    private static let keys: [(table: String, column: String, type: String)] = [
        ("export_items", "export_id", "int8"), ("export_items", "stored_action_id", "uuid"),
        ("export_items", "run_id", "uuid"), ("export_items", "outcome", "text"), ("export_items", "action", "text"),
        ("export_items", "result_count", "int4"),
        ("page_chains", "root_run_id", "uuid"), ("page_intents", "intent_id", "uuid"),
    ]

    private static let runs: [(name: String, type: String)] = [
        ("stored_action_id", "uuid"), ("run_id", "uuid"), ("root_run_id", "uuid"), ("executed_at", "timestamptz"),
        ("expires_at", "timestamptz"), ("first_seen_at", "timestamptz"), ("outcome", "text"), ("status", "text"),
        ("http_status", "int4"), ("type", "text"), ("result_count", "int4"), ("error_count", "int4"),
        ("next_page", "text"), ("extra", "jsonb"), ("extra_raw", "bytea"), ("pruned_at", "timestamptz"),
        ("fetched_at", "timestamptz"), ("checked_at", "timestamptz"), ("seen_alive", "bool"),
        ("evidence", "text"), ("failure", "text"), ("attempts", "int4"), ("export_id", "int8"),
        ("loaded_at", "timestamptz"),
    ]
}

private func names(
    _ sql: String, _ parameters: [PostgresParameter] = [], in transaction: borrowing PostgresTransaction
) throws -> [String] {
    try transaction.query(sql, parameters).map { try $0.decode("name") }
}
