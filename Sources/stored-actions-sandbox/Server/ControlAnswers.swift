/// `/sandbox/…`: what tests and demos ask of the server itself. No token, no limit, not counted.
struct ControlAnswers: Sendable {
    let state: SandboxState

    func answer(to control: Route.Control, body: [UInt8]) async -> Answer {
        switch control {
        case .stats: return .json(200, await state.stats)
        case .requests: return .json(200, await state.requests)
        case .finals: return .json(200, await state.finals)
        case .submissions: return .json(200, await state.submissions)
        case .reset:
            await state.reset()
            return .json(200, [:])
        case .settings:
            do throws(SettingsChange.Refusal) {
                try await state.change(body)
                return .json(200, [:])
            } catch {
                return APIError.badRequest(error.reason).answer
            }
        }
    }
}
