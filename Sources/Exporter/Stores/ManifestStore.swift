import ExportCore
import Foundation
import Postgres

/// The table `export_manifests`: the manifests of an export.
enum ManifestStore {
    static func insert(_ manifests: Manifests, exportID: Int, in transaction: borrowing PostgresTransaction) throws {
        for manifest in manifests.list {
            _ = try transaction.query(
                """
                insert into stored_actions.export_manifests (export_id, name, source, sha256, items)
                values ($1, $2, $3, $4, $5)
                """,
                [
                    .int(exportID), .text(manifest.name), .text(manifest.source), .text(manifest.sha256),
                    .int(manifest.items),
                ])
        }
    }
}
