import Foundation

/// The body of `POST …/run`. Of `inputs` only the keys of a bulk read matter; any others are accepted.
struct Submission: Decodable, Sendable {
    struct Body: Decodable, Sendable {
        let inputs: Inputs
        let page: String?
    }

    struct Inputs: Decodable, Sendable {
        /// The run id of the chain's first page, which says all the rest.
        let root: String?
        let chain: UInt16?
        let pages: UInt16?
        let rows: UInt16?
        let cursors: String?
        let course: String?
        let times: Int?
        let at: Int?

        enum CodingKeys: CodingKey { case root, chain, pages, rows, cursors, course, times, at }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            root = try? values.decode(String.self, forKey: .root)
            chain = try? values.decode(UInt16.self, forKey: .chain)
            pages = try? values.decode(UInt16.self, forKey: .pages)
            rows = try? values.decode(UInt16.self, forKey: .rows)
            cursors = try? values.decode(String.self, forKey: .cursors)
            course = try? values.decode(String.self, forKey: .course)
            times = try? values.decode(Int.self, forKey: .times)
            at = try? values.decode(Int.self, forKey: .at)
        }
    }

    let data: Body

    init?(_ body: [UInt8]) {
        guard let decoded = try? JSONDecoder().decode(Submission.self, from: Data(body)) else { return nil }
        self = decoded
    }

    /// The bulk read that this starts. An action's id may say it in the way that a run's does: V pages, HHHH0000RRRR.
    func chain(of action: CodedID) -> BulkPage {
        let inputs = data.inputs
        if let root = inputs.root.flatMap({ CodedID(parsing: $0) }).flatMap(BulkPage.init(run:)) { return root.root }
        let number = action.number
        let rows = UInt16(truncatingIfNeeded: number)
        let pages = action.actionKind == .failingLookup ? 0 : action.parameter
        return BulkPage(
            chain: inputs.chain ?? UInt16(truncatingIfNeeded: number >> 32),
            pages: inputs.pages ?? (pages > 0 ? pages : 3),
            rows: inputs.rows ?? (rows > 0 ? rows : 5),
            cursors: BulkCursors.allCases.first { $0.name == inputs.cursors } ?? .strings,
            course: BulkCourse.allCases.first { $0.name == inputs.course } ?? .plain,
            times: inputs.times ?? 0,
            place: inputs.at ?? 0
        )
    }

    /// A hash of `inputs` that neither the order of keys nor white space changes; "" for a body without any.
    static func inputsHash(_ body: [UInt8]) -> String {
        let json = (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any]
        guard let inputs = (json?["data"] as? [String: Any])?["inputs"] as? [String: Any],
            let sorted = try? JSONSerialization.data(withJSONObject: inputs, options: [.sortedKeys])
        else { return "" }
        let digits = String(stableHash(String(decoding: sorted, as: UTF8.self)), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
