import Foundation

/// What the API answers to a call, once it has arrived.
struct APIAnswers: Sendable {
    let state: SandboxState

    func answer(to call: Call, _ arrival: SandboxState.Arrival, at now: Date) async -> Answer {
        if let refusal = arrival.refusal { return refusal }
        switch call.route {
        case .run, .lookup, .list:
            let settings = arrival.settings
            let fault = Fault.drawn(
                rate: settings.faultRate, seed: settings.seed, path: call.path, request: arrival.request)
            let answer = read(call, arrival)
            return fault?.applied(to: answer) ?? answer
        case .submit(let action): return await submit(to: action, call.body)
        case .token: return await token(call, at: now)
        case .wrongMethod(let allowed):
            var answer = APIError.methodNotAllowed.answer
            answer.headers.append(("Allow", allowed))
            return answer
        case .unknown, .control: return APIError.notFound(pointer: call.path).answer
        }
    }

    private func read(_ call: Call, _ arrival: SandboxState.Arrival) -> Answer {
        switch call.route {
        case .run(let action, let run):
            let read = RunAnswers.Read(
                action: action.description, run: run, attempt: arrival.attempt, acceptsGzip: call.acceptsGzip)
            return RunAnswers(seed: arrival.settings.seed).answer(to: read)
        case .lookup(let action): return lookup(action)
        default: return .json(200, ["results": .array(ActionKind.allCases.compactMap { storedAction($0.id(1)) })])
        }
    }

    private func lookup(_ action: CodedID) -> Answer {
        if let refusal = refusal(of: action) { return refusal }
        guard let fields = storedAction(action) else { return missing(action) }
        return .json(200, action.number % 2 == 1 ? ["data": fields] : fields)
    }

    /// Starts a run: of a bulk read, the page that `inputs` (or else the action's id) and `page` tell; of anything
    /// else, a success.
    private func submit(to action: CodedID, _ body: [UInt8]) async -> Answer {
        if let refusal = refusal(of: action) { return refusal }
        guard let kind = action.actionKind else { return missing(action) }
        guard let submission = try? JSONDecoder().decode(Submission.self, from: Data(body)) else {
            return APIError.badRequest("The body must be {\"data\": {\"inputs\": {...}, \"page\": \"...\"}}.").answer
        }
        let run: CodedID
        if kind == .readBulk || submission.data.page != nil {
            guard let page = submission.chain(of: action).at(cursor: submission.data.page ?? "0") else {
                return APIError.badRequest("This page was never given out.").answer
            }
            let ordinal = await state.submitted("\(action) chain \(page.chain) page \(page.index)")
            run = page.run(ordinal: UInt16(truncatingIfNeeded: ordinal + 1))
        } else {
            let ordinal = await state.submitted("\(action)")
            run = Scenario.success.id(stableHash("\(action) \(ordinal)"))
        }
        return .json(201, ["data": ["type": "run", "id": .string(run.description)]])
    }

    private func refusal(of action: CodedID) -> Answer? {
        switch action.actionKind {
        case .forbidden: APIError.permissionDenied.answer
        case .missing: missing(action)
        default: nil
        }
    }

    private func missing(_ action: CodedID) -> Answer {
        APIError.notFound(pointer: "/stored-actions/\(action)").answer
    }

    private func token(_ call: Call, at now: Date) async -> Answer {
        switch await state.issueToken(form: call.form, basic: call.basicCredentials, at: now) {
        case .success(let grant):
            var fields: [(String, JSON)] = [
                ("access_token", .string(grant.accessToken)), ("token_type", "Bearer"),
                ("expires_in", .int(grant.expiresIn)), ("scope", "external"),
            ]
            if let refreshToken = grant.refreshToken { fields.append(("refresh_token", .string(refreshToken))) }
            return .json(200, .object(fields))
        case .failure(let refusal):
            return .json(refusal.status, ["error": .string(refusal.rawValue)])
        }
    }
}

/// The body of `POST …/run`. Of `inputs` only what shapes a bulk read matters; any others may stand there.
private struct Submission: Decodable {
    struct Body: Decodable {
        let inputs: Inputs
        let page: String?
    }

    struct Inputs: Decodable {
        let chain: UInt16?
        let pages: UInt16?
        let rows: UInt16?
        let cursors: String?

        enum CodingKeys: CodingKey { case chain, pages, rows, cursors }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            chain = try? values.decode(UInt16.self, forKey: .chain)
            pages = try? values.decode(UInt16.self, forKey: .pages)
            rows = try? values.decode(UInt16.self, forKey: .rows)
            cursors = try? values.decode(String.self, forKey: .cursors)
        }
    }

    let data: Body

    /// The bulk read that this starts. An action's id may say it in the way that a run's does: V pages, CCCC0000RRRR.
    func chain(of action: CodedID) -> BulkPage {
        let number = action.number
        let rows = UInt16(truncatingIfNeeded: number)
        return BulkPage(
            chain: data.inputs.chain ?? UInt16(truncatingIfNeeded: number >> 32),
            pages: data.inputs.pages ?? (action.parameter > 0 ? action.parameter : 3),
            rows: data.inputs.rows ?? (rows > 0 ? rows : 5),
            cursors: data.inputs.cursors.flatMap(BulkPage.Cursors.init(rawValue:)) ?? .strings
        )
    }
}
