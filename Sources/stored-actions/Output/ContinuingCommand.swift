import Foundation

/// The exact command that takes an export up again.
struct ContinuingCommand {
    let text: String
    let unfinished: String
    /// What `resolve` needs besides, with a space before it.
    let database: String

    init(export: Export, arguments: [String] = Array(CommandLine.arguments.dropFirst())) {
        let command = (["stored-actions"] + arguments.map(shellQuoted)).joined(separator: " ")
        text = export.manifests.manifest.contains("-") ? "… | " + command : command
        var settings: [String] = []
        if let account = export.account.account { settings += ["--account", shellQuoted(account)] }
        if let url = export.api.apiURL { settings += ["--api-url", shellQuoted(url)] }
        if export.api.allowInsecureHttp { settings.append("--allow-insecure-http") }
        if let url = export.database.databaseURL { settings += ["--database-url", shellQuoted(url)] }
        database =
            export.account.repeated
            + (export.database.databaseURL.map { " --database-url " + shellQuoted($0) } ?? "")
        unfinished = (["stored-actions export --unfinished"] + settings).joined(separator: " ")
    }
}
