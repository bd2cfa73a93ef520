import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Which stored actions may be run again for their pages")
struct PagingPermitTests {
    /// Those of the API's description, and some that nobody knows.
    static let types = [
        "read", "read_bulk", "write", "run", "search", "search_or_write", "search_and_write", "filter", "tool",
        "teleport", "READ_BULK", "Read", "read_bulk ", "",
    ]
    static let manifests: [String?] = types + [nil]
    static let descriptions: [ActionDescription] =
        types.map { .found(actionType: $0) } + [
            .found(actionType: nil), .withheld(status: 403), .withheld(status: 404),
        ]

    private static let granted: [(ActionDescription, String?)] =
        manifests.map { (.found(actionType: "read_bulk"), $0) } + [
            (.found(actionType: "read"), "read"), (.found(actionType: "search"), "search"),
            (.withheld(status: 403), "read_bulk"), (.withheld(status: 404), "read_bulk"),
            (.withheld(status: 403), "read"), (.withheld(status: 404), "read"),
            (.withheld(status: 403), "search"), (.withheld(status: 404), "search"),
        ]

    @Test(
        "A bulk read; a read or a search that the manifest calls the same; one of the three by the manifest's word alone where the API does not show the action: nothing else",
        arguments: descriptions, manifests)
    func table(description: ActionDescription, manifest: String?) {
        let isListed = Self.granted.contains { $0 == (description, manifest) }
        #expect((PagingPermit(description, manifest: manifest) == .granted) == isListed)
    }

    @Test(
        "A refusal says what the action is, or that nobody says it",
        arguments: [
            (.found(actionType: "write"), "read_bulk", "is a write"),
            (.found(actionType: "read"), nil, "is a read"),
            (.found(actionType: "search"), "read", "is a search"),
            (.found(actionType: nil), "read_bulk", "does not say"),
            (.withheld(status: 403), "write", "answers 403, and the manifest calls the stored action a write"),
            (.withheld(status: 404), nil, "answers 404, and the manifest names no action_type"),
        ] as [(ActionDescription, String?, String)])
    func reason(description: ActionDescription, manifest: String?, words: String) {
        guard case .refused(let reason) = PagingPermit(description, manifest: manifest) else {
            Issue.record("\(description) is to be refused")
            return
        }
        #expect(reason.contains(words))
    }

    @Test("A type of any length makes a refusal of one line")
    func longType() {
        let type = String(repeating: "write", count: 10_000)
        for permit in [
            PagingPermit(.found(actionType: type), manifest: nil), PagingPermit(.withheld(status: 404), manifest: type),
        ] {
            guard case .refused(let reason) = permit else {
                Issue.record("it is to be refused")
                return
            }
            #expect(reason.count < 150)
        }
    }
}
