import Foundation
import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("When a token is renewed")
struct TokenStateTests {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)
    private let a = AccessToken("a")!
    private let b = AccessToken("b")!
    private let unreachable = TokenError(.unreachable, "nobody")

    private func at(_ seconds: TimeInterval) -> Date { Self.start + seconds }

    private func holding(_ token: AccessToken, lifetime: Duration?) -> TokenState {
        var state = TokenState(nil, isRenewable: true)
        #expect(state.wanted(at: at(0)) == .renew)
        #expect(state.issued(IssuedToken(token: token, lifetime: lifetime), at: at(0)) == nil)
        return state
    }

    @Test func `A token without an issuer is used until it is refused, and that is the end`() {
        var state = TokenState(a, isRenewable: false)
        #expect(state.wanted(at: at(1e9)) == .use(a))
        #expect(state.refused(a, at: at(0)) == false)
    }

    @Test func `However many want the first token, one renewal begins`() {
        var state = TokenState(nil, isRenewable: true)
        #expect(state.wanted(at: at(0)) == .renew)
        #expect(state.wanted(at: at(0)) == .wait)
        #expect(state.issued(IssuedToken(token: a, lifetime: .seconds(600)), at: at(1)) == nil)
        #expect(state.wanted(at: at(1)) == .use(a))
    }

    @Test(
        "A token is renewed a minute before its end, or a tenth of its life if that is less",
        arguments: [(36_000, 35_940.0), (600, 540), (100, 90), (3, 2.7), (0, 0.9), (-5, 0.9)])
    func renewal(lifetime: Int, renewsAfter: TimeInterval) {
        var state = holding(a, lifetime: .seconds(lifetime))
        #expect(state.wanted(at: at(renewsAfter - 0.01)) == .use(a))
        #expect(state.wanted(at: at(renewsAfter + 0.01)) == .renew)
        #expect(state.wanted(at: at(renewsAfter + 0.01)) == .wait)
    }

    @Test func `A token of which nobody says how long it lives is used until it is refused`() {
        var state = holding(a, lifetime: nil)
        #expect(state.wanted(at: at(1e9)) == .use(a))
        #expect(state.refused(a, at: at(1e9)) == true)
        #expect(state.wanted(at: at(1e9)) == .renew)
    }

    @Test func `A refused token is renewed once, however many requests departed with it`() {
        var state = holding(a, lifetime: .seconds(36_000))
        for _ in 1...3 { #expect(state.refused(a, at: at(1000)) == true) }
        #expect(state.wanted(at: at(1000)) == .renew)
        #expect(state.wanted(at: at(1000)) == .wait)
        #expect(state.issued(IssuedToken(token: b, lifetime: .seconds(36_000)), at: at(1001)) == nil)
        // An answer that was late says nothing of the new one.
        #expect(state.refused(a, at: at(1002)) == true)
        #expect(state.wanted(at: at(1002)) == .use(b))
    }

    @Test func `A token is renewed for a refusal at whatever age; if the new one is refused at once, that ends it`() {
        for age in [0.0, 1, 59, 1000] {
            var state = holding(a, lifetime: .seconds(36_000))
            #expect(state.refused(a, at: at(age)) == true)
            #expect(state.wanted(at: at(age)) == .renew)
            #expect(state.issued(IssuedToken(token: b, lifetime: .seconds(36_000)), at: at(age)) == nil)
            #expect(state.refused(b, at: at(age + 9)) == false)
            guard case .over(let error) = state.wanted(at: at(age + 10)) else {
                Issue.record("no token is to be had any more")
                return
            }
            #expect(error.kind == .refused)
        }
    }

    @Test func `A token that came for a refusal and has served for a while is renewed like any other`() {
        for (lifetime, age) in [(36_000, 11.0), (3, 1.6)] {
            var state = holding(a, lifetime: .seconds(36_000))
            #expect(state.refused(a, at: at(0)) == true)
            #expect(state.wanted(at: at(0)) == .renew)
            #expect(state.issued(IssuedToken(token: b, lifetime: .seconds(lifetime)), at: at(0)) == nil)
            #expect(state.refused(b, at: at(age)) == true)
        }
    }

    @Test func `A file that holds the refused token still ends it`() {
        var state = TokenState(a, isRenewable: true)
        #expect(state.refused(a, at: at(0)) == true)
        #expect(state.wanted(at: at(0)) == .renew)
        #expect(state.issued(IssuedToken(token: a), at: at(0))?.kind == .refused)
        #expect(state.refused(a, at: at(1)) == false)
    }

    @Test func `While the new one is hard to get the old one serves to its end`() {
        var state = holding(a, lifetime: .seconds(600))
        #expect(state.wanted(at: at(545)) == .renew)
        #expect(state.wanted(at: at(545)) == .wait)
        #expect(state.tryFailed(at: at(546)) == a)
        #expect(state.wanted(at: at(547)) == .use(a))
        #expect(state.wanted(at: at(600)) == .wait)
        #expect(state.tryFailed(at: at(601)) == nil)
        #expect(state.gaveUp(unreachable, at: at(602)) == nil)
        #expect(state.wanted(at: at(603)) == .renew)
    }

    @Test func `A renewal that is given up early is begun again at the end of the old one`() {
        var state = holding(a, lifetime: .seconds(600))
        #expect(state.wanted(at: at(545)) == .renew)
        #expect(state.gaveUp(unreachable, at: at(546)) == a)
        #expect(state.wanted(at: at(599)) == .use(a))
        #expect(state.wanted(at: at(600)) == .renew)
    }

    @Test func `A refused token does not serve while the new one is hard to get`() {
        var state = holding(a, lifetime: .seconds(600))
        #expect(state.refused(a, at: at(400)) == true)
        #expect(state.wanted(at: at(400)) == .renew)
        #expect(state.tryFailed(at: at(401)) == nil)
        #expect(state.wanted(at: at(401)) == .wait)
    }

    @Test func `Refused credentials end it at once, whatever the old token is still good for`() {
        var state = holding(a, lifetime: .seconds(600))
        let error = TokenError(.refused, "invalid_client")
        #expect(state.wanted(at: at(545)) == .renew)
        #expect(state.gaveUp(error, at: at(546)) == nil)
        #expect(state.wanted(at: at(547)) == .over(error))
        #expect(state.refused(a, at: at(548)) == false)
    }
}
