/// One numbered SQL file of this folder, as it was compiled into the binary.
package struct Migration: Sendable, Equatable {
    /// Place in the order, from 1; the file name's leading digits.
    package let version: Int
    /// The file name's words: `init` of `0001_init.sql`.
    package let name: String
    package let sql: String
    /// The oldest version whose binaries can still read the schema after this migration; nil: none that is older.
    package let compatibleSince: Int?

    package init(version: Int, name: String, sql: String, compatibleSince: Int? = nil) {
        self.version = version
        self.name = name
        self.sql = sql
        self.compatibleSince = compatibleSince
    }

    /// Every migration, in order. A file that has landed is never edited: databases remember its checksum.
    package static let all = [
        Migration(version: 1, name: "init", bytes: PackageResources._001_init_sql),
        Migration(version: 2, name: "page_chains", bytes: PackageResources._002_page_chains_sql),
        Migration(version: 3, name: "exact_bytes", bytes: PackageResources._003_exact_bytes_sql),
        Migration(version: 4, name: "keys", bytes: PackageResources._004_keys_sql),
        Migration(version: 5, name: "accounts", bytes: PackageResources._005_accounts_sql),
        Migration(version: 6, name: "operations", bytes: PackageResources._006_operations_sql),
        Migration(version: 7, name: "work_lists", bytes: PackageResources._007_work_lists_sql),
    ]

    private init(version: Int, name: String, bytes: [UInt8], compatibleSince: Int? = nil) {
        self.init(
            version: version, name: name, sql: String(decoding: bytes, as: UTF8.self), compatibleSince: compatibleSince)
    }
}
