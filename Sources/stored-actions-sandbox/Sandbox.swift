import ArgumentParser

@main
struct Sandbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stored-actions-sandbox",
        abstract: "A local Actions API with made-up data, for demos, tests and trials.",
        discussion: """
            Run ids say what they answer: SSSSSSSS-VVVV-4000-8000-NNNNNNNNNNNN is scenario S with parameter V, and N \
            makes it unique. `stored-actions-sandbox scenarios` lists them.

            Example:
              stored-actions-sandbox serve --port 8484 --limit 60 --window 3
              stored-actions-sandbox manifest --runs 300 > jobs/sandbox.json
            """,
        subcommands: [Serve.self, PrintManifest.self, ListScenarios.self],
        defaultSubcommand: Serve.self
    )
}
