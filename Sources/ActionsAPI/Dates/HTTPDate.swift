import Foundation

/// The date format of HTTP headers (IMF-fixdate of RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    /// The instant that `text` names, or nil. `UTC` may take the place of `GMT`.
    package static func parse(_ text: String) -> Date? {
        var text = text
        return text.withUTF8(parse)
    }

    /// Every field has its place: `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Date? {
        guard text.count == 29, text[3] == UInt8(ascii: ","), text[19] == UInt8(ascii: ":"),
            text[22] == UInt8(ascii: ":"),
            [4, 7, 11, 16, 25].allSatisfy({ text[$0] == UInt8(ascii: " ") }),
            index(of: text[0..<3], in: weekdays) != nil, let month = index(of: text[8..<11], in: months),
            index(of: text[26..<29], in: zones) != nil,
            let day = number(text[5..<7]), let year = number(text[12..<16]), let hour = number(text[17..<19]),
            let minute = number(text[20..<22]), let second = number(text[23..<25])
        else { return nil }
        return CivilTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second).date
    }

    private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
        var value = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private static func index(of name: Slice<UnsafeBufferPointer<UInt8>>, in names: [StaticString]) -> Int? {
        names.firstIndex { $0.withUTF8Buffer { $0.elementsEqual(name) } }
    }

    private static let weekdays: [StaticString] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let zones: [StaticString] = ["GMT", "UTC"]
}
