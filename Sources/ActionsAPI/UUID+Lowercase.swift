import Foundation

extension UUID {
    /// As URLs and tables have it: 8-4-4-4-12 hexadecimal digits. Foundation's own text takes thirty times as long.
    package var lowercase: String {
        withUnsafeBytes(of: uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { text in
                var end = 0
                for (index, byte) in bytes.enumerated() {
                    if [4, 6, 8, 10].contains(index) {
                        text[end] = UInt8(ascii: "-")
                        end += 1
                    }
                    text[end] = digit(byte >> 4)
                    text[end + 1] = digit(byte & 0x0F)
                    end += 2
                }
                return end
            }
        }
    }

    /// Whether the text is this UUID, in either case.
    func isSpelled(_ text: String) -> Bool {
        text == lowercase || text.utf8.count == 36 && text.lowercased() == lowercase
    }
}

private func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }
