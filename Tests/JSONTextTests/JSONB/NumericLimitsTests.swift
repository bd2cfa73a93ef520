import JSONText
import Testing

/// Each line was tried on PostgreSQL 15.
@Suite("Numbers that PostgreSQL's numeric holds")
struct NumericLimitsTests {
    private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    private func isExact(_ number: String) throws -> Bool {
        try JSONValue(validating: Array(number.utf8)).jsonbForm() == .exact
    }

    @Test(
        "Exact",
        arguments: [
            "0", "-0", "-0.0", "0.000", "10.10", "1e131071", "1E+131071", "-9.99e131071", "10e131070", "0.1e131072",
            "0.0001e131075", "0.00001e131076", "1e-16383", "1.0e-16382", "10e-16383", "0e-16383", "0e131072",
            "0e1000000", "0.0e600000", "0e1073741822", "1e0000000000000000000000000000005",
            "1e-0000000000000000000000000000005", repeated("9", 131_072), "1" + repeated("0", 131_071),
            repeated("9", 131_072) + "." + repeated("9", 16_383), "0." + repeated("1", 16_383),
            "0." + repeated("0", 16_383), "0." + repeated("1", 20_000) + "e3617",
            "0." + repeated("0", 200_000) + "1e331072", repeated("1", 147_455) + "e-16383",
            "1" + repeated("0", 140_000) + "e-8929", "0." + repeated("0", 300_000) + "e290000",
        ])
    func exact(number: String) throws {
        #expect(try isExact(number))
    }

    @Test(
        "Out of range",
        arguments: [
            "1e131072", "-1E+131072", "10e131071", "0.1e131073", "0.0001e131076", "0.00001e131077", "1e-16384",
            "1.0e-16383", "10e-16384", "0e-16384", "0.0e-16383", "0e1073741823", "0e-1073741822", "0e2147483648",
            "0e99999999999999999999", "1e99999999999999999999", "1e-9223372036854775809", repeated("9", 131_073),
            repeated("9", 131_072) + "." + repeated("9", 16_384), "0." + repeated("1", 16_384),
            "0." + repeated("0", 16_384), "0." + repeated("1", 20_000) + "e3616",
            "0." + repeated("0", 200_000) + "1e331073", repeated("1", 147_456) + "e-16383",
            "1" + repeated("0", 140_000) + "e-8928", "0e" + repeated("9", 1_000),
        ])
    func outOfRange(number: String) throws {
        #expect(try isExact(number) == false)
    }
}
