import ExportCore

/// What is wrong with a manifest's name; nil if nothing is.
func manifestNameFault(_ name: String) -> String? {
    if name.isEmpty { return "the name is empty: write 1 to 200 characters" }
    if name.count > 200 { return "the name has \(name.count) characters: 200 are the most" }
    if name.unicodeScalars.contains(where: isControl) { return "the name holds a control character: remove it" }
    return nil
}

/// Gives each source a name of its own.
///
/// A name given by the manifest or by `--name` stands; two alike are a problem. Among the others a source whose base
/// name is taken falls back to its file's whole name, then to its path.
/// - Parameter given: by source, the name that was given, or nil.
/// - Returns: by source, the name, or what is wrong.
func assignManifestNames(_ sources: [ManifestSource], given: [String?]) -> [Result<String, ManifestNameFault>] {
    var owners: [String: Int] = [:]
    var names: [Result<String, ManifestNameFault>?] = Array(repeating: nil, count: sources.count)
    for (index, name) in given.enumerated() {
        guard let name else { continue }
        if let owner = owners[name] {
            let message =
                "the name \(quoted(name)) is that of \(sources[owner].description) too: give one of them another"
            names[index] = .failure(ManifestNameFault(message: message))
        } else {
            owners[name] = index
            names[index] = .success(name)
        }
    }
    return names.enumerated().map { index, name in
        if let name { return name }
        let candidates = defaultNames(of: sources[index])
        guard let free = candidates.first(where: { owners[$0] == nil && manifestNameFault($0) == nil }) else {
            let reason =
                candidates.lazy.compactMap(manifestNameFault).first ?? "the name \(quoted(candidates[0])) is taken"
            return .failure(ManifestNameFault(message: "no name can be made of the file's: \(reason); rename the file"))
        }
        owners[free] = index
        return .success(free)
    }
}

struct ManifestNameFault: Error, Equatable {
    var message: String
}

private func defaultNames(of source: ManifestSource) -> [String] {
    switch source.location {
    case .standardInput: return ["stdin", "-"]
    case .file(let path):
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return [fileNameParts(unpackedFileName(name)).base, name, path]
    }
}
