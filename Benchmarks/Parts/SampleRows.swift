import Foundation
import JSONText
import Postgres

/// The objects of the large body as rows of a table like `results`.
package struct SampleRows: Sendable {
    package static let columns = [
        "run_id", "item_index", "stored_action_id", "payload", "payload_raw", "payload_notes", "export_id",
    ]
    package static let definition = """
        run_id uuid, item_index int, stored_action_id uuid, payload jsonb, payload_raw bytea, payload_notes text[], \
        export_id bigint
        """

    private let objects: [JSONValue]

    package init() throws {
        objects = try JSONValue(validating: Sample.body.bytes)["results"].map { Array($0.elements()) } ?? []
    }

    package func write(to writer: inout PostgresCopyWriter) throws {
        for (index, object) in objects.enumerated() {
            try writer.beginRow()
            try writer.uuid(Sample.runID)
            try writer.int4(Int32(index))
            try writer.uuid(Sample.runID)
            try writer.jsonb(object.bytes)
            try writer.bytea(nil as [UInt8]?)
            try writer.texts(nil)
            try writer.int8(1)
        }
    }
}
