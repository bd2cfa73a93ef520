import Exporter
import Postgres

extension SchemaProblem: CustomStringConvertible {
    /// What is wrong with the schema, and what to do about it.
    package var description: String {
        switch self {
        case .newer(let version, let own):
            return
                "the schema is at version \(version), newer than this binary's \(own): install a newer stored-actions"
        case .otherMigration(let version, let name):
            return
                "migration \(version) (\(name)) was applied with other contents than this binary has: use the "
                + "stored-actions that migrated this database, or a database of your own"
        case .behind(let version, let name):
            return "the schema lacks migration \(version) (\(name)): run stored-actions migrate"
        case .nameTaken(let error):
            return
                "the schema stored_actions holds something that stored-actions did not make: \(error); rename it or "
                + "move it to another schema, or use a database of your own"
        case .historyIsNotATable:
            return
                "stored_actions.schema_migrations is not a table, so stored-actions did not make it: drop it, or use a "
                + "database of your own"
        case .foreignOwner(let possession, let owner, let role):
            let (owner, role) = (quoteIdentifier(owner), quoteIdentifier(role))
            return
                "\(possession) belongs to the role \(owner), which is neither this role, \(role), nor granted to it: its "
                + "owner could run code with the exporting role's rights. If that role is trusted: grant \(owner) to "
                + "\(role); if not, remove or rename what it made"
        case .wrongColumns(let columns):
            return
                "the schema stored_actions was changed by hand: \(columns.joined(separator: ", ")) not there or of "
                + "another type; give the columns back as \\d of a fresh database shows them"
        case .rowSecurity(let tables):
            return
                "row-level security applies to this role on \(tables.joined(separator: ", ")), so an export would miss "
                + "rows: give the role bypassrls, or disable row level security on these tables"
        case .eventTriggers(let names, let error):
            return
                "an event trigger of the database (\(names.joined(separator: ", "))) refused to let a table be made: "
                + "\(error); let it allow what this role makes, an export's temporary table included"
        case .mayNotCreateSchema(let role):
            let role = quoteIdentifier(role)
            return
                "the role \(role) may not create the schema stored_actions: grant it create on the database, or have "
                + "the database's owner run: create schema stored_actions authorization \(role)"
        }
    }
}

extension NewerSchema {
    var text: String {
        "the schema is at version \(version), newer than this binary's \(ownVersion), and can still be read since "
            + "version \(readableSince); export, resolve and prune need a newer stored-actions"
    }
}

extension ExportHistory.Locked {
    var text: String {
        guard let blocker else { return "\(error)" }
        return "\(blocker.process.description) blocks reads of stored_actions.\(blocker.table)\(blocker.process.since)"
    }
}
