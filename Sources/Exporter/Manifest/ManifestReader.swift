import Foundation

/// Reads manifests from files and standard input, each once and as a stream.
package enum ManifestReader {
    /// The most bytes of one run, one stored action, one line or one record.
    private static let defaultPieceLimit = 64 << 20

    /// Reads all sources and checks them, each by itself and against one another.
    ///
    /// - Parameters:
    ///   - maxProblems: how many problems to keep; all are counted.
    ///   - temporaryDirectory: where runs wait while they are read; the file there has no name.
    ///   - standardInput: the descriptor to read for standard input.
    ///   - pieceLimit: the most bytes of one run, one stored action, one line or one record.
    /// - Throws: `ManifestProblems` if anything is wrong with the manifests, `SpoolError` if the temporary file fails.
    package static func read(
        _ sources: [ManifestSource], maxProblems: Int = 100, temporaryDirectory: String,
        standardInput: Int32 = 0, pieceLimit: Int = defaultPieceLimit
    ) throws -> Manifests {
        var collector = ManifestCollector(
            sources: sources, pieceLimit: pieceLimit, maxProblems: maxProblems, temporaryDirectory: temporaryDirectory)
        var session = ReadingSession(standardInput: standardInput)
        for index in sources.indices { try session.read(index, into: &collector) }

        var names: [String] = []
        for (index, name) in assignManifestNames(sources, given: session.givenNames).enumerated() {
            switch name {
            case .success(let name): names.append(name)
            case .failure(let fault):
                names.append("")
                collector.addProblem(fault.message, at: "name", source: index, offset: 0)
            }
        }

        let storedActions = collector.storedActions.merged
        var merge = RunMerge(
            sourceCount: sources.count, storedActions: storedActions, temporaryDirectory: temporaryDirectory)
        let named = collector.runs.finish()
        try merge.merge(named) { collector.addConflict($0) }
        guard collector.problems.isEmpty else {
            throw ManifestProblems(problems: collector.problems.first, totalCount: collector.problems.count)
        }
        let list = sources.indices.map { index in
            Manifests.Manifest(
                name: names[index], source: sources[index].description, sha256: session.hashes[index],
                items: merge.itemCounts[index])
        }
        let runCount = merge.runCount
        return Manifests(list: list, storedActions: storedActions, runCount: runCount, runs: merge.finish())
    }
}

/// Reads one source after the other, and remembers which it has read.
private struct ReadingSession {
    let standardInput: Int32
    private(set) var givenNames: [String?] = []
    private(set) var hashes: [String] = []
    private var identities: Set<ManifestInput.Identity> = []
    private var locations: Set<ManifestSource.Location> = []

    init(standardInput: Int32) {
        self.standardInput = standardInput
    }

    mutating func read(_ index: Int, into collector: inout ManifestCollector) throws {
        let source = collector.sources[index]
        givenNames.append(nil)
        hashes.append("")
        do {
            let input = try ManifestInput(source.location, standardInput: standardInput)
            let isNewFile = input.identity.map { identities.insert($0).inserted } ?? true
            guard locations.insert(source.location).inserted, isNewFile else {
                collector.addProblem("is given twice: give each manifest once", at: "", source: index, offset: 0)
                return
            }
            givenNames[index] = try read(input, of: index, into: &collector)
            hashes[index] = input.sha256()
        } catch let error as UnreadableManifest {
            collector.addProblem("can't be read: \(error.reason)", at: "", source: index, offset: 0)
        } catch let fault as ManifestSyntaxFault {
            let place = "line \(fault.line), column \(fault.column)"
            collector.addProblem(fault.reason, at: place, source: index, offset: fault.offset)
        }
        if source.location == .standardInput, let name = source.name {
            givenNames[index] = name
            if let fault = manifestNameFault(name) {
                collector.addProblem(fault, at: "--name", source: index, offset: 0)
            }
        }
    }

    /// - Returns: the name that the manifest gives itself.
    private func read(_ input: ManifestInput, of index: Int, into collector: inout ManifestCollector) throws -> String?
    {
        var stream = ByteStream { try input.read() }
        let start = try stream.prefix(4)
        if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) || start.contains(0) {
            collector.addProblem(
                "the text is not UTF-8 but looks like UTF-16: save it as UTF-8", at: "", source: index, offset: 0)
            return nil
        }
        try stream.skipByteOrderMark()
        let format =
            switch collector.sources[index].location {
            case .file(let path): ManifestFormat(path: path)
            case .standardInput: ManifestFormat(startOfText: try stream.prefix(4_096))
            }
        collector.formats[index] = format
        switch format {
        case .json: return try JSONManifest.read(stream, source: index, into: &collector)
        case .jsonLines: try LinesManifest.read(stream, source: index, into: &collector)
        case .csv: try CSVManifest.read(stream, source: index, into: &collector)
        }
        return nil
    }
}
