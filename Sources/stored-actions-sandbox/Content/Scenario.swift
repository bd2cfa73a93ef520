/// What a run answers: the first group of its id. The digits begin with its most telling HTTP status.
///
/// `V`, the second group, is the parameter, in hex. Scenarios that *recover* answer with trouble V times and then with
/// success; with V = 0000 the trouble never ends. ``meaning`` says the rest, and the `scenarios` command prints it.
/// The codes `20b0CCKK` are the pages of bulk reads: see ``BulkCourse``.
enum Scenario: UInt32, CaseIterable, Sendable {
    case success = 0x2000_0000
    case successEmpty = 0x2000_0001
    case successFlat = 0x2000_0002
    case successEnveloped = 0x2000_0003
    case successWithoutStatus = 0x2000_0004
    case successErrorsOnly = 0x2000_0005
    case successWithID = 0x2000_0006
    case successWithoutID = 0x2000_0007
    case large = 0x2000_0008
    case resultsNull = 0x2000_0009
    case resultsMixed = 0x2000_000A
    case deep = 0x2000_000B
    case gzip = 0x2000_000C
    case hardValues = 0x2000_000D

    case error = 0x2000_0010
    case errorWithoutStatus = 0x2000_0011
    case errorUnknownCode = 0x2000_0012
    case errorThrottled = 0x2000_0013

    case waiting = 0x2000_0020
    case unknownStatus = 0x2000_0030
    case wrongID = 0x2000_0031
    case emptyBody = 0x2000_0032
    case html = 0x2000_0033
    case notJSON = 0x2000_0034
    case truncatedJSON = 0x2000_0035
    case invalidUTF8 = 0x2000_0036

    case slow = 0x2000_0040
    case stall = 0x2000_0041
    case drip = 0x2000_0042

    case pending = 0x2020_0000
    case redirect = 0x3070_0000

    case badRequest = 0x4000_0000
    case forbidden = 0x4030_0000
    case forbiddenHTML = 0x4030_0001
    case expired = 0x4040_0000
    case notFoundHTML = 0x4040_0001
    case requestTimeout = 0x4080_0000
    case conflict = 0x4090_0000
    case gone = 0x4100_0000
    case unprocessable = 0x4220_0000
    case tooEarly = 0x4250_0000
    case tooManyRequests = 0x4290_0000

    case serverError = 0x5000_0000
    case badGateway = 0x5020_0000
    case unavailable = 0x5030_0000
    case gatewayTimeout = 0x5040_0000

    case cut = 0x0000_0001
    case noAnswer = 0x0000_0002

    /// Lower-case words with hyphens: `success-without-status`.
    var name: String { hyphenated("\(self)") }

    /// The first group of the id, as written.
    var digits: String { String(CodedID(code: rawValue, number: 0).description.prefix(8)) }

    /// An id of this scenario.
    func id(_ number: UInt64, parameter: UInt16 = 0) -> CodedID {
        CodedID(code: rawValue, parameter: parameter, number: number)
    }
}

extension CodedID {
    var scenario: Scenario? { Scenario(rawValue: code) }
}

/// A case's name in lower-case words with hyphens.
func hyphenated(_ caseName: String) -> String {
    let words = caseName.replacing("HTML", with: "Html").replacing("JSON", with: "Json")
        .replacing("UTF8", with: "Utf8").replacing("ID", with: "Id")
    return words.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
}
