import Glibc

/// The folder for manifests and rows, which the caller removes.
struct WorkFolder {
    let folder: String

    func path(_ name: String) -> String { folder + "/" + name }
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
