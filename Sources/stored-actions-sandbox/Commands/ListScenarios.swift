import ArgumentParser

struct ListScenarios: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scenarios",
        abstract: "Lists the scenarios that a run id can name, and the kinds of stored actions.",
        discussion: """
            Example:
              stored-actions-sandbox scenarios | grep 20b0
            """
    )

    func run() {
        print(Self.text)
    }

    static var text: String {
        let scenarios = table(Scenario.allCases.map { ($0.digits, $0.name, $0.meaning) })
        let courses = table(BulkCourse.allCases.map { ($0.digits, $0.name, $0.meaning) })
        let cursors = table(BulkCursors.allCases.map { ($0.digits, $0.name, $0.meaning) })
        let kinds = ActionKind.allCases.map { "\($0.id(1).description.prefix(8))  \($0.meaning)" }
        return """
            Run ids: SSSSSSSS-VVVV-4000-8000-NNNNNNNNNNNN, hexadecimal. S is the scenario, V its parameter, N any number.
            Where trouble comes "V times, then success", V = 0000 means that it never ends.

            \(scenarios)

            Bulk reads: 20b0CCKK-TAPP-4000-8000-HHHHIIIIRRRR. CC is what befalls the chain, KK how its cursors are spelt,
            H its number, I the page (a root's is 0000), R the rows of a page. T is how often it happens (0: always), A
            the page (0: the middle one; 1 to d: that one; e: the root; f: every one), PP the number of pages. Where CC
            is 00, all of V is. A POST tells the chain in its `inputs`: {"root": "the root's run id"}, or
            {"course": "throttled-page", "times": 1, "at": 2, "cursors": "urls", "chain": 7, "pages": 5, "rows": 20},
            each of which may be left out.

            \(courses)

            \(cursors)

            Stored actions: AAAAAAAA-VVVV-4000-8000-NNNNNNNNNNNN, A one of these.

            \(kinds.joined(separator: "\n"))
            """
    }

    private static func table(_ rows: [(digits: String, name: String, meaning: String)]) -> String {
        let width = rows.map(\.name.count).max() ?? 0
        let lines = rows.map { row in
            let padding = String(repeating: " ", count: width - row.name.count)
            return "\(row.digits)  \(row.name)\(padding)  \(row.meaning)"
        }
        return lines.joined(separator: "\n")
    }
}
