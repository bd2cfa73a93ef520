import Postgres

extension PostgresError {
    /// A statement of this program met a schema that is not as the migrations made it: it was changed by hand. What
    /// the function of a trigger says of the tables that it uses itself is not meant.
    package var isSchemaFault: Bool {
        guard let sqlstate else { return false }
        // A value that no longer has the form of its column's type is found while a row is read: that has a context.
        return sqlstate == "22P03" || sqlstate == "08P01" || context == nil && Self.schemaFaults.contains(sqlstate)
    }

    private static let schemaFaults: Set<String> = [
        "3F000",  // no such schema
        "42P01", "42703", "42704", "42883",  // no such table, column, type, function
        "42P06", "42P07", "42701", "42710", "42723",  // such a schema, table, column, object, function is there already
        "42804", "42846", "42P13",  // another type
        "42809",  // a view, where there was a table
        "42P10",  // no unique key to insert by
        "428C9",  // a generated column
        "2BP01",  // another object depends on it
        "0A000",  // such as COPY into a view, or under row-level security
        "55000",  // such as a table that is published and has lost its key
    ]

    /// A trigger, a rule or a setting of the database's own keeps out what an export writes: not of one answer's rows,
    /// which would be in `rejects`.
    package var isDatabasePolicy: Bool {
        // P0001: `raise exception` of a function; no function of the schema raises anything.
        kind == .rowsDropped || sqlstate == "P0001"
    }
}
