import ArgumentParser
import Foundation

extension ManifestFormat: ExpressibleByArgument {}

struct PrintManifest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest",
        abstract: "Prints a manifest of runs that the sandbox serves.",
        discussion: """
            Example:
              stored-actions-sandbox manifest --runs 2000 --mix success:6 --undated > jobs/load.json
            """
    )

    @Option(help: "How many runs, bulk reads not counted.") var runs = 300
    @Option(help: "The seed: the same one gives the same runs in the same order.") var seed: UInt64 = 1
    @Option(
        help: """
            `all`, for a realistic mix that leads to every outcome; or names of scenarios, joined by commas, each \
            with a parameter if need be: success:11,pending:2.
            """)
    var mix = "all"
    @Flag(help: "Leave the dates out, so that the output is the same for ever.") var undated = false
    @Option(help: "The manifest's name.") var name = "sandbox"
    @Option(help: "How many stored actions the runs belong to.") var storedActions = 5
    @Option(help: "How many bulk reads with pages to follow, besides the runs.") var pages = 0
    @Option(
        help: """
            `ordinary`, for chains that come to their end; `all`, for one of everything; or what befalls a chain or \
            how its cursors are spelt, joined by commas, each with how often and at which page if need be: \
            urls,throttled-page:1,expired-page:0:2. The chains take them in turn.
            """)
    var pagesMix = "ordinary"
    @Option(help: "How many pages each chain has; without it, 2 to 6.") var pagesPerChain: UInt16?
    @Option(help: "How many rows each page has; without it, 1 to 20.") var rowsPerPage: UInt16?
    @Option(help: "json, jsonl or csv.") var format = ManifestFormat.json

    func validate() throws {
        if !(0...10_000_000).contains(runs) { throw ValidationError("--runs must be from 0 to 10000000") }
        if !(1...1000).contains(storedActions) { throw ValidationError("--stored-actions must be from 1 to 1000") }
        if !(0...60_000).contains(pages) { throw ValidationError("--pages must be from 0 to 60000") }
        if format == .csv && pages > 0 { throw ValidationError("CSV has no room for --pages: use json or jsonl") }
        _ = try parsedMix()
        let chains = try parsedPagesMix()
        if let pagesPerChain, pagesPerChain > 255, chains.shares.contains(where: { $0.course != .plain }) {
            throw ValidationError("--pages-per-chain must be up to 255 but for chains that nothing befalls")
        }
    }

    func run() throws {
        let plan = ManifestPlan(
            mix: try parsedMix(), runs: runs, pages: pages, pagesMix: try parsedPagesMix(),
            storedActions: storedActions, seed: seed, now: undated ? nil : Date())
        for piece in ManifestText(name: name, plan: plan, format: format).pieces {
            FileHandle.standardOutput.write(Data(piece.utf8))
        }
    }

    private func parsedMix() throws -> Mix {
        guard mix != "all" else { return .all }
        let shares = try mix.split(separator: ",").map { part -> Mix.Share in
            let words = part.split(separator: ":", maxSplits: 1)
            guard let scenario = Scenario.allCases.first(where: { $0.name == words[0] }) else {
                throw ValidationError("--mix: there is no scenario \(words[0]); `scenarios` lists them")
            }
            guard let parameter = words.count == 1 ? 0 : UInt16(words[1]) else {
                throw ValidationError("--mix: the parameter \(words[1]) must be from 0 to 65535")
            }
            return Mix.Share(scenario, parameter: parameter)
        }
        if shares.isEmpty { throw ValidationError("--mix names no scenario") }
        return Mix(shares: shares)
    }

    private func parsedPagesMix() throws -> PagesMix {
        var parsed = pagesMix == "all" ? PagesMix.all : .ordinary
        if !["all", "ordinary"].contains(pagesMix) {
            parsed.shares = try pagesMix.split(separator: ",").map { part in
                if let share = PagesMix.share(part) { return share }
                throw ValidationError(
                    "--pages-mix: \(part) is not NAME[:TIMES[:PAGE]] with a name that `scenarios` lists")
            }
            if parsed.shares.isEmpty { throw ValidationError("--pages-mix names nothing") }
        }
        parsed.pages = pagesPerChain
        parsed.rows = rowsPerPage
        return parsed
    }
}
