import Foundation

/// The export loop's part in whose token it is: holds the first runs that are not there until a look-up has told.
extension ExportLoop {
    /// A run that is answered finally.
    mutating func settle(_ run: LoadedRun) {
        guard run.tellsOfAbsence else { return gather(run) }
        switch accountWatch.sawAbsence() {
        case .accept: gather(run)
        // It keeps its place in memory, or the work list would bring it once more.
        case .drop: break
        case .hold(let action):
            absent.append(run)
            if let action { lookUpWitness(action) }
        }
    }

    /// Before all else: what is held up meanwhile would have to be asked for again after a crash.
    private mutating func lookUpWitness(_ action: UUID) {
        switch lookUps.want(RunKey(storedActionID: action, runID: action)) {
        case .known(let description): witnessLookedUp(action, description)
        case .failed: witnessLookedUp(action, nil)
        case .waits(let isFirst): if isFirst { scheduler.lookUpFirst(action) }
        }
    }

    /// - Parameter description: nil if no try got an answer of use.
    mutating func witnessLookedUp(_ action: UUID, _ description: ActionDescription?) {
        switch accountWatch.lookedUp(action, AccountWatch.Sight(description)) {
        case nil: break
        case .lookUp(let next): lookUpWitness(next)
        case .accept:
            for run in absent { gather(run) }
            absent = []
        case .drop:
            absent = []
            logger.warning(
                """
                runs were answered with 404 or 403, and whether the token sees this account's stored actions could not \
                be found out: they stay as they are
                """)
        case .refuse(let hidden):
            absent = []
            end(.otherAccount(hidden))
        }
    }
}

extension AccountWatch.Sight {
    fileprivate init(_ description: ActionDescription?) {
        self =
            switch description {
            case .told: .seen
            case .withheld: .hidden
            case nil: .unknown
            }
    }
}
