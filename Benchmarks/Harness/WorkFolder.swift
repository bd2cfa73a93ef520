import Glibc

/// A temporary folder for manifests and rows.
struct WorkFolder {
    let folder: String

    init() {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fail("cannot make a folder in \(parent)") }
        folder = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
    }

    func path(_ name: String) -> String { folder + "/" + name }

    func remove() { _ = Child(["rm", "-rf", folder]).wait() }
}

/// The text of a small file.
func read(_ path: String) -> String {
    guard let file = fopen(path, "r") else { fail("cannot read \(path)") }
    defer { fclose(file) }
    var text: [UInt8] = []
    while case let byte = getc(file), byte != EOF { text.append(UInt8(byte)) }
    return String(decoding: text, as: UTF8.self)
}

func write(_ text: String, to path: String) {
    guard let file = fopen(path, "w") else { fail("cannot write \(path)") }
    defer { fclose(file) }
    guard fputs(text, file) >= 0 else { fail("cannot write \(path)") }
}
