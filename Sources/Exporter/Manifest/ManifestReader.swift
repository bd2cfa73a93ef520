import Foundation

/// Reads manifests from files and standard input, each once and as a stream.
package enum ManifestReader {
    /// The most bytes of one run, one stored action, one line or one record.
    private static let defaultPieceLimit = 64 << 20

    /// Reads all sources and checks them, each on its own and against the others.
    ///
    /// - Parameters:
    ///   - maxProblems: how many problems to keep; all are counted.
    ///   - temporaryDirectory: where runs wait while they are read; the file there has no name.
    ///   - standardInput: the descriptor to read for standard input.
    ///   - pieceLimit: the most bytes of one run, one stored action, one line or one record.
    ///   - allowsEmpty: whether a manifest in JSON Lines or CSV may name no run.
    ///   - expectedRuns: how many different runs there must be in all; nil for any number.
    /// - Throws: `ManifestProblems` if anything is wrong with the manifests, `SpoolError` if the temporary file fails.
    package static func read(
        _ sources: [ManifestSource], maxProblems: Int = 100, temporaryDirectory: String,
        standardInput: Int32 = 0, pieceLimit: Int = defaultPieceLimit, allowsEmpty: Bool = false,
        expectedRuns: Int? = nil
    ) throws -> Manifests {
        var collector = ManifestCollector(
            sources: sources, pieceLimit: pieceLimit, maxProblems: maxProblems, allowsEmpty: allowsEmpty,
            temporaryDirectory: temporaryDirectory)
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

        var merge = RunMerge(
            sourceCount: sources.count, storedActions: collector.storedActions.merged,
            temporaryDirectory: temporaryDirectory)
        let named = collector.runs.finish()
        try merge.merge(named) { collector.addConflict($0) }
        if let expectedRuns, collector.problems.isEmpty, merge.runCount != expectedRuns {
            collector.addWrongCount(merge.runCount, expected: expectedRuns)
        }
        guard collector.problems.isEmpty else {
            throw ManifestProblems(problems: collector.problems.first, totalCount: collector.problems.count)
        }
        let list = sources.indices.map { index in
            Manifests.Manifest(
                name: names[index], source: sources[index].description, sha256: session.hashes[index],
                items: merge.itemCounts[index])
        }
        let runCount = merge.runCount
        return Manifests(
            list: list, storedActions: collector.storedActions.labelled, runCount: runCount,
            warnings: collector.warnings, runs: merge.finish())
    }
}

/// Reads one source after the other, and remembers which it has read.
private struct ReadingSession {
    /// Bytes at the start of a text that show what it is.
    private static let startSize = 4_096

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
            defer {
                if input.hasChanged {
                    collector.addProblem(
                        "changed while it was read: wait until it is whole; its producer should write another file and "
                            + "rename it into place", at: "", source: index, offset: 0)
                }
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
        if Gunzip.isGzip(try stream.prefix(2)) {
            var packed = stream
            let gunzip = try Gunzip { try packed.takeChunk() }
            stream = ByteStream { try gunzip.read() }
        }
        try stream.skipByteOrderMark()
        let start = try stream.prefix(Self.startSize)
        if let fault = foreignTextFault(start) {
            collector.addProblem(fault, at: "", source: index, offset: 0)
            return nil
        }
        let format = format(of: collector.sources[index], startOfText: start, input: input, collector.allowsEmpty)
        collector.formats[index] = format
        if let fault = format.fault(of: TextLook(start)) {
            collector.addProblem(fault.message, at: fault.place, source: index, offset: 0)
            return nil
        }
        let problemCount = collector.problems.count
        switch format {
        case .json: return try JSONManifest.read(stream, source: index, into: &collector)
        case .jsonLines: try LinesManifest.read(stream, source: index, into: &collector)
        case .csv: try CSVManifest.read(stream, source: index, into: &collector)
        }
        let isEmpty = collector.runCounts[index] == 0 && collector.problems.count == problemCount
        if isEmpty, !collector.allowsEmpty {
            collector.addProblem(
                "names no run: it may not be written yet; give --allow-empty if there is nothing to export", at: "",
                source: index, offset: 0)
        }
        return nil
    }

    /// A regular file's form is known from its name, any other's from its text.
    private func format(
        of source: ManifestSource, startOfText start: [UInt8], input: ManifestInput, _ allowsEmpty: Bool
    ) -> ManifestFormat {
        if case .file(let path) = source.location, input.isRegularFile, !source.isDescriptor {
            return ManifestFormat(path: path)
        }
        // Lines that number none are an empty text.
        if allowsEmpty, start.count < Self.startSize, TextLook(start) == .empty { return .jsonLines }
        return ManifestFormat(startOfText: start)
    }
}
