import ActionsAPI

package struct APIRequest: Sendable, Equatable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    package var method: Method
    /// Absolute path below the API's address, made by this module alone: nothing from a manifest but parsed UUIDs
    /// ever becomes part of it.
    package var path: String
    package var headers: [(name: String, value: String)] = []
    /// Of a POST.
    package var body: [UInt8]?

    package static func == (a: APIRequest, b: APIRequest) -> Bool {
        a.method == b.method && a.path == b.path && a.body == b.body
            && a.headers.elementsEqual(b.headers) { $0.name == $1.name && $0.value == $1.value }
    }
}
