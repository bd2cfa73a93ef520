/// What is wrong with a manifest's name; nil if nothing is.
func manifestNameFault(_ name: String) -> String? {
    if name.isEmpty { return "the name is empty: write 1 to 200 characters" }
    if name.count > 200 { return "the name has \(name.count) characters: 200 are the most" }
    if name.unicodeScalars.contains(where: isControl) { return "the name holds a control character: remove it" }
    return nil
}

/// Gives each source its name: the one that the manifest or `--name` gives, or the file's base name. No two may be
/// alike.
///
/// - Parameter given: by source, the name that was given, or nil.
/// - Returns: by source, the name, or what is wrong.
func assignManifestNames(_ sources: [ManifestSource], given: [String?]) -> [Result<String, ManifestNameFault>] {
    var owners: [String: ManifestSource] = [:]
    return zip(sources, given).map { source, given in
        let name = given ?? defaultName(of: source)
        if given == nil, let reason = manifestNameFault(name) {
            return .failure(
                ManifestNameFault(message: "no name can be made of the file's: \(reason); rename the file"))
        }
        // The same source again is another problem, which is reported on its own.
        if let owner = owners[name], owner.location != source.location {
            return .failure(
                ManifestNameFault(
                    message: "the name \(quoted(name)) is that of \(owner.description) too: "
                        + (given == nil
                            ? "add another \"name\" to a JSON manifest, or rename the file"
                            : "give one of them another")))
        }
        owners[name] = source
        return .success(name)
    }
}

struct ManifestNameFault: Error, Equatable {
    var message: String
}

private func defaultName(of source: ManifestSource) -> String {
    switch source.location {
    case .standardInput: return "stdin"
    case .file(let path):
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return fileNameParts(unpackedFileName(name)).base
    }
}
