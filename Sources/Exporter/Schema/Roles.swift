/// The roles that share the work on the schema, and the SQL that creates them.
package struct Roles: Sendable, Equatable {
    package var owner = "stored_actions_owner"
    package var loader = "stored_actions_loader"
    package var reader = "stored_actions_reader"
    /// Cursors and bodies too, which may hold secrets of the partner and personal data.
    package var readerSeesRaw = false

    package init() {}

    /// Why the names cannot be used; nil if they can.
    package var problem: String? {
        let names = [owner, loader, reader]
        // Less than PostgreSQL takes, so that no name needs escaping wherever the SQL has one.
        guard
            let bad = names.first(where: { name in
                let isPlain = name.wholeMatch(of: /[a-z_][a-z0-9_]{0,62}/.asciiOnlyCharacterClasses()) != nil
                return !isPlain || name.hasPrefix("pg_") || ["public", "none"].contains(name)
            })
        else { return Set(names).count < 3 ? "owner, loader and reader are three different roles" : nil }
        return "\"\(bad)\" is not a valid role name here: a letter or _ and up to 62 of a to z, 0 to 9 and _; not "
            + "public, none or pg_…"
    }

    /// `SQL/roles.sql` with these names, for a superuser, or for a role with CREATEROLE that owns the database and
    /// whatever it holds of the schema. It may be run any number of times, before the schema exists and after.
    package var sql: String {
        let standard = Roles()
        // In one pass: a name that is put in may be the standard name of another role.
        let names = [standard.owner: owner, standard.loader: loader, standard.reader: reader]
        let text = SQL.roles.replacing(/stored_actions_(?:owner|loader|reader)\b/) {
            names[String($0.output)] ?? String($0.output)
        }
        return readerSeesRaw
            ? text.replacing("sees_raw constant boolean := false", with: "sees_raw constant boolean := true") : text
    }
}
