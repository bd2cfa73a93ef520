/// Files that are often given in place of a manifest, known by their first bytes.
private let foreignStarts: [(bytes: [UInt8], what: String)] = [
    ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], "an Excel workbook (.xls): save the sheet as CSV UTF-8"),
    (Array("BZh".utf8), "compressed with bzip2: unpack it first, or compress it with gzip"),
    ([0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd: unpack it first, or compress it with gzip"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "compressed with xz: unpack it first, or compress it with gzip"),
    ([0x04, 0x22, 0x4D, 0x18], "compressed with lz4: unpack it first, or compress it with gzip"),
    ([0x1F, 0x9D], "compressed with compress (.Z): unpack it first, or compress it with gzip"),
    ([0x1F, 0x8B], "compressed with gzip twice: unpack it once"),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7-Zip archive: unpack it, and give the file that is in it"),
    (Array("Rar!".utf8), "a RAR archive: unpack it, and give the file that is in it"),
    (Array("PAR1".utf8), "a Parquet file: export it as CSV"),
    (Array("SQLite format 3\0".utf8), "an SQLite database: export the table as CSV"),
    (Array("PGDMP".utf8), "a PostgreSQL dump: export the table as CSV"),
    (Array("%PDF-".utf8), "a PDF document: export the table as CSV"),
    (Array("{\\rtf".utf8), "an RTF document: save it as plain text in UTF-8"),
]

/// What is wrong with a text that is not UTF-8, or is plainly something else; nil if it may be a manifest.
///
/// - Parameter start: the first bytes, 4 KiB unless the text is shorter.
func foreignTextFault(_ start: [UInt8]) -> String? {
    if let foreign = foreignStarts.first(where: { start.starts(with: $0.bytes) }) { return "is \(foreign.what)" }
    if start.starts(with: Array("PK\u{3}\u{4}".utf8)) { return "is \(zipKind(start))" }
    if start.dropFirst(257).starts(with: Array("ustar".utf8)) {
        return "is a tar archive: unpack it, and give the file that is in it"
    }
    if let encoding = otherEncoding(start) {
        return "the text is not UTF-8 but looks like \(encoding): save it as UTF-8"
    }
    if start.prefix(4).contains(0) { return "is binary data: give a file of JSON, JSON Lines or CSV" }
    let head = String(decoding: start.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.prefix(64), as: UTF8.self)
        .lowercased()
    if head.hasPrefix("<!doctype html") || head.hasPrefix("<html") {
        return "is an HTML page, perhaps an error or a login page: download the file again"
    }
    if head.hasPrefix("<?xml") { return "is XML: export the table as CSV" }
    return nil
}

private func zipKind(_ start: [UInt8]) -> String {
    let head = String(decoding: start, as: UTF8.self)
    if head.contains("opendocument.spreadsheet") {
        return "an OpenDocument spreadsheet: save the sheet as CSV in UTF-8"
    }
    if head.contains("[Content_Types].xml") || head.contains("xl/") {
        return "an Excel workbook (.xlsx): save the sheet as CSV UTF-8"
    }
    return "a ZIP archive: unpack it, and give the file that is in it"
}

/// Known by the byte order mark, and without one by the zeros beside ASCII characters.
private func otherEncoding(_ start: [UInt8]) -> String? {
    if start.starts(with: [0xFF, 0xFE, 0, 0]) || start.starts(with: [0, 0, 0xFE, 0xFF]) { return "UTF-32" }
    if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
    let zeros = start.prefix(4).map { $0 == 0 }
    switch zeros {
    case [false, true, true, true], [true, true, true, false]: return "UTF-32"
    case [false, true], [true, false], [false, true, false, true], [true, false, true, false]: return "UTF-16"
    default: return nil
    }
}
