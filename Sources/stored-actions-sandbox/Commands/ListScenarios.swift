import ArgumentParser

struct ListScenarios: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scenarios",
        abstract: "Lists the scenarios that a run id can name, and the kinds of stored actions.",
        discussion: """
            Example:
              stored-actions-sandbox scenarios | grep bulk
            """
    )

    func run() {
        print(Self.text)
    }

    static var text: String {
        let width = Scenario.allCases.map(\.name.count).max() ?? 0
        let scenarios = Scenario.allCases.map { scenario in
            let padding = String(repeating: " ", count: width - scenario.name.count)
            return "\(scenario.digits)  \(scenario.name)\(padding)  \(scenario.meaning)"
        }
        let kinds = ActionKind.allCases.map { kind in
            "\(kind.id(1).description.prefix(8))  \(kind.actionType ?? "no action_type (\(kind))")"
        }
        return """
            Run ids: SSSSSSSS-VVVV-4000-8000-NNNNNNNNNNNN, hexadecimal. S is the scenario, V its parameter, N any number.
            Where trouble comes "V times, then success", V = 0000 means that it never ends.

            \(scenarios.joined(separator: "\n"))

            Stored actions: AAAAAAAA-VVVV-4000-8000-NNNNNNNNNNNN, A one of these.

            \(kinds.joined(separator: "\n"))
            """
    }
}
