import HTTPTypes

package struct APIRequest: Sendable, Equatable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    package var method: Method
    /// Absolute path below the API's address, made by this module alone: nothing from a manifest but parsed UUIDs
    /// ever becomes part of it.
    package var path: String
    package var headers: HTTPFields = [:]
    /// Of a POST.
    package var body: [UInt8]?
}
