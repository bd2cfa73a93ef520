import ActionsAPI
import ArgumentParser
import ExportCore
import Exporter
import Foundation

struct DatabaseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "PostgreSQL to use, as a URL or key=value pairs without a password.",
            discussion: "Else DATABASE_URL, else libpq's PG* variables, service file and password file.",
            valueName: "url"))
    var databaseURL: String?
}

struct AccountOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Whose runs these are; those of other accounts are left alone.",
            discussion: "Else ZAPIER_ACCOUNT, else \(ZapierAccount.standard.name).", valueName: "name"))
    var account: String?

    /// What a suggested command needs besides, with a space before it.
    var repeated: String { account.map { " --account " + shellQuoted($0) } ?? "" }
}

struct APIOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address of the Actions API.",
            discussion: "Else ZAPIER_API_URL, else \(SettingSources.defaultAPI).", valueName: "url"))
    var apiURL: String?

    @Flag(help: "Allow plain http to other machines: anyone on the network can read tokens and results.")
    var allowInsecureHttp = false
}

extension SettingSources {
    init(
        database: DatabaseOptions, api: APIOptions? = nil, account: AccountOptions? = nil,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.init(
            databaseURL: database.databaseURL, apiURL: api?.apiURL, account: account?.account,
            allowsInsecureHTTP: api?.allowInsecureHttp ?? false, environment: environment)
    }
}

/// A length of time: `90s`, `15m`, `2h`, `90d`, or `0`.
struct DurationArgument: ExpressibleByArgument, Equatable, Sendable {
    var duration: Duration
    private var text: String

    init(minutes: Int) {
        duration = .seconds(minutes * 60)
        text = "\(minutes)m"
    }

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        text = argument
        if argument == "0" {
            duration = .zero
            return
        }
        guard let unit = argument.last.flatMap({ units[$0] }), argument.count <= 8,
            argument.dropLast().allSatisfy({ ("0"..."9").contains($0) }), let count = Int64(argument.dropLast())
        else { return nil }
        duration = .seconds(count * unit)
    }

    var defaultValueDescription: String { text }
}

/// A point in time: `2026-11-20T09:30:00Z`, with any offset.
struct TimeArgument: ExpressibleByArgument, Equatable, Sendable {
    var time: Date

    init?(argument: String) {
        guard let time = ISODateTime.parse(argument, as: .rfc3339) else { return nil }
        self.time = time
    }
}

/// A number of bytes, at least one MiB: `64M`, `1G`, `500000K`, or a plain number.
struct SizeArgument: ExpressibleByArgument, Equatable, Sendable {
    private static let sizes = 1 << 20...1 << 40

    var bytes: Int
    private var text: String

    init(mebibytes: Int) {
        bytes = mebibytes << 20
        text = "\(mebibytes)M"
    }

    init?(argument: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let unit = argument.uppercased().last.flatMap { units[$0] }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard digits.count <= 13, digits.allSatisfy({ ("0"..."9").contains($0) }), let count = Int(digits) else {
            return nil
        }
        let (bytes, overflows) = count.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflows, Self.sizes.contains(bytes) else { return nil }
        self.bytes = bytes
        text = argument
    }

    var defaultValueDescription: String { text }
}

/// `--fail-on` and `--allow`: names with commas between them, or `none`.
struct OutcomeList: ExpressibleByArgument, Equatable, Sendable {
    /// Chains that end other than by their last page; no outcome of a run.
    static let truncated = "truncated"
    /// Parts of answers that PostgreSQL refused; no outcome of a run either.
    static let rejects = "rejects"

    var outcomes: Set<Outcome> = []
    var truncated = false
    var rejects = false
    private var text: String

    init(_ outcomes: [Outcome], truncated: Bool, rejects: Bool) {
        self.outcomes = Set(outcomes)
        self.truncated = truncated
        self.rejects = rejects
        let others = (truncated ? [Self.truncated] : []) + (rejects ? [Self.rejects] : [])
        text = (outcomes.map(\.rawValue) + others).joined(separator: ",")
    }

    init?(argument: String) {
        text = argument
        if argument == "none" { return }
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            if name == Self.truncated {
                truncated = true
            } else if name == Self.rejects {
                rejects = true
            } else if let outcome = Outcome(rawValue: String(name)) {
                outcomes.insert(outcome)
            } else {
                return nil
            }
        }
    }

    var defaultValueDescription: String { text }
}

extension IfLocked: ExpressibleByArgument {}
