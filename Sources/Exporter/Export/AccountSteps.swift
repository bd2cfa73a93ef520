import Foundation

/// The machine's part in whose token it is: holds the first runs that are not there, and the first refusals that
/// chains meet, until a look-up has shown whether the token sees the account's stored actions.
extension ExportMachine {
    /// A refusal that would end chains.
    enum HeldRefusal {
        case lookUp(of: [RunKey], ActionDescription)
        case post(of: RunKey, SubmitOutcome)
    }

    /// A run that is answered finally.
    mutating func settle(_ run: LoadedRun) {
        guard run.isAbsence else {
            if run.verdict.outcome.isStored { accountWatch.sawRun(of: run.item.key.storedActionID) }
            return gather(run)
        }
        switch accountWatch.sawAbsence() {
        case .accept: gather(run)
        // It keeps its place in memory, or the work list would bring it once more.
        case .drop: break
        case .hold(let action):
            absent.append(run)
            limitAbsent()
            if let action { lookUpWitness(action) }
        }
    }

    /// Whether the refusal counts now. Otherwise it is held, or its chains are left as they are.
    mutating func settle(_ refusal: HeldRefusal) {
        switch accountWatch.sawAbsence() {
        case .accept: tell(refusal, counts: true)
        case .drop: tell(refusal, counts: false)
        case .hold(let action):
            refusals.append(refusal)
            if let action { lookUpWitness(action) }
        }
    }

    /// - Parameter counts: whether the refusals speak of the chains, not of the token.
    mutating func releaseRefusals(counts: Bool) {
        let held = refusals
        refusals = []
        for refusal in held { tell(refusal, counts: counts) }
    }

    private mutating func tell(_ refusal: HeldRefusal, counts: Bool) {
        switch refusal {
        case .lookUp(let roots, let description):
            for root in roots { tell(root) { $0.lookedUp(counts ? description : nil, at: $1) } }
        case .post(let root, let outcome):
            tell(root) { $0.posted(counts ? outcome : .stopped, at: $1, random: 0) }
        }
    }

    /// What is held takes memory: beyond a measure no more runs are asked for until the look-up has been answered.
    private mutating func limitAbsent() {
        scheduler.isHoldingFetches = absent.count >= 500 || absent.reduce(0) { $0 + $1.errorBytes } > 1 << 20
    }

    /// Before all else: what is held up meanwhile would have to be asked for again after a crash.
    private mutating func lookUpWitness(_ action: UUID) {
        switch lookUps.want(action) {
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
            limitAbsent()
            releaseRefusals(counts: true)
        case .drop:
            absent = []
            limitAbsent()
            releaseRefusals(counts: false)
            log(
                .warning,
                """
                runs were answered with 404 or 403, and the export could not determine whether the token can see this \
                account's stored actions; these runs are unchanged
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
