import ExportCore
import Foundation
import Postgres

/// The manifests of an export: their rows in `export_manifests`, and their runs in a temporary table that other stores
/// read while the export is opened.
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

    /// Into a temporary table: a manifest may name more runs than an array should hold.
    static func copyRuns(of manifests: Manifests, in transaction: borrowing PostgresTransaction) throws {
        try transaction.execute(
            script: """
                create temporary table manifest_runs (
                  stored_action_id uuid, run_id uuid, executed_at timestamptz, follow_pages boolean,
                  manifest_position bigint, first_page text, max_pages int, action_type text, inputs_hash bytea
                ) on commit drop
                """)
        _ = try transaction.copy(
            into: "pg_temp.manifest_runs",
            columns: RunKey.columns + [
                "executed_at", "follow_pages", "manifest_position", "first_page", "max_pages",
                "action_type", "inputs_hash",
            ]
        ) { writer in
            try manifests.forEachRunAndPosition { run, position in
                let pages = run.pages.followPages ? run.pages : nil
                try writer.beginRow()
                try writer.key(run.key)
                try writer.timestamptz(run.executedAt)
                try writer.bool(run.pages.followPages)
                try writer.int8(pages.map { _ in Int64(position) })
                try writer.text(storable(pages?.firstPage))
                try writer.int4(pages.map { Int32(clamping: $0.maxPages) })
                try writer.text(storable(pages?.actionType))
                try writer.bytea(pages.map { InputsHash.of($0.inputs ?? PageSettings.noInputs) })
            }
        }
        try transaction.execute(script: "analyze pg_temp.manifest_runs")
    }
}
