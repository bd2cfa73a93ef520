/// The statements that are longer than a screen, each a file of this folder that is compiled into the binary. The
/// comment at its head describes its parameters.
enum SQL {
    static let forgetChains = text(PackageResources.forget_chains_sql)
    static let knownRuns = text(PackageResources.known_runs_sql)
    static let insertChains = text(PackageResources.insert_chains_sql)
    static let lockHolders = text(PackageResources.lock_holders_sql)
    static let markSuspects = text(PackageResources.mark_suspects_sql)
    static let rehearsal = text(PackageResources.rehearsal_sql)
    static let roles = text(PackageResources.roles_sql)
    static let schemaStrangers = text(PackageResources.schema_strangers_sql)

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
